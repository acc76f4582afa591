"""How long this process may still act on what it claimed, by its own monotonic clock.

The database's clock decides who holds a lease; this only stops the holder early. It starts before the claim is sent,
so it never runs longer than the database's.
"""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    seconds: float
    started: float

    @classmethod
    def starting_now(cls, seconds: float) -> "Lease":
        return cls(seconds, time.monotonic())

    @property
    def remaining_seconds(self) -> float:
        return self.started + self.seconds - time.monotonic()
