"""Dead letters: jobs that were given up. Looking at them, trying them again, or giving them up for good, on record."""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.email.kinds import RULES, EmailKind
from pipeline.keys import Keys
from pipeline.models import DeadJob, Email
from pipeline.outreach import EMAIL_LANE
from pipeline.status import STOPPED, EmailStatus, check_email
from pipeline.unit_of_work import UnitOfWork, begin

_BATCH = 500
"""Dead letters a transaction: a long one would hold up the workers."""

_SETTLED = frozenset({EmailStatus.HANDED_OVER, EmailStatus.DELIVERED, EmailStatus.COMPLAINED, EmailStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up, and why. `email_status` is set for a job about an email."""

    id: int
    lane: str
    submission_id: uuid.UUID | None
    target_id: uuid.UUID
    attempts: int
    reason: str
    died_at: dt.datetime
    email_status: EmailStatus | None = None
    email_kind: EmailKind | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a wish to retry: ids of the jobs. `uncertain` emails may have been sent; `settled` ones need
    nothing any more (their email was handed over or cancelled), so only their dead letter was removed.
    """

    retried: tuple[int, ...] = ()
    uncertain: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()


def list_dead(
    connection: Connection, *, ids: Collection[int] | None = None, lane: str | None = None, limit: int | None = None
) -> list[DeadLetter]:
    """Dead letters, the oldest first: those of `ids`, those of a `lane`, or all."""
    wanted = select(DeadJob.table(), Email.status.label("email_status"), Email.kind.label("email_kind")).outerjoin(
        Email, (Email.id == DeadJob.target_id) & (DeadJob.lane == EMAIL_LANE)
    )
    if ids is not None:
        wanted = wanted.where(DeadJob.id.in_(ids))
    if lane is not None:
        wanted = wanted.where(DeadJob.lane == lane)
    return [
        DeadLetter(
            id=row.id,
            lane=row.lane,
            submission_id=row.submission_id,
            target_id=row.target_id,
            attempts=row.attempts,
            reason=row.reason,
            died_at=row.died_at,
            email_status=EmailStatus(row.email_status) if row.email_status else None,
            email_kind=EmailKind(row.email_kind) if row.email_kind else None,
        )
        for row in connection.execute(wanted.order_by(DeadJob.id).limit(limit))
    ]


def retry(
    database: Database, keys: Keys, actor: Actor, ids: Sequence[int], *, resend_uncertain: bool = False
) -> Retried:
    """Make dead letters jobs again, on record. An email that failed is queued again.

    An email of uncertain fate is left alone unless `resend_uncertain`: its recipient may get it twice.
    """
    done = Retried()
    for start in range(0, len(ids), _BATCH):
        with begin(database, keys, actor) as unit:
            done = _joined(done, _retry(unit, ids[start : start + _BATCH], resend_uncertain=resend_uncertain))
    return done


def discard(database: Database, keys: Keys, actor: Actor, ids: Sequence[int], reason: str) -> tuple[int, ...]:
    """Remove dead letters for good, on record with the reason; returns the ids of those that were there."""
    gone: list[int] = []
    for start in range(0, len(ids), _BATCH):
        with begin(database, keys, actor) as unit:
            letters = _take(unit, ids[start : start + _BATCH])
            _remove(unit, letters, Action.JOB_DISCARDED, reason)
            gone += [letter.id for letter in letters]
    return tuple(gone)


def _retry(unit: UnitOfWork, ids: Sequence[int], *, resend_uncertain: bool) -> Retried:
    retried: list[DeadLetter] = []
    uncertain: list[DeadLetter] = []
    settled: list[DeadLetter] = []
    for letter in _take(unit, ids):
        if letter.email_status is EmailStatus.UNCERTAIN and not resend_uncertain:
            uncertain.append(letter)
        elif letter.email_status in _SETTLED or _is_stopped(unit, letter):
            settled.append(letter)
        else:
            retried.append(letter)
    for letter in retried:
        if letter.email_status is not None and letter.email_status is not EmailStatus.QUEUED:
            check_email(letter.email_status, EmailStatus.QUEUED)
        unit.enqueue(letter.lane, letter.target_id, letter.submission_id)
    queued = [letter.target_id for letter in retried if letter.email_status is not None]
    unit.connection.execute(
        update(Email).where(Email.id.in_(queued)).values(status=EmailStatus.QUEUED.value, detail=None)
    )
    _remove(unit, [*retried, *settled], Action.JOB_RETRIED)
    return Retried(_ids(retried), _ids(uncertain), _ids(settled))


def _is_stopped(unit: UnitOfWork, letter: DeadLetter) -> bool:
    """Whether everything was stopped, or erased: then nothing more is done, and nobody is written to but to say so."""
    if letter.email_kind is not None and RULES[letter.email_kind].survives_withdrawal:
        return False
    head = unit.heads.get(letter.submission_id) if letter.submission_id else None
    return head is not None and head.status in STOPPED


def _take(unit: UnitOfWork, ids: Sequence[int]) -> list[DeadLetter]:
    """Lock the submissions and dead letters, in this order as everywhere, and read what is still there."""
    found = list_dead(unit.connection, ids=ids)
    unit.lock(letter.submission_id for letter in found if letter.submission_id)
    locked = select(DeadJob.id).where(DeadJob.id.in_(_ids(found))).order_by(DeadJob.id).with_for_update()
    return list_dead(unit.connection, ids=list(unit.connection.execute(locked).scalars()))


def _remove(unit: UnitOfWork, letters: Sequence[DeadLetter], action: Action, reason: str | None = None) -> None:
    for letter in letters:
        details = {Detail.LANE: letter.lane, Detail.CODE: letter.reason}
        if letter.email_status is not None:
            details |= {Detail.EMAIL: str(letter.target_id), Detail.STATUS: letter.email_status.value}
        unit.record(letter.submission_id, action, details, reason=reason)
    unit.connection.execute(delete(DeadJob).where(DeadJob.id.in_(_ids(letters))))


def _joined(one: Retried, other: Retried) -> Retried:
    return Retried((*one.retried, *other.retried), (*one.uncertain, *other.uncertain), (*one.settled, *other.settled))


def _ids(letters: Sequence[DeadLetter]) -> tuple[int, ...]:
    return tuple(letter.id for letter in letters)
