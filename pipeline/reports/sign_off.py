"""Sign-offs of periods, and the periods without one (45 CFR 164.308(a)(1)(ii)(D): records are reviewed regularly)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select
from uuid_utils.compat import uuid7

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.models import ActivityReview, AuditEvent
from pipeline.reports.document import Report
from pipeline.reports.period import Period
from pipeline.unit_of_work import begin


class Finding(StrEnum):
    """What a reviewer found."""

    NOTHING_UNUSUAL = "nothing_unusual"
    FOLLOWED_UP = "followed_up"


class FollowUp(StrEnum):
    """What was done about what a reviewer found. A code, since a record stays for ever and words may tell a fact."""

    ASKED = "asked"  # whoever did it, who had a good reason
    ACCESS_CHANGED = "access_changed"  # an account, a role or a key
    MENDED = "mended"  # a fault of the software or of its settings
    PRACTICE_CHANGED = "practice_changed"  # how people work, or what they are taught
    INCIDENT_OPENED = "incident_opened"  # 45 CFR 164.308(a)(6); what comes of it is kept elsewhere


class NotOver(ValueError):
    """The period is not over yet: more may happen in it than the reviewer saw."""


@dataclass(frozen=True, slots=True)
class SignOff:
    """That somebody reviewed a period, and of which report: by the SHA-256 of its JSON file."""

    period: Period
    reviewer: str
    finding: Finding
    digest: str
    signed_at: dt.datetime


def sign_off(
    database: Database, keys: Keys, reviewer: Actor, report: Report, finding: Finding, follow_up: FollowUp | None
) -> None:
    """Store that this very report was reviewed, on record. Raises `NotOver`.

    `follow_up` goes with `FOLLOWED_UP`, and with nothing else. Raises `ValueError`.
    """
    if (finding is Finding.FOLLOWED_UP) != (follow_up is not None):
        raise ValueError("followed_up, and nothing else, names what was done")
    period = report.head.period
    if period.end > report.head.made_at:
        raise NotOver("the period is not over yet")
    with begin(database, keys, reviewer) as unit:
        unit.insert(
            ActivityReview.table(),
            id=uuid7(),
            period_start=period.start,
            period_end=period.end,
            reviewer=str(reviewer),
            finding=finding.value,
            report_digest=report.digest,
            signed_at=unit.now,
        )
        details = {
            Detail.PERIOD_START: period.start.isoformat(),
            Detail.PERIOD_END: period.end.isoformat(),
            Detail.FINDING: finding.value,
            Detail.DIGEST: report.digest,
        }
        unit.record(None, Action.ACTIVITY_REVIEWED, details, reason=follow_up.value if follow_up else None)


def read_sign_offs(connection: Connection) -> list[SignOff]:
    """All of them, by period and then in the order they were made."""
    rows = connection.execute(
        select(ActivityReview.table()).order_by(
            ActivityReview.period_start, ActivityReview.period_end, ActivityReview.id
        )
    )
    return [
        SignOff(
            Period(row.period_start, row.period_end),
            row.reviewer,
            Finding(row.finding),
            row.report_digest,
            row.signed_at,
        )
        for row in rows
    ]


def first_record_at(connection: Connection) -> dt.datetime | None:
    """When the audit record begins, as far as it is still in the database."""
    found: dt.datetime | None = connection.execute(
        select(AuditEvent.occurred_at).order_by(AuditEvent.id).limit(1)
    ).scalar()
    return found


def gaps(signed: Iterable[Period], since: dt.datetime, until: dt.datetime) -> Sequence[Period]:
    """What no signed period covers, from `since` until `until`."""
    found: list[Period] = []
    reached = since
    for period in sorted(signed, key=lambda each: each.start):
        if period.start >= until:
            break
        if period.start > reached:
            found.append(Period(reached, period.start))
        reached = max(reached, period.end)
    if reached < until:
        found.append(Period(reached, until))
    return found
