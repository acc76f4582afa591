"""What privacy asks people to see to: what a restored backup brought back, what waits unread for too long, holds."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from config.settings import Settings
from pipeline.erasure import journal
from pipeline.models import LegalHold
from pipeline.operations.checks import Check, Outcome
from pipeline.operations.opening import open_database
from pipeline.retention_classes import count_last_days_in_quarantine
from pipeline.schema import SchemaProblem

_NAME = "erasures"


@dataclass(frozen=True, slots=True)
class PrivacyReport:
    """How it stands.

    returned    submissions that were erased and have a key again; None if the erasures file cannot be read
    last_days   submissions in quarantine that will be erased soon, unless somebody sees to them
    held        submissions under a legal hold
    """

    returned: int | None
    last_days: int
    held: int


def read_privacy(connection: Connection, settings: Settings, now: dt.datetime) -> PrivacyReport:
    """The report: quick, since it reads small tables and keys by their ids."""
    try:
        returned = journal.glance(connection, settings.effective_erasure_file).returned
    except journal.CannotBeRead:
        returned = None
    held = connection.execute(select(func.count(LegalHold.submission_id.distinct()))).scalar_one()
    return PrivacyReport(returned, count_last_days_in_quarantine(connection, settings, now), held)


def check_erasures(settings: Settings) -> Iterator[Check]:
    """For `doctor`: whether erasures can be written down, have the form of one, and stay erased.

    Whether each line is as it was written is for those who act on it to check: `migrate` and `erase --replay`.
    Without a database there is nothing to say: other checks say so.
    """
    path = settings.effective_erasure_file
    try:
        with open_database(settings) as database, database.read() as connection:
            seen = journal.glance(connection, path)
    except (SchemaProblem, DBAPIError):
        return
    except journal.CannotBeRead as error:
        yield Check(_NAME, Outcome.WARNING, str(error))
        return
    if seen.returned:
        told = f"{seen.returned} erased submissions are back with a restored backup: `careroute erase --replay`"
        yield Check(_NAME, Outcome.FAILED, told)
    elif seen.strange:
        told = (
            f"{path} has {seen.strange} lines that are not as they were written: `careroute erase --replay` says which"
        )
        yield Check(_NAME, Outcome.WARNING, told)
    elif not journal.is_writable(path):
        yield Check(_NAME, Outcome.WARNING, f"{path} cannot be written from here: nothing can be erased")
    else:
        yield Check(_NAME, Outcome.GOOD, f"{seen.named} in {path}")
