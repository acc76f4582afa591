"""Which fault hits whom, and when.

Each actor has a series of random numbers of its own: the same for the same seed, whatever happens.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.failpoints import Failpoint

WEBS = ("web-1", "web-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
BEAT = "beat"
REDIS, POSTGRES, MAIL = "redis", "postgresql", "mail provider"

LEASE_SECONDS = 15.0
_SHORTEST_CALM_SECONDS = 1.0


class FaultKind(StrEnum):
    KILL = "SIGKILL"
    TERMINATE = "SIGTERM"
    FREEZE = "SIGSTOP, then SIGCONT"
    FAILPOINT = "death at a failpoint"
    CLOCK = "clock step"
    FLUSH = "FLUSHALL"
    REDIS_RESTART = "restart of Redis"
    REDIS_KILL = "SIGKILL of Redis"
    REDIS_CUT = "CLIENT KILL"
    POSTGRES_FAST = "restart of PostgreSQL, fast"
    POSTGRES_IMMEDIATE = "restart of PostgreSQL, immediate"
    POSTGRES_CUT = "pg_terminate_backend"
    MAIL_STORM = "429 with X-RateLimit-Reset"
    MAIL_BUSY = "429 with Retry-After"
    MAIL_ERRORS = "500 and 503"
    MAIL_HANGS = "no answer"
    MAIL_RESETS = "accepted, then reset"
    MAIL_LATE = "answer too late"
    MAIL_AWAY = "connections refused"
    MAIL_SILENT = "accepted, and never reported on"


K = FaultKind

_OF_WEB = (Failpoint.INTAKE_BEFORE_COMMIT, Failpoint.INTAKE_AFTER_COMMIT, Failpoint.WAKE_AFTER_KEY)
_OF_WORKER = (
    Failpoint.WAKE_AFTER_KEY,
    Failpoint.DRAIN_AFTER_CLAIM,
    Failpoint.DRAIN_BEFORE_FINISH,
    Failpoint.DRAIN_BEFORE_COMMIT,
    Failpoint.DRAIN_AFTER_COMMIT,
    Failpoint.EMAIL_BEFORE_CALL,
    Failpoint.EMAIL_AFTER_CALL,
    Failpoint.SWEEP_BEFORE_COMMIT,
)
_OF_SEQUENCER = (
    Failpoint.SEQUENCER_AFTER_READ,
    Failpoint.SEQUENCER_AFTER_APPEND,
    Failpoint.SEQUENCER_BEFORE_COMMIT,
    Failpoint.SEQUENCER_AFTER_COMMIT,
    Failpoint.SIGNING_BEFORE_SIGNATURE,
    Failpoint.SIGNING_BEFORE_ANCHOR,
    Failpoint.ANCHOR_AFTER_CREATION,
    Failpoint.SIGNING_AFTER_ANCHOR,
    Failpoint.SIGNING_BEFORE_COMMIT,
    Failpoint.SIGNING_AFTER_COMMIT,
)
SEQUENCERS = WORKERS[:2]
"""The workers that serve the lane `sequence` too."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `seconds` (how long it lasts, or until what died is started again) count from the run's beginning.

    `amount` is a share of requests, mails or connections, or a step in seconds; `detail` names a failpoint.
    """

    at: float
    kind: FaultKind
    target: str
    seconds: float = 0.0
    amount: float = 0.0
    detail: str = ""

    def __str__(self) -> str:
        parts = [f"{self.at:7.1f} s  {self.kind}: {self.target}"]
        parts += [f"for {self.seconds:.1f} s"] if self.seconds else []
        parts += [f"{self.amount:+.2f}"] if self.amount else []
        return "  ".join([*parts, self.detail] if self.detail else parts)


Actor = Callable[[random.Random, float], Fault]

_SHARES = {
    K.MAIL_BUSY: 0.3,
    K.MAIL_ERRORS: 0.3,
    K.MAIL_HANGS: 0.1,
    K.MAIL_RESETS: 0.15,
    K.MAIL_LATE: 0.1,
    K.MAIL_SILENT: 0.5,
}
_KINDS_OF_MAIL = (K.MAIL_STORM, K.MAIL_AWAY, *_SHARES)


def _death(chance: random.Random, at: float, target: str, points: Sequence[Failpoint]) -> Fault:
    kind = chance.choice((K.KILL, K.TERMINATE, K.FREEZE, K.FAILPOINT))
    match kind:
        case K.FREEZE:
            return Fault(at, kind, target, LEASE_SECONDS + chance.uniform(1.0, 4.0))
        case K.FAILPOINT:
            # Not always the first time: by then it is in the middle of something.
            detail = f"{chance.choice(points)}@{chance.randint(1, 5)}"
            return Fault(at, kind, target, chance.uniform(0.5, 3.0), detail=detail)
        case _:
            return Fault(at, kind, target, chance.uniform(0.2, 4.0))


def _web(chance: random.Random, at: float) -> Fault:
    return _death(chance, at, chance.choice(WEBS), _OF_WEB)


def _worker(chance: random.Random, at: float) -> Fault:
    target = chance.choice(WORKERS)
    return _death(chance, at, target, _OF_WORKER + (_OF_SEQUENCER if target in SEQUENCERS else ()))


def _beat(chance: random.Random, at: float) -> Fault:
    return Fault(at, chance.choice((K.KILL, K.TERMINATE)), BEAT, chance.uniform(1.0, 10.0))


def _redis(chance: random.Random, at: float) -> Fault:
    kind = chance.choice((K.FLUSH, K.FLUSH, K.REDIS_RESTART, K.REDIS_KILL, K.REDIS_CUT, K.REDIS_CUT))
    return Fault(at, kind, REDIS, chance.uniform(0.2, 3.0) if kind in {K.REDIS_RESTART, K.REDIS_KILL} else 0.0)


def _postgres(chance: random.Random, at: float) -> Fault:
    kind = chance.choice((K.POSTGRES_FAST, K.POSTGRES_IMMEDIATE, K.POSTGRES_CUT, K.POSTGRES_CUT))
    return Fault(at, kind, POSTGRES, amount=chance.uniform(0.3, 1.0) if kind is K.POSTGRES_CUT else 0.0)


def _mail(chance: random.Random, at: float) -> Fault:
    kind = chance.choice(_KINDS_OF_MAIL)
    return Fault(at, kind, MAIL, chance.uniform(2.0, 6.0), _SHARES.get(kind, 0.0))


def _clock(chance: random.Random, at: float) -> Fault:
    return Fault(at, K.CLOCK, chance.choice(WORKERS), amount=round(chance.uniform(-600.0, 600.0), 1))


_ACTORS: Mapping[str, tuple[float, Actor]] = {
    "web": (18.0, _web),
    "worker": (12.0, _worker),
    "beat": (60.0, _beat),
    "redis": (22.0, _redis),
    "postgresql": (30.0, _postgres),
    "mail": (22.0, _mail),
    "clock": (30.0, _clock),
}
"""Seconds between two faults, on average."""


def plan(seed: int, seconds: float) -> list[Fault]:
    """All faults within so many seconds, in order."""
    found = [fault for name in _ACTORS for fault in _of_actor(name, seed, seconds)]
    return sorted(found, key=lambda fault: fault.at)


def _of_actor(name: str, seed: int, seconds: float) -> Iterator[Fault]:
    chance = random.Random(f"{seed}:{name}")
    usual, act = _ACTORS[name]
    at = chance.uniform(0.0, usual)
    while at < seconds:
        yield act(chance, at)
        at += max(chance.uniform(0.4, 1.6) * usual, _SHORTEST_CALM_SECONDS)
