"""Whether newcomers are let in: past a stated backlog they are asked to come back later.

What waits is counted, and not for how long it waited: a count says at once when more comes in than is worked off, and a
few that wait while the workers are being restarted turn nobody away. Lanes that somebody or a breaker has paused are
left out: what waits there waits for that, and not because there is too much of it.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection

from pipeline.db import clock

FED_LANES = ("validate", "score", "email")
"""Where a newcomer's work waits."""

REOPENS_AT = 0.9
"""Of the bound: so that a door does not open for the one job that was just done."""

SHORTEST_SECONDS, LONGEST_SECONDS, UNKNOWN_SECONDS = 5.0, 300.0, 30.0


class Door(StrEnum):
    """Where submissions come in."""

    API = "api"
    FORM = "form"
    HOOK = "hook"


def count_waiting(connection: Connection, most: int) -> int:
    """How many due jobs nobody has claimed, in lanes that are not paused; counting ends at `most`."""
    now = clock(connection)
    lanes = ", ".join(f"'{lane}'" for lane in FED_LANES)
    statement = (
        f"SELECT count(*) FROM (SELECT 1 FROM job WHERE lane IN ({lanes}) AND due_at <= {now} "  # noqa: S608 - our own names
        f"AND lease_until IS NULL AND NOT EXISTS (SELECT 1 FROM lane_pause WHERE lane_pause.lane = job.lane "
        f"AND (lane_pause.until IS NULL OR lane_pause.until > {now})) LIMIT {int(most)}) AS waiting"
    )
    return int(connection.exec_driver_sql(statement).scalar_one())


@dataclass(slots=True)
class _Bound:
    """So much is let wait; and whether the doors that keep to it are shut."""

    jobs: int
    shut: bool = False

    def look(self, waiting: int) -> None:
        self.shut = waiting >= (self.jobs * REOPENS_AT if self.shut else self.jobs)


@dataclass(slots=True)
class Admission:
    """The rule. `see` is told how much waits, again and again; before the first time everybody is let in.

    Webhooks keep to a bound of their own, far higher: a vendor may switch off one that is refused too often.
    """

    most: int
    most_for_hooks: int
    chance: Callable[[], float] = random.random
    _waiting: int = 0
    _seen_at: float | None = None
    _drained_per_second: float = 0.0
    _bound: _Bound = field(init=False)
    _hook_bound: _Bound = field(init=False)

    def __post_init__(self) -> None:
        self._bound = _Bound(self.most)
        self._hook_bound = _Bound(max(self.most, self.most_for_hooks))

    @property
    def counts_to(self) -> int:
        """More than this makes no difference."""
        return self._hook_bound.jobs

    def see(self, waiting: int, at: float) -> None:
        """So many jobs wait, at this time in seconds of a clock that is not set."""
        if self._seen_at is not None and at > self._seen_at:
            self._drained_per_second = max(0.0, (self._waiting - waiting) / (at - self._seen_at))
        self._waiting, self._seen_at = waiting, at
        self._bound.look(waiting)
        self._hook_bound.look(waiting)

    def refusal(self, door: Door) -> int | None:
        """None: come in. Else after how many seconds to come back: when there should be room, and not all at once."""
        bound = self._hook_bound if door is Door.HOOK else self._bound
        if not bound.shut:
            return None
        too_many = max(0.0, self._waiting - bound.jobs * REOPENS_AT)
        seconds = too_many / self._drained_per_second if self._drained_per_second else UNKNOWN_SECONDS
        return math.ceil(min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS) * (1 + self.chance()))
