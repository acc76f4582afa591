"""Quarantine: submissions that software could not read. Looking at them, and sending them through validation again."""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from pipeline.audit.actions import Action, Actor
from pipeline.db import Database
from pipeline.intake.accept import VALIDATE_LANE
from pipeline.keys import Keys
from pipeline.models import Quarantine, Submission
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A kept submission and why it could not be read. Nothing of what it says."""

    submission_id: uuid.UUID
    reference: str
    source: str
    reason: str
    quarantined_at: dt.datetime


def list_quarantined(
    connection: Connection,
    *,
    ids: Collection[uuid.UUID] | None = None,
    source: str | None = None,
    limit: int | None = None,
) -> list[Quarantined]:
    """What is in quarantine, the oldest first: those of `ids`, those of a `source`, or all."""
    wanted = select(
        Quarantine.submission_id,
        Submission.reference,
        Quarantine.source,
        Quarantine.reason,
        Quarantine.quarantined_at,
    ).join(Submission, Submission.id == Quarantine.submission_id)
    if ids is not None:
        wanted = wanted.where(Quarantine.submission_id.in_(ids))
    if source is not None:
        wanted = wanted.where(Quarantine.source == source)
    rows = connection.execute(wanted.order_by(Quarantine.quarantined_at, Quarantine.submission_id).limit(limit))
    return [Quarantined(*row) for row in rows]


def remap(database: Database, keys: Keys, actor: Actor, ids: Sequence[uuid.UUID]) -> tuple[uuid.UUID, ...]:
    """Send submissions through validation again, as if just received, on record; returns those that were there.

    To be done after the field mapping was corrected: what still cannot be read comes back into quarantine.
    """
    sent: list[uuid.UUID] = []
    for start in range(0, len(ids), _BATCH):
        with begin(database, keys, actor) as unit:
            heads = unit.lock(ids[start : start + _BATCH])
            again = [id_ for id_, head in sorted(heads.items()) if head.status is SubmissionStatus.QUARANTINED]
            for submission_id in again:
                unit.transition(submission_id, SubmissionStatus.RECEIVED, Action.SUBMISSION_REMAPPED)
                unit.enqueue(VALIDATE_LANE, submission_id, submission_id)
            unit.connection.execute(delete(Quarantine).where(Quarantine.submission_id.in_(again)))
            sent += again
    return tuple(sent)
