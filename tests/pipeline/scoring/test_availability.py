"""When a provider takes referrals, by its own clock: pauses, credentials, hours, absences, changes of clocks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.availability import Weekday
from config.providers import ProviderDocument
from pipeline.scoring.availability import Closed, closed, opens_at
from tests.pipeline.scoring.network_files import program, provider

ANYBODY = program([{"question": "severity", "at_least": 0}])


def clinic(
    time_zone: str = "America/Denver", credentials: list[str] | None = None, **availability: Any
) -> ProviderDocument:
    licences = [{"name": "Licence", "number": "L-1", "expires_on": day} for day in credentials or []]
    return provider(ANYBODY, time_zone=time_zone, credentials=licences, availability=availability)


def moment(text: str, time_zone: str = "America/Denver") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


NOON = moment("2026-11-22T12:00")


def test_a_paused_provider_is_closed_at_any_time() -> None:
    assert closed(clinic(), NOON) is None
    assert closed(clinic(paused=True), NOON) is Closed.PAUSED
    assert closed(clinic(paused=True, credentials=["2020-01-01"]), NOON) is Closed.PAUSED


@pytest.mark.parametrize("time_zone", ["America/Denver", "Asia/Kolkata", "Pacific/Kiritimati", "UTC", "America/Havana"])
def test_a_credential_expires_at_the_end_of_its_last_day_where_the_provider_is(time_zone: str) -> None:
    document = clinic(time_zone, credentials=["2026-11-22"])
    midnight = moment("2026-11-23T00:00", time_zone)
    assert closed(document, midnight - timedelta(microseconds=1)) is None
    assert closed(document, midnight) is Closed.CREDENTIAL_EXPIRED
    assert closed(document, midnight + timedelta(days=400)) is Closed.CREDENTIAL_EXPIRED
    assert closed(document, moment("2026-11-22T23:59", time_zone).astimezone(ZoneInfo("Asia/Tokyo"))) is None


def test_the_first_credential_to_expire_counts() -> None:
    document = clinic(credentials=["2030-01-01", "2026-11-21", "2028-01-01"])
    assert closed(document, moment("2026-11-21T23:59")) is None
    assert closed(document, moment("2026-11-22T00:00")) is Closed.CREDENTIAL_EXPIRED


def test_a_credential_without_end_may_be_written_as_the_last_day_there_is() -> None:
    assert closed(clinic(credentials=["9999-12-31"]), NOON) is None
    assert closed(clinic("Pacific/Kiritimati", credentials=["9999-12-31"]), NOON) is None


def test_hours_and_absences_do_not_close_and_pauses_do_not_shift_hours() -> None:
    away = [{"first_day": "2026-11-01", "last_day": "2026-11-30"}]
    assert closed(clinic(absences=away), NOON) is None
    assert opens_at(clinic(paused=True), NOON) is None


WEEKDAYS = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "08:00", "closes": "17:00"}
SATURDAY = {"days": ["sat"], "opens": "09:30", "closes": "12:00"}
LATE = {"days": ["fri"], "opens": "22:00", "closes": "24:00"}
EARLY = {"days": ["sat"], "opens": "00:00", "closes": "02:00"}
THANKSGIVING = {"first_day": "2026-11-26", "last_day": "2026-11-27"}


@pytest.mark.parametrize(
    ("hours", "absences", "at", "opens"),  # local times; 2026-11-22 is a Sunday
    [
        ([], [], "2026-11-22T03:00", None),
        ([], [THANKSGIVING], "2026-11-25T23:59", None),
        ([], [THANKSGIVING], "2026-11-26T00:00", "2026-11-28T00:00"),
        ([], [THANKSGIVING], "2026-11-27T23:59", "2026-11-28T00:00"),
        ([], [THANKSGIVING], "2026-11-28T00:00", None),
        ([WEEKDAYS], [], "2026-11-22T12:00", "2026-11-23T08:00"),
        ([WEEKDAYS], [], "2026-11-23T07:59", "2026-11-23T08:00"),
        ([WEEKDAYS], [], "2026-11-23T08:00", None),
        ([WEEKDAYS], [], "2026-11-23T16:59", None),
        ([WEEKDAYS], [], "2026-11-23T17:00", "2026-11-24T08:00"),
        ([WEEKDAYS], [], "2026-11-20T17:00", "2026-11-23T08:00"),
        ([WEEKDAYS, SATURDAY], [], "2026-11-20T17:00", "2026-11-21T09:30"),
        ([SATURDAY, WEEKDAYS], [], "2026-11-21T12:00", "2026-11-23T08:00"),
        ([WEEKDAYS], [THANKSGIVING], "2026-11-25T17:00", "2026-11-30T08:00"),
        ([WEEKDAYS], [THANKSGIVING], "2026-11-26T09:00", "2026-11-30T08:00"),
        ([LATE, EARLY], [], "2026-11-20T22:00", None),
        ([LATE, EARLY], [], "2026-11-20T23:59", None),
        ([LATE, EARLY], [], "2026-11-21T00:00", None),
        ([LATE, EARLY], [], "2026-11-21T02:00", "2026-11-27T22:00"),
        ([LATE], [], "2026-11-21T00:00", "2026-11-27T22:00"),  # 24:00 is the end of the day
        ([EARLY | {"closes": "09:45"}, SATURDAY], [], "2026-11-21T09:50", None),  # overlapping spans
        ([SATURDAY, SATURDAY | {"closes": "10:00"}], [], "2026-11-21T11:00", None),
        ([SATURDAY, SATURDAY | {"opens": "13:00", "closes": "14:00"}], [], "2026-11-21T12:30", "2026-11-21T13:00"),
        ([{"days": ["sun"]}], [], "2026-11-22T00:00", None),
        ([{"days": ["sun"]}], [], "2026-11-22T23:59", None),
        ([{"days": ["sun"]}], [], "2026-11-23T00:00", "2026-11-29T00:00"),
    ],
)
def test_next_open_moment(
    hours: list[dict[str, Any]], absences: list[dict[str, str]], at: str, opens: str | None
) -> None:
    found = opens_at(clinic(hours=hours, absences=absences), moment(at))
    assert found == (None if opens is None else moment(opens))


def test_the_providers_clock_counts_not_the_askers() -> None:
    kolkata = clinic("Asia/Kolkata", hours=[WEEKDAYS])
    monday_morning = moment("2026-11-23T08:00", "Asia/Kolkata")  # still Sunday in Denver
    assert opens_at(kolkata, monday_morning.astimezone(ZoneInfo("America/Denver"))) is None
    assert opens_at(kolkata, monday_morning - timedelta(minutes=1)) == monday_morning
    assert opens_at(clinic(hours=[WEEKDAYS]), monday_morning) == moment("2026-11-23T08:00")


@pytest.mark.parametrize(
    ("opens", "closes", "at", "expected"),
    [
        # Denver, 8 March 2026: 02:00 becomes 03:00 (09:00 UTC).
        ("08:00", "17:00", "2026-03-08T13:59+00:00", "2026-03-08T14:00+00:00"),  # 08:00 is an hour earlier than before
        ("08:00", "17:00", "2026-03-08T14:00+00:00", None),
        ("01:00", "04:00", "2026-03-08T07:59+00:00", "2026-03-08T08:00+00:00"),
        ("01:00", "04:00", "2026-03-08T09:59+00:00", None),
        ("01:00", "04:00", "2026-03-08T10:00+00:00", "2026-03-15T07:00+00:00"),
        ("00:00", "24:00", "2026-03-08T09:00+00:00", None),
        ("02:15", "02:45", "2026-03-08T08:59+00:00", "2026-03-08T09:15+00:00"),  # as much later as the clocks jump
        ("02:30", "03:15", "2026-03-08T08:05+00:00", "2026-03-15T08:30+00:00"),  # the clocks jump over its 45 minutes
        # Denver, 1 November 2026: 02:00 becomes 01:00 (08:00 UTC).
        ("08:00", "17:00", "2026-11-01T14:59+00:00", "2026-11-01T15:00+00:00"),
        ("00:00", "03:00", "2026-11-01T09:59+00:00", None),  # four hours long
        ("00:00", "03:00", "2026-11-01T10:00+00:00", "2026-11-08T07:00+00:00"),
        ("00:00", "24:00", "2026-11-02T06:59+00:00", None),
    ],
)
def test_on_days_when_the_clocks_change(opens: str, closes: str, at: str, expected: str | None) -> None:
    sundays = clinic(hours=[{"days": ["sun"], "opens": opens, "closes": closes}])
    found = opens_at(sundays, datetime.fromisoformat(at))
    assert found == (None if expected is None else datetime.fromisoformat(expected))


def test_what_is_open_around_the_clock_stays_open_when_the_clocks_change() -> None:
    for zone in ("America/Denver", "America/Havana", "Africa/Cairo", "America/Santiago", "Australia/Lord_Howe"):
        every_day = clinic(zone, hours=[{"days": [day.value for day in Weekday]}])
        for quarters in range(0, 4 * 24 * 366, 3):
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarters)
            assert opens_at(every_day, at) is None, (zone, at)


CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 30]))
HOURS = st.builds(
    lambda days, times: {"days": sorted(days), "opens": min(times), "closes": max(times)},
    st.sets(st.sampled_from([day.value for day in Weekday]), min_size=1),
    st.lists(CLOCK | st.just("24:00"), min_size=2, max_size=2, unique=True),
)
ABSENCES = st.builds(
    lambda first, days: {
        "first_day": (date(2026, 1, 1) + timedelta(days=first)).isoformat(),
        "last_day": (date(2026, 1, 1) + timedelta(days=first + days)).isoformat(),
    },
    st.integers(0, 364),
    st.integers(0, 20),
)
ZONES = st.sampled_from(
    [
        "America/Denver",
        "Asia/Kolkata",
        "UTC",
        "Pacific/Kiritimati",
        "Australia/Lord_Howe",
        "America/Havana",
        "Africa/Cairo",
    ]
)
CLINICS = st.builds(
    lambda zone, hours, absences: clinic(zone, hours=hours, absences=absences),
    ZONES, st.lists(HOURS, max_size=3), st.lists(ABSENCES, max_size=2),
)  # fmt: skip
HALF_HOURS = st.integers(0, 2 * 24 * 365).map(
    lambda halves: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * halves)
)


def reads_open(document: ProviderDocument, at: datetime) -> bool:
    """What somebody would say who reads the opening hours and a clock on the wall."""
    here = at.astimezone(ZoneInfo(document.time_zone))
    if any(absence.first_day <= here.date() <= absence.last_day for absence in document.availability.absences):
        return False
    day, clock = list(Weekday)[here.weekday()], f"{here:%H:%M}"
    hours = document.availability.hours
    return not hours or any(day in each.days and each.opens <= clock < each.closes for each in hours)


def clocks_change(document: ProviderDocument, at: datetime) -> bool:
    zone = ZoneInfo(document.time_zone)
    around = [(at + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-26, 26)]
    return around[0] != around[1]


@given(CLINICS, HALF_HOURS)
def test_open_is_what_the_clock_on_the_wall_says(document: ProviderDocument, at: datetime) -> None:
    assume(not clocks_change(document, at))
    assert (opens_at(document, at) is None) is reads_open(document, at)


@given(CLINICS, HALF_HOURS)
def test_it_opens_at_the_next_open_moment(document: ProviderDocument, at: datetime) -> None:
    opens = opens_at(document, at)
    if opens is None:
        return
    assert opens.tzinfo is not None
    assert opens > at
    assert opens_at(document, opens) is None
    for halves in range(min(int((opens - at) / timedelta(minutes=30)) + 1, 500)):
        between = at + timedelta(minutes=30 * halves)
        if between < opens:
            assert opens_at(document, between) == opens
    if not clocks_change(document, opens):
        assert reads_open(document, opens)


def test_a_provider_away_for_ever_is_looked_at_again() -> None:
    away = clinic(absences=[{"first_day": "2020-01-01", "last_day": "9999-12-31"}])
    again = opens_at(away, NOON)
    assert again is not None
    assert again > NOON + timedelta(days=3650)
