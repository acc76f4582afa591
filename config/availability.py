"""When a provider takes referrals: its hours, absences, credentials and a switch, in its own time zone."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from config.criteria import Document

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
"""Local wall-clock time on the 24-hour clock; 24:00 is the end of the day."""


class Weekday(StrEnum):
    """In the order of `datetime.date.weekday`."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class OpeningHours(Document):
    """On these days, from `opens` until just before `closes`."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    opens: ClockTime = "00:00"
    closes: ClockTime = "24:00"

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("expected opens to be before closes, on the same day")
        return self


class Absence(Document):
    """Whole days without new referrals, both included: a vacation, a move."""

    first_day: date
    last_day: date

    @model_validator(mode="after")
    def _first_comes_first(self) -> Self:
        if self.first_day > self.last_day:
            raise ValueError("expected first_day to be no later than last_day")
        return self


class Availability(Document):
    """`paused` stops matching until a new version says otherwise. Without `hours` every hour is open."""

    paused: StrictBool = False
    hours: tuple[OpeningHours, ...] = ()
    absences: tuple[Absence, ...] = ()


class Credential(Document):
    """A licence or accreditation; from the day after `expires_on` the provider is matched with nobody."""

    name: str
    number: str
    expires_on: date
