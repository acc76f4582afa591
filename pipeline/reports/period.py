"""A period, and the range of audit record ids that holds it.

Ids of audit records are UUIDs of version 7 (RFC 9562, section 5.7): their first 48 bits are the milliseconds since
1970 at which the record was written. So a period is a range of the primary key, and no other index is needed.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

SKEW = dt.timedelta(hours=1)
"""How far the time in an id and `occurred_at` may lie apart: a transaction takes its time before it is written, and
clocks of several machines differ."""

YEARS_KEPT = 6
"""How far back an accounting of disclosures reaches (45 CFR 164.528(a)(1))."""

_TIMESTAMP_SHIFT = 80
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until just before `end`, both aware. Raises `ValueError` if it does not begin before its end."""

    start: dt.datetime
    end: dt.datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError("a period begins before its end")

    def holds(self, at: dt.datetime) -> bool:
        return self.start <= at < self.end

    @property
    def first_id(self) -> uuid.UUID:
        """No record of the period has a lower id."""
        return _lowest_id(self.start - SKEW)

    @property
    def end_id(self) -> uuid.UUID:
        """Every record of the period has a lower id."""
        return _lowest_id(self.end + SKEW + _MILLISECOND)


def years_until(end: dt.datetime, years: int = YEARS_KEPT) -> Period:
    """The years before `end`; from the 29th of February, since the 28th."""
    try:
        start = end.replace(year=end.year - years)
    except ValueError:
        start = end.replace(year=end.year - years, day=28)
    return Period(start, end)


def _lowest_id(at: dt.datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, (at - _EPOCH) // _MILLISECOND) << _TIMESTAMP_SHIFT)
