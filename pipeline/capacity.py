"""Providers' capacity: how much of it is taken, each by its own calendar, and how providers stand among equals.

Whoever makes or ends referrals first locks the loads of all the providers it may need, in id order, until its commit:
two workers cannot overfill a provider, nor wait for each other for ever.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from config.providers import Capacity, ProviderDocument
from pipeline import bulk
from pipeline.models import ProviderLoad
from pipeline.scoring.rank import Standing

_TICK = dt.timedelta(microseconds=1)
_COLUMN_TYPES = {
    "provider_id": "text",
    "open_referrals": "integer",
    "day": "text",
    "day_referrals": "integer",
    "week": "text",
    "week_referrals": "integer",
    "month": "text",
    "month_referrals": "integer",
    "last_offered_at": "timestamptz",
}


class Room:
    """The capacity of some providers, locked until the commit. Times are those of the transaction, aware."""

    def __init__(self, connection: Connection, provider_ids: Iterable[str]) -> None:
        self._connection = connection
        self._loads = _lock_loads(connection, provider_ids)
        self._changed: set[str] = set()
        offered = (load.last_offered_at for load in self._loads.values() if load.last_offered_at is not None)
        self._last_offered_at = max(offered, default=None)

    def take(self, document: ProviderDocument, now: dt.datetime) -> bool:
        """Take a place at a provider; `False` if it has none."""
        load = self._present(document, now)
        if not load.has_room(document.capacity):
            return False
        self._last_offered_at = self._next_offer(now)
        self._loads[document.id] = load.with_one_more(self._last_offered_at)
        self._changed.add(document.id)
        return True

    def full_until(self, document: ProviderDocument, now: dt.datetime) -> dt.datetime | None:
        """The end of the provider's day, if it has had its most of the day, the week or the month; else `None`.

        After a week or a month that is full it is looked at each day, as its cap may be raised.
        """
        load = self._present(document, now)
        if load.has_new_room(document.capacity):
            return None
        tomorrow = dt.date.fromisoformat(load.day.period) + dt.timedelta(days=1)
        return dt.datetime.combine(tomorrow, dt.time(), ZoneInfo(document.time_zone)).astimezone(dt.UTC)

    def give_back(self, provider_id: str) -> None:
        """An offer was answered: its place is free. It still counts as one of the day, the week and the month."""
        load = self._loads[provider_id]
        self._loads[provider_id] = replace(load, open_referrals=load.open_referrals - 1)
        self._changed.add(provider_id)

    def standing(self, document: ProviderDocument, now: dt.datetime) -> Standing:
        """How the provider stands among equals, with what was taken here before."""
        return _standing(self._present(document, now), document.capacity, self._next_offer(now))

    def save(self) -> None:
        """Write what changed."""
        _write_loads(self._connection, {provider_id: self._loads[provider_id] for provider_id in self._changed})
        self._changed.clear()

    def _present(self, document: ProviderDocument, now: dt.datetime) -> "_Load":
        return self._loads[document.id].on(calendar_at(document.time_zone, now))

    def _next_offer(self, now: dt.datetime) -> dt.datetime:
        # The offers of one transaction have one `now`, and workers' clocks differ. Whoever was offered later has to
        # count as having waited less all the same, or a whole batch would go to the first of equals.
        return now if self._last_offered_at is None else max(now, self._last_offered_at + _TICK)


def read_standings(
    connection: Connection, documents: Iterable[ProviderDocument], now: dt.datetime
) -> dict[str, Standing]:
    """How providers stand among equals, by id. One that is left out has had no referral and has no target."""
    rows = {row.provider_id: row for row in connection.execute(select(ProviderLoad.table()))}
    found: dict[str, Standing] = {}
    for document in documents:
        row, target = rows.get(document.id), document.capacity.target_per_month
        if row is not None:
            load = _read_load(row).on(calendar_at(document.time_zone, now))
            found[document.id] = _standing(load, document.capacity, now)
        elif target is not None:
            found[document.id] = Standing(target_per_month=target)
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """How many new referrals a provider had in one period of its calendar: `2026-11-22`, `2026-W47` or `2026-11`."""

    period: str
    referrals: int

    def at(self, present: str) -> "Tally":
        """The same, or nothing yet if a later period has begun.

        For a worker whose clock is behind, the period that another has begun goes on: beginning the earlier one anew
        would forget what was counted. (These forms sort by time.)
        """
        return Tally(present, 0) if present > self.period else self

    def with_one_more(self) -> "Tally":
        return Tally(self.period, self.referrals + 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A day, ISO week and month: `2026-11-22`, `2026-W47`, `2026-11`."""

    day: str
    week: str
    month: str


@lru_cache(maxsize=1024)
def calendar_at(time_zone: str, now: dt.datetime) -> Calendar:
    """The day, week and month of a moment in a time zone."""
    today = now.astimezone(ZoneInfo(time_zone)).date()
    year, week, _ = today.isocalendar()
    return Calendar(today.isoformat(), f"{year}-W{week:02}", f"{today:%Y-%m}")


@dataclass(frozen=True, slots=True)
class _Load:
    open_referrals: int
    day: Tally
    week: Tally
    month: Tally
    last_offered_at: dt.datetime | None

    def on(self, calendar: Calendar) -> "_Load":
        day, week, month = self.day.at(calendar.day), self.week.at(calendar.week), self.month.at(calendar.month)
        if day is self.day and week is self.week and month is self.month:
            return self
        return replace(self, day=day, week=week, month=month)

    def has_room(self, capacity: Capacity) -> bool:
        return self.open_referrals < capacity.max_open and self.has_new_room(capacity)

    def has_new_room(self, capacity: Capacity) -> bool:
        return (
            self.day.referrals < capacity.max_per_day
            and (capacity.max_per_week is None or self.week.referrals < capacity.max_per_week)
            and (capacity.max_per_month is None or self.month.referrals < capacity.max_per_month)
        )

    def with_one_more(self, offered_at: dt.datetime) -> "_Load":
        return _Load(
            self.open_referrals + 1,
            self.day.with_one_more(),
            self.week.with_one_more(),
            self.month.with_one_more(),
            offered_at,
        )


def _standing(load: _Load, capacity: Capacity, latest: dt.datetime) -> Standing:
    # Whoever is full does not wait for a referral, and counts as if it had just had one. Else those that have been full
    # for long would come first, and where many are equal, the matches that are kept would be of nobody else.
    since = load.last_offered_at if load.has_room(capacity) else latest
    return Standing(since, load.month.referrals, capacity.target_per_month)


def _lock_loads(connection: Connection, provider_ids: Iterable[str]) -> dict[str, _Load]:
    """Lock the load rows, making those that are missing. The upsert locks row by row in the order given: by id."""
    rows = bulk.fetch(
        connection,
        "INSERT INTO provider_load (provider_id, open_referrals, day, day_referrals) "
        "SELECT v.provider_id, 0, '', 0 FROM v WHERE true "
        "ON CONFLICT (provider_id) DO UPDATE SET open_referrals = provider_load.open_referrals RETURNING provider_id",
        {"provider_id": "text"},
        [(provider_id,) for provider_id in sorted(set(provider_ids))],
    )
    wanted = bulk.is_among(connection, ProviderLoad.provider_id, [row[0] for row in rows])
    locked = select(ProviderLoad.table()).where(wanted)
    return {row.provider_id: _read_load(row) for row in connection.execute(locked)}


def _read_load(row: Row[Any]) -> _Load:
    return _Load(
        row.open_referrals,
        Tally(row.day, row.day_referrals),
        Tally(row.week, row.week_referrals),
        Tally(row.month, row.month_referrals),
        row.last_offered_at,
    )


def _write_loads(connection: Connection, loads: dict[str, _Load]) -> None:
    bulk.execute(
        connection,
        "UPDATE provider_load SET open_referrals = v.open_referrals, day = v.day, day_referrals = v.day_referrals, "
        "week = v.week, week_referrals = v.week_referrals, month = v.month, month_referrals = v.month_referrals, "
        "last_offered_at = v.last_offered_at FROM v WHERE provider_load.provider_id = v.provider_id",
        _COLUMN_TYPES,
        [
            (
                provider_id,
                load.open_referrals,
                load.day.period,
                load.day.referrals,
                load.week.period,
                load.week.referrals,
                load.month.period,
                load.month.referrals,
                load.last_offered_at,
            )
            for provider_id, load in loads.items()
        ],
    )
