"""Withdrawal ("this wasn't me"): everything about a submission stops, in one transaction and on record."""

import uuid
from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, update

from pipeline.audit.actions import Action, Detail
from pipeline.capacity import Room
from pipeline.models import Email, Job, Quarantine, RecentRequest, Referral, Review, SecureLink, SecureSession
from pipeline.referral import HOLDS_THE_FACTS, close, read_referrals
from pipeline.status import SUBMISSION_TRANSITIONS, EmailStatus, ReferralStatus, SubmissionStatus, check_email
from pipeline.unit_of_work import UnitOfWork


def withdraw(unit: UnitOfWork, submission_id: uuid.UUID, link_id: uuid.UUID) -> None:
    """Stop everything; the link by which it was asked for stays, to say so again. Done already, it changes nothing.

    That link may be another submission's, which was joined to this one.

    An email that was being handed over just now may still arrive. A job that a worker has in hand finds nothing left
    to do.
    """
    head = unit.lock([submission_id])[submission_id]
    if head.status is SubmissionStatus.WITHDRAWN:
        return
    if SubmissionStatus.WITHDRAWN in SUBMISSION_TRANSITIONS[head.status]:
        unit.transition(
            submission_id,
            SubmissionStatus.WITHDRAWN,
            Action.SUBMISSION_WITHDRAWN,
            {Detail.LINK: str(link_id)},
        )
    _close_referrals(unit, submission_id)
    _cancel_emails(unit, submission_id)
    _revoke_links(unit, submission_id, link_id)
    _forget_work(unit.connection, submission_id)


def _close_referrals(unit: UnitOfWork, submission_id: uuid.UUID) -> None:
    referrals: Iterable[Referral] = read_referrals(unit.connection, [submission_id]).get(submission_id, [])
    held = [referral for referral in referrals if ReferralStatus(referral.status) in HOLDS_THE_FACTS]
    if held:
        room = Room(unit.connection, [referral.provider_id for referral in held])
        close(unit, held, ReferralStatus.WITHDRAWN, Action.REFERRAL_WITHDRAWN, room)
        room.save()


def _cancel_emails(unit: UnitOfWork, submission_id: uuid.UUID) -> None:
    """Those that carry the mark of an attempt may have been sent: what became of them is still to be recorded."""
    check_email(EmailStatus.QUEUED, EmailStatus.CANCELLED)
    cancelled = unit.connection.execute(
        update(Email)
        .where(
            Email.submission_id == submission_id,
            Email.status == EmailStatus.QUEUED.value,
            Email.attempt_id.is_(None),
        )
        .values(status=EmailStatus.CANCELLED.value)
        .returning(Email.id, Email.kind, Email.recipient)
    )
    for row in sorted(cancelled, key=lambda row: row.id):
        details = {Detail.EMAIL: str(row.id), Detail.KIND: row.kind, Detail.RECIPIENT: row.recipient}
        unit.record(submission_id, Action.EMAIL_CANCELLED, details)


def _revoke_links(unit: UnitOfWork, submission_id: uuid.UUID, kept: uuid.UUID) -> None:
    links = select(SecureLink.id).where(SecureLink.submission_id == submission_id)
    unit.connection.execute(delete(SecureSession).where(SecureSession.link_id.in_(links)))
    unit.connection.execute(
        update(SecureLink)
        .where(SecureLink.submission_id == submission_id, SecureLink.id != kept, SecureLink.revoked_at.is_(None))
        .values(revoked_at=unit.now)
    )


def _forget_work(connection: Connection, submission_id: uuid.UUID) -> None:
    """What waits for staff, what waits for a worker, and the hold against repeating the same request.

    Without the last one, the person's own request later would be joined to this one, which nobody works on.
    """
    for waiting in (Review, Quarantine, RecentRequest):
        connection.execute(delete(waiting).where(waiting.submission_id == submission_id))
    unsettled = select(Email.id).where(Email.submission_id == submission_id, Email.status == EmailStatus.QUEUED.value)
    # Jobs that a worker holds or is just claiming are skipped: it locks jobs first and submissions second.
    free = (
        select(Job.id)
        .where(Job.submission_id == submission_id, Job.lease_until.is_(None), Job.target_id.not_in(unsettled))
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(Job).where(Job.id.in_(free)))
