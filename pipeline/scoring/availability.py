"""Whether a provider takes referrals at a moment, by its own time zone: switched off, out of date, or not open now."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from config.availability import ClockTime, OpeningHours, Weekday
from config.providers import ProviderDocument

_WEEKDAYS = tuple(Weekday)
_LOOK_AHEAD_DAYS = 3660


class Closed(StrEnum):
    """Why a provider is matched with nobody, until it is published anew."""

    PAUSED = "paused"
    CREDENTIAL_EXPIRED = "credential_expired"


def closed(document: ProviderDocument, at: datetime) -> Closed | None:
    """Why the provider is matched with nobody at this moment; `None` if it is matched."""
    if document.availability.paused:
        return Closed.PAUSED
    end = credentials_end(document)
    return Closed.CREDENTIAL_EXPIRED if end is not None and end <= at else None


def credentials_end(document: ProviderDocument) -> datetime | None:
    """The moment from which a credential has expired: the end of its last day where the provider is.

    One that is said to last until the year 9999 never does.
    """
    last_day = min((credential.expires_on for credential in document.credentials), default=date.max)
    if last_day.year == date.max.year:
        return None
    return _local(last_day + timedelta(days=1), "00:00", ZoneInfo(document.time_zone))


def opens_at(document: ProviderDocument, at: datetime) -> datetime | None:
    """When the provider next takes referrals, by its hours and absences; `None` if it does at this moment.

    A provider that is not open in the ten years to come is looked at again after them.
    """
    if not document.availability.hours and not document.availability.absences:
        return None
    zone = ZoneInfo(document.time_zone)
    for day in _days(at.astimezone(zone).date()):
        for opens, closes in _open_spans(document, day, zone):
            if at < closes:
                return None if opens <= at else opens
    return at + timedelta(days=_LOOK_AHEAD_DAYS)


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range(_LOOK_AHEAD_DAYS))


def _open_spans(document: ProviderDocument, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """When the provider is open on a day, the earliest first."""
    availability = document.availability
    if any(absence.first_day <= day <= absence.last_day for absence in availability.absences):
        return []
    hours = availability.hours or (OpeningHours(days=_WEEKDAYS),)
    weekday = _WEEKDAYS[day.weekday()]
    spans = [(_local(day, each.opens, zone), _local(day, each.closes, zone)) for each in hours if weekday in each.days]
    # A span that the clocks jump over altogether would end before it begins.
    return sorted((opens, closes) for opens, closes in spans if opens < closes)


def _local(day: date, clock_time: ClockTime, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a moment (UTC). One that the clocks jump over is as much later as they jump."""
    if clock_time == "24:00":
        day, clock_time = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock_time), zone).astimezone(UTC)
