"""What can go wrong with a request to the stand-in SendGrid, and which request it goes wrong with."""

import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request."""


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """The request is refused with this status. 429 says by X-RateLimit-Reset when to come back."""

    code: int
    reset_seconds: float = 30
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sandbox(Fault):
    """200: the mail was checked and thrown away."""


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """The request is read and never answered; the mail is not accepted."""


@dataclass(frozen=True, slots=True)
class Late(Fault):
    """The mail is accepted, and the answer comes this much later than usual."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AcceptThenReset(Fault):
    """The mail is accepted, and the connection is reset instead of the answer."""


@dataclass(frozen=True, slots=True)
class ResetBeforeReading(Fault):
    """The connection is reset at the request's first byte."""


class FaultScript:
    """Which fault the next request meets: of the script, the storm, a share, or the constant one, in this order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: deque[Fault | None] = deque()
        self._constant: Fault | None = None
        self._shares: list[tuple[float, Fault]] = []
        self._random = random.Random(0)
        self._storm_ends = 0.0

    def script(self, *faults: Fault | None) -> None:
        """What happens to the next requests, one each; None answers as usual."""
        with self._lock:
            self._script.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """What happens to every request nothing else is said about; None ends it."""
        self._constant = fault

    def sometimes(self, share: float, fault: Fault) -> None:
        """A random share of the requests fails so, the same ones in every run. Faults add up; share 0 ends one."""
        with self._lock:
            self._shares = [(each, other) for each, other in self._shares if other != fault]
            if share > 0:
                self._shares.append((share, fault))

    def storm(self, seconds: float) -> None:
        """Every request is answered 429 until then, naming the end (a whole second, as SendGrid does) for its reset."""
        self._storm_ends = float(int(time.time() + seconds) + 1)

    def next(self) -> Fault | None:
        with self._lock:
            if self._script:
                return self._script.popleft()
            if self._storm_ends and (left := self._storm_ends - time.time()) > 0:
                return Status(429, reset_seconds=left)
            if self._shares:
                number = self._random.random()
                for share, fault in self._shares:
                    if number < share:
                        return fault
                    number -= share
            return self._constant
