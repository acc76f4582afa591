"""Audit records for reports: read page by page, so that a report over millions of them holds only what it shows."""

import datetime as dt
import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import DetailValue, canonical_json
from pipeline.models import AuditArchive, AuditEvent
from pipeline.reports.period import Period

PAGE = 2_000
SUBMISSIONS_AT_A_TIME = 500

_COLUMNS = (
    AuditEvent.id,
    AuditEvent.occurred_at,
    AuditEvent.actor,
    AuditEvent.action,
    AuditEvent.submission_id,
    AuditEvent.reason,
    AuditEvent.details,
)


@dataclass(frozen=True, slots=True)
class Record:
    """What a report reads of an audit record. There is no health fact in it."""

    id: uuid.UUID
    at: dt.datetime
    actor: str
    action: str
    submission_id: uuid.UUID | None
    reason: str | None
    details: Mapping[str, DetailValue]

    @property
    def actor_kind(self) -> str:
        return self.actor.partition(":")[0]

    def detail(self, key: Detail) -> str | None:
        found = self.details.get(key.value)
        return None if found is None else str(found)


def about(
    connection: Connection, submission_ids: Collection[uuid.UUID], period: Period | None = None
) -> Iterator[Record]:
    """The records of submissions, all or those of a period, each submission's in order."""
    wanted = sorted(submission_ids)
    for start in range(0, len(wanted), SUBMISSIONS_AT_A_TIME):
        some = wanted[start : start + SUBMISSIONS_AT_A_TIME]
        rows: Iterable[Any] = connection.execute(
            select(*_COLUMNS)
            .where(AuditEvent.submission_id.in_(some))
            .order_by(AuditEvent.submission_id, AuditEvent.seq)
        )
        yield from (record for record in map(_record, rows) if period is None or period.holds(record.at))


def within(connection: Connection, period: Period, *conditions: ColumnElement[bool]) -> Iterator[Record]:
    """The records of a period for which `conditions` hold, in the order of their ids: by ranges of the primary key."""
    after, end = period.first_id, period.end_id
    while True:
        rows = _page(connection, after, end, conditions)
        yield from (record for record in map(_record, rows) if period.holds(record.at))
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def actions(*wanted: Action) -> ColumnElement[bool]:
    """Records of these actions."""
    return AuditEvent.action.in_([action.value for action in wanted])


def says(key: Detail, value: str) -> ColumnElement[bool]:
    """Records whose details may hold this value: to be looked at again, since it is searched for in their text."""
    return AuditEvent.details.contains(canonical_json({key.value: value}).decode()[1:-1], autoescape=True)


def by(actor: Actor | str) -> ColumnElement[bool]:
    """Records of what somebody did."""
    return AuditEvent.actor == str(actor)


def archived_before(connection: Connection) -> dt.datetime | None:
    """Records that are older may be in an archive file, where no report finds them. `None`: all are here."""
    found: dt.datetime | None = connection.execute(select(func.max(AuditArchive.before))).scalar()
    return found


def _page(
    connection: Connection, after: uuid.UUID, end: uuid.UUID, conditions: Sequence[ColumnElement[bool]]
) -> Sequence[Any]:
    """At most `PAGE` rows."""
    wanted = select(*_COLUMNS).where(AuditEvent.id > after, AuditEvent.id < end, *conditions)
    return connection.execute(wanted.order_by(AuditEvent.id).limit(PAGE)).all()


def _record(row: Any) -> Record:
    return Record(
        row.id, row.occurred_at, row.actor, row.action, row.submission_id, row.reason, json.loads(row.details)
    )
