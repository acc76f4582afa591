import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.providers import ProviderDocument
from pipeline.capacity import Room, read_standings
from pipeline.db import Database
from pipeline.models import ProviderLoad
from pipeline.scoring.rank import Standing
from tests.support.networks import fitting
from tests.support.work import table

SECOND = dt.timedelta(seconds=1)
NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)


def clinic(zone: str = "UTC", **caps: int) -> ProviderDocument:
    return fitting("clinic", time_zone=zone, capacity={"max_open": 99, "max_per_day": 99, **caps})


def take(database: Database, document: ProviderDocument, now: dt.datetime) -> bool:
    with database.write() as connection:
        room = Room(connection, [document.id])
        taken = room.take(document, now)
        room.save()
        return taken


def give_back(database: Database, document: ProviderDocument) -> None:
    with database.write() as connection:
        room = Room(connection, [document.id])
        room.give_back(document.id)
        room.save()


def full_until(database: Database, document: ProviderDocument, now: dt.datetime) -> dt.datetime | None:
    with database.write() as connection:
        return Room(connection, [document.id]).full_until(document, now)


@pytest.mark.parametrize(
    ("cap", "zone", "last", "first"),
    [
        ("max_per_day", "America/Denver", "2026-11-18T23:59:59-07:00", "2026-11-19T00:00:00-07:00"),
        ("max_per_day", "Asia/Kolkata", "2026-11-18T23:59:59+05:30", "2026-11-19T00:00:00+05:30"),
        ("max_per_day", "America/Denver", "2026-11-01T23:59:59-07:00", "2026-11-02T00:00:00-07:00"),  # 25 hours
        ("max_per_day", "America/Denver", "2026-03-08T23:59:59-06:00", "2026-03-09T00:00:00-06:00"),  # 23 hours
        ("max_per_day", "Africa/Cairo", "2026-04-23T23:59:59+02:00", "2026-04-24T01:00:00+03:00"),  # no midnight
        ("max_per_day", "America/Havana", "2026-10-31T23:59:59-04:00", "2026-11-01T00:00:00-04:00"),  # two of them
        ("max_per_week", "America/Denver", "2026-11-22T23:59:59-07:00", "2026-11-23T00:00:00-07:00"),
        ("max_per_week", "Asia/Tokyo", "2027-01-03T23:59:59+09:00", "2027-01-04T00:00:00+09:00"),  # 2026-W53
        ("max_per_month", "America/Denver", "2026-11-30T23:59:59-07:00", "2026-12-01T00:00:00-07:00"),
        ("max_per_month", "Pacific/Auckland", "2026-12-31T23:59:59+13:00", "2027-01-01T00:00:00+13:00"),
    ],
)
def test_a_cap_holds_until_the_next_day_week_or_month_begins_where_the_provider_is(
    database: Database, cap: str, zone: str, last: str, first: str
) -> None:
    document, after = clinic(zone, **{cap: 2}), dt.datetime.fromisoformat(first)
    before = dt.datetime.fromisoformat(last).astimezone(ZoneInfo(zone))
    midnight = before.replace(hour=0, minute=0, second=0)
    assert take(database, document, midnight)
    assert full_until(database, document, before) is None
    assert take(database, document, midnight + SECOND)
    assert not take(database, document, before)
    assert full_until(database, document, before) == after
    assert [take(database, document, after) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("cap", ["max_per_week", "max_per_month"])
def test_a_full_week_or_month_goes_on_after_midnight(database: Database, cap: str) -> None:
    document = clinic("America/Denver", **{cap: 1})
    tuesday = dt.datetime.fromisoformat("2026-11-17T20:00:00-07:00")
    assert take(database, document, tuesday)
    assert not take(database, document, tuesday + dt.timedelta(days=1))
    midnight = dt.datetime.fromisoformat("2026-11-18T00:00:00-07:00")
    assert full_until(database, document, tuesday) == midnight
    assert full_until(database, document, midnight) == midnight + dt.timedelta(days=1)


def test_an_answer_frees_an_open_place_and_none_of_the_day(database: Database) -> None:
    document = clinic(max_open=1, max_per_day=2)
    assert [take(database, document, NOON) for _ in range(2)] == [True, False]
    assert full_until(database, document, NOON) is None  # only open ones are: an answer may come at any time
    give_back(database, document)
    assert take(database, document, NOON)
    give_back(database, document)
    assert not take(database, document, NOON)
    assert full_until(database, document, NOON) == dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
    (load,) = table(database, ProviderLoad.table())
    assert (load.open_referrals, load.day_referrals, load.week_referrals, load.month_referrals) == (0, 2, 2, 2)
    assert (load.day, load.week, load.month) == ("2026-11-18", "2026-W47", "2026-11")


def test_a_clock_that_is_behind_does_not_begin_the_day_before_anew(database: Database) -> None:
    document, midnight = clinic(max_per_day=1), NOON.replace(hour=0)
    assert take(database, document, midnight)
    assert not take(database, document, midnight - SECOND)
    assert not take(database, document, midnight)


def test_standings_count_the_present_month_where_the_provider_is(database: Database) -> None:
    zone, evening = "America/Denver", dt.datetime.fromisoformat("2026-11-30T20:00:00-07:00")
    wishes, plain = clinic(zone), fitting("plain", time_zone=zone)
    wishes = wishes.model_copy(update={"capacity": wishes.capacity.model_copy(update={"target_per_month": 8})})
    new = fitting("new", capacity={"max_open": 1, "max_per_day": 1, "target_per_month": 3})
    assert take(database, wishes, evening - SECOND)
    assert take(database, wishes, evening)
    assert take(database, plain, evening)

    def standings(now: dt.datetime) -> dict[str, Standing]:
        known = [wishes, plain, new, fitting("unheard-of")]
        with database.write() as connection:
            room = Room(connection, [document.id for document in known])
            found = read_standings(connection, known, now)
            assert {document.id: room.standing(document, now) for document in known} == found | {
                "unheard-of": Standing()
            }
        return found

    untouched = {"new": Standing(target_per_month=3)}
    december = evening + dt.timedelta(hours=4)  # it has been December in UTC since 17:00
    assert {name: standings(evening)[name] for name in ("clinic", "plain", "new")} == {
        "clinic": Standing(evening, 2, 8),
        "plain": Standing(evening, 1),
        **untouched,
    }
    assert {name: standings(december)[name] for name in ("clinic", "plain", "new")} == {
        "clinic": Standing(evening, 0, 8),
        "plain": Standing(evening, 0),
        **untouched,
    }


def test_whoever_was_offered_later_has_waited_less_whatever_the_clocks_say(database: Database) -> None:
    documents = [fitting(name) for name in ("a", "b", "c")]
    with database.write() as connection:
        room = Room(connection, [document.id for document in documents])
        for document, late in zip(documents, (0, 0, 5), strict=True):
            assert room.take(document, NOON - late * SECOND)
        room.save()
    with database.read() as connection:
        found = read_standings(connection, documents, NOON)
    assert found["a"].turn < found["b"].turn < found["c"].turn


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "take", "give back", "wait"]), st.integers(0, 40 * 3600)), max_size=60
)
CAPS = st.fixed_dictionaries(
    {"max_open": st.integers(1, 6), "max_per_day": st.integers(1, 4)},
    optional={"max_per_week": st.integers(1, 6), "max_per_month": st.integers(1, 8)},
)
PERIODS: dict[str, Callable[[dt.datetime], Any]] = {
    "max_per_day": lambda local: local.date(),
    "max_per_week": lambda local: local.isocalendar()[:2],
    "max_per_month": lambda local: (local.year, local.month),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(["America/Denver", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia"]),
    start=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 12, 31), timezones=st.just(dt.UTC)),  # noqa: DTZ001 - the zone is beside it
    caps=CAPS,
    steps=STEPS,
)
def test_whatever_happens_no_cap_is_passed_and_no_place_is_refused_that_is_there(
    sqlite_database: Database, zone: str, start: dt.datetime, caps: dict[str, int], steps: Sequence[Step]
) -> None:
    document, local = fitting("clinic", time_zone=zone, capacity=caps), ZoneInfo(zone)
    taken: dict[str, Counter[Any]] = {cap: Counter() for cap in PERIODS}
    opened, now = 0, start
    with sqlite_database.write() as connection:
        connection.execute(ProviderLoad.table().delete())
        for step, seconds in steps:
            room = Room(connection, ["clinic"])
            if step == "wait":
                now += dt.timedelta(seconds=seconds)
            elif step == "give back" and opened:
                room.give_back("clinic")
                opened -= 1
            elif step == "take":
                present = {cap: period(now.astimezone(local)) for cap, period in PERIODS.items()}
                calendar = all(taken[cap][present[cap]] < caps.get(cap, 99) for cap in PERIODS)
                assert (room.full_until(document, now) is None) == calendar
                assert room.take(document, now) == (calendar and opened < caps["max_open"])
                if calendar and opened < caps["max_open"]:
                    opened += 1
                    for cap, period in present.items():
                        taken[cap][period] += 1
            room.save()
