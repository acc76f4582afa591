"""That a report is made goes on record before anything is read for it, in a transaction of its own."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import DetailValue
from pipeline.db import Database, utc_now
from pipeline.keys import Keys
from pipeline.models import Submission
from pipeline.reports.document import Head
from pipeline.reports.period import Period
from pipeline.reports.records import SUBMISSIONS_AT_A_TIME, archived_before
from pipeline.unit_of_work import begin


@dataclass(frozen=True, slots=True)
class Making:
    """By whom, when and of which period a report is made. Only `begin_report` makes one: it is on record."""

    name: str
    made_by: str
    made_at: dt.datetime
    period: Period

    def head(self, title: str, basis: str, about: Collection[str] = ()) -> Head:
        return Head(self.name, title, basis, tuple(about), self.period, self.made_by, self.made_at)


def begin_report(
    database: Database,
    keys: Keys,
    actor: Actor,
    name: str,
    period: Period,
    *,
    submissions: Collection[uuid.UUID] = (),
    subject: str | None = None,
) -> Making:
    """Put on record that a report is made, with each submission that it is about, and commit.

    Without any it is a record about no submission; `subject` says what else it is narrowed to, such as an actor.
    """
    details: dict[Detail, DetailValue] = {
        Detail.REPORT: name,
        Detail.PERIOD_START: period.start.isoformat(),
        Detail.PERIOD_END: period.end.isoformat(),
    }
    if subject is not None:
        details[Detail.SUBJECT] = subject
    with begin(database, keys, actor) as unit:
        unit.lock(submissions)
        for submission_id in (*submissions,) or (None,):
            unit.record(submission_id, Action.REPORT_MADE, details)
    return Making(name, str(actor), utc_now(), period)


def references(connection: Connection, submission_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """The short codes of submissions, in the order received."""
    wanted = sorted(submission_ids)
    found: list[Any] = []
    for start in range(0, len(wanted), SUBMISSIONS_AT_A_TIME):
        some = wanted[start : start + SUBMISSIONS_AT_A_TIME]
        found += connection.execute(
            select(Submission.id, Submission.reference, Submission.received_at).where(Submission.id.in_(some))
        )
    return {row.id: row.reference for row in sorted(found, key=lambda row: (row.received_at, row.id))}


def about_archives(connection: Connection, period: Period) -> tuple[str, ...]:
    """A note if part of the period was moved to archive files."""
    before = archived_before(connection)
    if before is None or before <= period.start:
        return ()
    return (f"Records before {before:%Y-%m-%d} may be in archive files alone: what they say is not in this report.",)
