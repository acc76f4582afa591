"""A lane: a kind of job as data."""

import random
from dataclasses import dataclass

from pipeline.engine.stage import Stage


@dataclass(frozen=True, slots=True)
class Lane:
    """`batch_size` rows are claimed at a time for `lease_seconds`; a row is given up after `maximum_attempts`."""

    name: str
    stage: Stage
    batch_size: int
    lease_seconds: float
    maximum_attempts: int
    backoff_seconds: float = 5.0
    maximum_backoff_seconds: float = 3600.0

    def backoff(self, attempts: int) -> float:
        """Seconds until the next attempt after `attempts` failed ones: doubling, with jitter of a quarter."""
        delay = min(self.backoff_seconds * 2.0 ** (attempts - 1), self.maximum_backoff_seconds)
        return float(delay) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
