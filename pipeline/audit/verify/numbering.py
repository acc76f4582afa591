"""Every series of records counts from 1 without a gap, up to the number that its head remembers."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_, select

from pipeline.audit.verify.findings import Finding
from pipeline.models import AuditEvent, AuditSeries, Submission
from pipeline.unit_of_work import SYSTEM_SERIES


@dataclass(frozen=True, slots=True)
class _Series:
    """The records of one submission, or of none, as counted; `last` is the number that its head remembers."""

    submission_id: uuid.UUID | None
    last: int
    records: int
    lowest: int
    highest: int

    @property
    def about(self) -> str:
        return SYSTEM_SERIES if self.submission_id is None else str(self.submission_id)

    @property
    def gone(self) -> int:
        """How many are missing at its beginning, as archived ones are."""
        return self.lowest - 1 if self.records else self.last


def check_numbers(connection: Connection, archived: int) -> Iterator[Finding]:
    """Check all series. Together, `archived` records may be missing at their beginnings."""
    gone = 0
    for series in _conspicuous(connection):
        gone += series.gone
        if series.records and series.highest != series.last:
            yield Finding(series.about, f"{series.last} records were written, {series.highest} are here")
        if series.records and series.records != series.highest - series.lowest + 1:
            yield from _holes(connection, series)
        if series.gone and not archived:
            yield _without_beginning(connection, series)
    if archived and gone != archived:
        yield Finding("series", f"{gone} records are missing at the beginning of series, and {archived} were archived")
    headless = (
        select(AuditEvent.submission_id)
        .where(
            AuditEvent.submission_id.is_not(None),
            ~select(Submission.id).where(Submission.id == AuditEvent.submission_id).exists(),
        )
        .distinct()
    )
    for (submission_id,) in connection.execute(headless):
        yield Finding(str(submission_id), "there are records about this submission, and it is not there itself")


def _conspicuous(connection: Connection) -> Iterator[_Series]:
    """Series that are not simply 1, 2, 3 … up to what their head remembers."""
    counted = (
        select(
            AuditEvent.submission_id,
            func.count().label("records"),
            func.min(AuditEvent.seq).label("lowest"),
            func.max(AuditEvent.seq).label("highest"),
        )
        .where(AuditEvent.submission_id.is_not(None))
        .group_by(AuditEvent.submission_id)
        .subquery()
    )
    heads = (
        select(Submission.id, Submission.audit_seq, counted.c.records, counted.c.lowest, counted.c.highest)
        .outerjoin(counted, counted.c.submission_id == Submission.id)
        .where(
            or_(
                func.coalesce(counted.c.highest, 0) != Submission.audit_seq,
                func.coalesce(counted.c.lowest, 1) != 1,
                counted.c.records != counted.c.highest - counted.c.lowest + 1,
            )
        )
        .order_by(Submission.id)
    )
    for row in connection.execute(heads).all():
        yield _Series(row.id, row.audit_seq, row.records or 0, row.lowest or 0, row.highest or 0)
    system = connection.execute(
        select(func.count(), func.min(AuditEvent.seq), func.max(AuditEvent.seq)).where(
            AuditEvent.submission_id.is_(None)
        )
    ).one()
    last = connection.execute(select(AuditSeries.seq).where(AuditSeries.name == SYSTEM_SERIES)).scalar_one_or_none()
    yield _Series(None, last or 0, system[0], system[1] or 0, system[2] or 0)


def _without_beginning(connection: Connection, series: _Series) -> Finding:
    if not series.records:
        return Finding(series.about, f"{series.last} records were written, 0 are here")
    lowest = select(AuditEvent.id).where(_of(series), AuditEvent.seq == series.lowest)
    event_id = connection.execute(lowest).scalars().first()
    return Finding(str(event_id), f"number {series.lowest} where 1 was due")


def _holes(connection: Connection, series: _Series) -> Iterator[Finding]:
    expected = series.lowest
    for row in connection.execute(select(AuditEvent.id, AuditEvent.seq).where(_of(series)).order_by(AuditEvent.seq)):
        if row.seq != expected:
            yield Finding(str(row.id), f"number {row.seq} where {expected} was due")
        expected = row.seq + 1


def _of(series: _Series) -> ColumnElement[bool]:
    return AuditEvent.submission_id.is_not_distinct_from(series.submission_id)
