"""Requests whose person cannot be written to: the address is suppressed for mail that people must know of.

Such an address is no dead letter, since sending again would not help: somebody has to reach the person another way, or
correct the address. Read from the suppression list's side, and each address by index: how many requests there are in
all does not matter. An email turned away for a passing reason puts no address on the list, and is not told here.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from pipeline.email.kinds import MailClass
from pipeline.models import PersonIndex, Submission, Suppression
from pipeline.status import SubmissionStatus
from pipeline.suppression import Reason

DAYS = 30
"""Requests that are older are left out: what was to be said has been said, or is of no use any more."""

_OVER = (SubmissionStatus.WITHDRAWN, SubmissionStatus.DUPLICATE)
"""Withdrawn: there is nothing more to say. Joined to another: that one is told."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """One request. `reason` is the one that stands longest, `since` when."""

    reference: str
    status: SubmissionStatus
    received_at: dt.datetime
    reason: Reason
    since: dt.datetime


def count_unreachable(connection: Connection, now: dt.datetime) -> int:
    """How many requests of the last `DAYS` days."""
    wanted = _joined(select(func.count(PersonIndex.submission_id.distinct())), now)
    number: int = connection.execute(wanted).scalar_one()
    return number


def list_unreachable(connection: Connection, now: dt.datetime, *, limit: int) -> list[Unreachable]:
    """Each of them once, the latest first."""
    columns = select(
        Submission.reference,
        Submission.status,
        PersonIndex.received_at,
        Suppression.reason,
        Suppression.since,
    )
    rows = _joined(columns, now).order_by(
        PersonIndex.received_at.desc(), PersonIndex.submission_id, Suppression.since, Suppression.reason
    )
    found: dict[str, Unreachable] = {}
    for row in connection.execute(rows.limit(limit * len(Reason))):
        each = Unreachable(row.reference, SubmissionStatus(row.status), row.received_at, Reason(row.reason), row.since)
        found.setdefault(each.reference, each)
    return list(found.values())[:limit]


def _joined(columns: Select[*tuple[Any, ...]], now: dt.datetime) -> Select[*tuple[Any, ...]]:
    recent = PersonIndex.received_at > now - dt.timedelta(days=DAYS)
    return (
        columns.select_from(Suppression)
        .join(PersonIndex, and_(PersonIndex.email == Suppression.address_index, recent))
        .join(Submission, Submission.id == PersonIndex.submission_id)
        .where(
            Suppression.mail_class == MailClass.TRANSACTIONAL.value,
            Submission.status.not_in([status.value for status in _OVER]),
        )
    )
