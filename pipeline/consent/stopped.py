"""Leads that ended for want of a consent on the ledger, or of its text: how many, and going on once that is there.

A worker of the version before writes no consent; one that still ran after `careroute migrate` leaves candidates whom
nobody was offered. And what a text promised that was taken out of `screening.yaml`, nobody knows. No lead is lost by
either: the next `careroute migrate` has them offered again, where the lines are written, or the text is back.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, and_, exists, func, literal, select, union
from sqlalchemy.orm import aliased

from config.screening import Screening
from pipeline.audit.actions import Action, Actor
from pipeline.consent.purposes import PROVIDERS, ConsentDecision, ConsentPurpose
from pipeline.consent.sharing import NO_CONSENT, UNKNOWN_TEXT, sharing_allowed
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.models import AuditEvent, ConsentEntry, DeadJob, Job, Referral, Review, Submission
from pipeline.referral import REFER_LANE
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin

_BATCH = 250
_ASKS_FOR_LEAVE = ("score", REFER_LANE)
"""The lanes whose work offers a request to providers."""


def count_stopped(connection: Connection) -> int:
    """How many leads ended so, and do not go on by themselves. Quick: an index holds such ends only."""
    statement = select(func.count()).select_from(_stopped().subquery())
    return connection.execute(statement).scalar_one()


def resume(database: Database, keys: Keys, screening: Screening, actor: Actor) -> int:
    """Have those offered again whose consent is live and whose text is known; returns how many. In batches of one
    transaction each; what the lane does is on record.
    """
    consent, done, after = screening.consent("consent_share"), 0, uuid.UUID(int=0)
    while batch := _batch(database, after):
        with begin(database, keys, actor) as unit:
            heads = unit.lock(batch)
            for id_, sharing in sharing_allowed(unit.connection, batch).items():
                known = sharing.is_live and consent.of_version(sharing.text_version) is not None
                if known and heads[id_].status is SubmissionStatus.CANDIDATE:
                    unit.enqueue(REFER_LANE, id_, id_)
                    done += 1
        after = batch[-1]
    return done


def unknown_texts(connection: Connection, known: Collection[str]) -> list[str]:
    """The versions, not among `known`, of what requests agreed to share by that may still be offered to providers.

    What is over is not looked at: its text may go.
    """
    under_way: CompoundSelect[Any] = union(
        select(Job.submission_id).where(Job.lane.in_(_ASKS_FOR_LEAVE)),
        select(Review.submission_id),
        select(Referral.submission_id).where(Referral.expires_at.is_not(None)),
        _stopped(),
    )
    statement = (
        select(ConsentEntry.text_version)
        .where(
            ConsentEntry.submission_id.in_(under_way),
            ConsentEntry.purpose == ConsentPurpose.SHARE.value,
            ConsentEntry.recipient == PROVIDERS,
            ConsentEntry.decision == ConsentDecision.GIVEN.value,
            ConsentEntry.text_version.not_in(list(known)),
        )
        .distinct()
    )
    return sorted(version for version in connection.execute(statement).scalars() if version is not None)


def _batch(database: Database, after: uuid.UUID) -> Sequence[uuid.UUID]:
    with database.read() as connection:
        statement = _stopped().where(Submission.id > after).order_by(Submission.id).limit(_BATCH)
        return list(connection.execute(statement).scalars())


def _stopped() -> Select[uuid.UUID]:
    """Candidates whose last try to find a provider ended so, and which no job will try again."""
    later = aliased(AuditEvent)
    tried = (Action.REFERRAL_EXHAUSTED.value, Action.REFERRAL_OFFERED.value)
    last = ~exists().where(
        later.submission_id == AuditEvent.submission_id, later.seq > AuditEvent.seq, later.action.in_(tried)
    )
    return (
        select(Submission.id)
        .join(AuditEvent, AuditEvent.submission_id == Submission.id)
        .where(
            # Written out, as the index has it: a database that plans for any value would not see that it fits.
            AuditEvent.action == literal(Action.REFERRAL_EXHAUSTED.value, literal_execute=True),
            AuditEvent.reason.is_not(None),
            AuditEvent.reason.in_([NO_CONSENT, UNKNOWN_TEXT]),
            Submission.status == SubmissionStatus.CANDIDATE.value,
            last,
            _without_job(Job),
            _without_job(DeadJob),
        )
    )


def _without_job(jobs: type[Job | DeadJob]) -> ColumnElement[bool]:
    return ~exists().where(and_(jobs.lane == REFER_LANE, jobs.target_id == Submission.id))
