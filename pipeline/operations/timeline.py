"""One submission's journey as it is on record: when, who, what. It never opens an answer."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from pipeline.models import AuditEvent, Submission


@dataclass(frozen=True, slots=True)
class Step:
    """One audit record. `details` holds allow-listed facts only; `sealed` says that there are health facts with it."""

    seq: int
    at: dt.datetime
    actor: str
    action: str
    reason: str | None
    attempt: int | None
    details: Mapping[str, str | int | bool | None]
    sealed: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A submission's head and its records, the first one first."""

    submission_id: uuid.UUID
    reference: str
    source: str
    status: str
    received_at: dt.datetime
    revision_of: uuid.UUID | None
    steps: tuple[Step, ...]


def find_submission(connection: Connection, name: str) -> uuid.UUID | None:
    """The id of the submission called `name`: an id, or a reference in any case, with or without `CR-`."""
    wanted = name.strip()
    try:
        which = Submission.id == uuid.UUID(wanted)
    except ValueError:
        which = Submission.reference == f"CR-{wanted.upper().removeprefix('CR-')}"
    return connection.execute(select(Submission.id).where(which)).scalar()


def read_timeline(connection: Connection, submission_id: uuid.UUID) -> Timeline:
    """Raises `LookupError` if there is no such submission."""
    head = connection.execute(select(Submission.table()).where(Submission.id == submission_id)).one_or_none()
    if head is None:
        raise LookupError(submission_id)
    events = connection.execute(
        select(AuditEvent.table()).where(AuditEvent.submission_id == submission_id).order_by(AuditEvent.seq)
    )
    steps = tuple(
        Step(
            seq=row.seq,
            at=row.occurred_at,
            actor=row.actor,
            action=row.action,
            reason=row.reason,
            attempt=row.attempt,
            details=json.loads(row.details),
            sealed=row.health_ciphertext is not None,
        )
        for row in events
    )
    return Timeline(head.id, head.reference, head.source, head.status, head.received_at, head.revision_of, steps)
