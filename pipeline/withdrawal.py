"""Withdrawal: "this wasn't me", or a consent taken back. What must stop does so in one transaction and on record."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from pipeline.audit.actions import Action, Detail
from pipeline.capacity import Room
from pipeline.consent.ledger import write_withdrawn
from pipeline.consent.purposes import ORGANISATION, WIDEST, ConsentPurpose, one_provider
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind
from pipeline.models import (
    Email,
    EmailAttempt,
    Job,
    Quarantine,
    RecentRequest,
    Referral,
    Review,
    SecureLink,
    SecureSession,
)
from pipeline.outreach import Message, opened_links, queue_email
from pipeline.referral import HOLDS_THE_FACTS, close, read_referrals
from pipeline.status import STOPPED, SUBMISSION_TRANSITIONS, EmailStatus, ReferralStatus, SubmissionStatus, check_email
from pipeline.transports.receipt import SendOutcome
from pipeline.unit_of_work import UnitOfWork

_SURVIVE = [kind.value for kind, rules in RULES.items() if rules.survives_withdrawal]
_NEED_CONTACT = [kind.value for kind, rules in RULES.items() if rules.consent is ConsentPurpose.CONTACT]
_ABOUT_REFERRALS = [EmailKind.REFERRAL.value, EmailKind.REFERRAL_REMINDER.value]
_ARRIVED = frozenset({EmailStatus.HANDED_OVER, EmailStatus.DELIVERED, EmailStatus.COMPLAINED, EmailStatus.UNCERTAIN})
"""Or may have."""
_UNSETTLED = (EmailStatus.QUEUED, EmailStatus.UNCERTAIN)
"""Whose job goes on: what became of them is still to be recorded."""
_CAME_BACK = frozenset({EmailStatus.BOUNCED, EmailStatus.DROPPED})


def withdraw(
    context: Context,
    unit: UnitOfWork,
    submission_id: uuid.UUID,
    link_id: uuid.UUID | None,
    *,
    purposes: Collection[ConsentPurpose] = tuple(ConsentPurpose),
    reason: str | None = None,
) -> bool:
    """Stop everything, and take back the consents for `purposes`. Done already, it changes nothing and is `False`.

    The link by which it was asked for stays, to say so again; it may be another submission's, which was joined to this
    one. Staff and an erasure have none (`link_id` None): then every link ends. An erasure that the person did not ask
    for, such as one at the end of retention, takes no consent back: `purposes` empty.

    Providers that held the answers and know of the referral, or may, are told that it is withdrawn.

    An email that was being handed over just now may still arrive. A job that a worker has in hand finds nothing left
    to do.
    """
    head = unit.lock([submission_id])[submission_id]
    if head.status in STOPPED:
        return False
    if SubmissionStatus.WITHDRAWN in SUBMISSION_TRANSITIONS[head.status]:
        unit.transition(
            submission_id,
            SubmissionStatus.WITHDRAWN,
            Action.SUBMISSION_WITHDRAWN,
            {Detail.LINK: str(link_id)} if link_id is not None else None,
            reason=reason,
        )
    for purpose in purposes:
        write_withdrawn(unit, submission_id, purpose, WIDEST[purpose], reason=reason)
    held = _close(unit, _holding(unit, submission_id))
    _cancel_emails(unit, submission_id, Email.kind.not_in(_SURVIVE))
    _tell_providers(context, unit, held)
    _end_links(unit, SecureLink.submission_id == submission_id, kept=link_id)
    _forget_work(unit.connection, submission_id)
    return True


def withdraw_from_provider(
    context: Context, unit: UnitOfWork, submission_id: uuid.UUID, provider_id: str, *, reason: str | None = None
) -> bool:
    """Take the answers back from one provider, for good. Done already, it changes nothing and is `False`.

    Its referral is closed, its links end, what waits to be sent to it is cancelled, and it is told if it knows of the
    referral, or may. Everything else goes on; nobody is asked in its stead.
    """
    unit.lock([submission_id])
    recipient = one_provider(provider_id)
    if not write_withdrawn(unit, submission_id, ConsentPurpose.SHARE, recipient, reason=reason):
        return False
    held = [each for each in _holding(unit, submission_id) if each.provider_id == provider_id]
    _close(unit, held)
    _cancel_emails(unit, submission_id, Email.kind.not_in(_SURVIVE), Email.recipient == recipient)
    _tell_providers(context, unit, held)
    of_provider = select(Referral.id).where(
        Referral.submission_id == submission_id, Referral.provider_id == provider_id
    )
    _end_links(unit, SecureLink.submission_id == submission_id, SecureLink.referral_id.in_(of_provider))
    return True


def withdraw_contact(unit: UnitOfWork, submission_id: uuid.UUID, *, reason: str | None = None) -> bool:
    """Write no more to the person about the request, which goes on. Done already, it changes nothing and is `False`.

    What the person asks anew is a request of its own: joined to this one, nobody would write to them about it.
    """
    unit.lock([submission_id])
    if not write_withdrawn(unit, submission_id, ConsentPurpose.CONTACT, ORGANISATION, reason=reason):
        return False
    _cancel_emails(unit, submission_id, Email.kind.in_(_NEED_CONTACT))
    unit.connection.execute(delete(RecentRequest).where(RecentRequest.submission_id == submission_id))
    return True


def _holding(unit: UnitOfWork, submission_id: uuid.UUID) -> Sequence[Referral]:
    """The referrals whose providers may read the answers."""
    referrals = read_referrals(unit.connection, [submission_id]).get(submission_id, [])
    return [referral for referral in referrals if ReferralStatus(referral.status) in HOLDS_THE_FACTS]


def _close(unit: UnitOfWork, held: Sequence[Referral]) -> Sequence[Referral]:
    """Close referrals whose providers may read the answers, and return them as they were."""
    if held:
        room = Room(unit.connection, [referral.provider_id for referral in held])
        close(unit, held, ReferralStatus.WITHDRAWN, Action.REFERRAL_WITHDRAWN, room)
        room.save()
    return held


def _cancel_emails(unit: UnitOfWork, submission_id: uuid.UUID, *which: ColumnElement[bool]) -> None:
    """Those that carry the mark of an attempt may have been sent: what became of them is still to be recorded."""
    check_email(EmailStatus.QUEUED, EmailStatus.CANCELLED)
    cancelled = unit.connection.execute(
        update(Email)
        .where(
            Email.submission_id == submission_id,
            Email.status == EmailStatus.QUEUED.value,
            Email.attempt_id.is_(None),
            *which,
        )
        .values(status=EmailStatus.CANCELLED.value)
        .returning(Email.id, Email.kind, Email.recipient)
    )
    for row in sorted(cancelled, key=lambda row: row.id):
        details = {Detail.EMAIL: str(row.id), Detail.KIND: row.kind, Detail.RECIPIENT: row.recipient}
        unit.record(submission_id, Action.EMAIL_CANCELLED, details)


def _tell_providers(context: Context, unit: UnitOfWork, held: Sequence[Referral]) -> None:
    """One email to each provider that knows of its referral, or may. What was never sent is cancelled by now: what is
    read here cannot be sent afterwards without the mark that shows it.
    """
    if not held:
        return
    sent: dict[uuid.UUID, list[Any]] = {referral.id: [] for referral in held}
    for row in _emails_about(unit.connection, held):
        sent[row.subject_id].append(row)
    emails = [row.id for rows in sent.values() for row in rows]
    opened = opened_links(unit.connection, [held[0].submission_id], emails)
    for referral in held:
        rows = sent[referral.id]
        accepted = ReferralStatus(referral.status) is ReferralStatus.ACCEPTED
        if rows and (accepted or any(_may_have_arrived(row) or row.id in opened for row in rows)):
            message = Message(
                referral.submission_id,
                EmailKind.REFERRAL_WITHDRAWN,
                rows[0].recipient,
                rows[0].language,
                f"withdrawn:{referral.id}",
                referral.id,
            )
            queue_email(context, unit, message)


def _emails_about(connection: Connection, referrals: Sequence[Referral]) -> Sequence[Any]:
    """The emails that told of the referrals, oldest first; `doubtful`: it was tried, and nobody knows with what effect.

    An email that is queued again may have arrived before.
    """
    doubtful = (
        select(EmailAttempt.id)
        .where(
            EmailAttempt.email_id == Email.id,
            EmailAttempt.outcome.is_(None) | (EmailAttempt.outcome == SendOutcome.UNCERTAIN.value),
        )
        .exists()
        .label("doubtful")
    )
    statement = select(
        Email.id, Email.subject_id, Email.recipient, Email.language, Email.status, Email.attempt_id, doubtful
    ).where(
        Email.submission_id == referrals[0].submission_id,
        Email.subject_id.in_([referral.id for referral in referrals]),
        Email.kind.in_(_ABOUT_REFERRALS),
    )
    return connection.execute(statement.order_by(Email.id)).all()


def _may_have_arrived(row: Any) -> bool:
    status = EmailStatus(row.status)
    return status in _ARRIVED or row.attempt_id is not None or (row.doubtful and status not in _CAME_BACK)


def _end_links(unit: UnitOfWork, *which: ColumnElement[bool], kept: uuid.UUID | None = None) -> None:
    links = select(SecureLink.id).where(*which)
    unit.connection.execute(delete(SecureSession).where(SecureSession.link_id.in_(links)))
    ended = update(SecureLink).where(*which, SecureLink.revoked_at.is_(None))
    if kept is not None:
        ended = ended.where(SecureLink.id != kept)
    unit.connection.execute(ended.values(revoked_at=unit.now))


def _forget_work(connection: Connection, submission_id: uuid.UUID) -> None:
    """What waits for staff, what waits for a worker, and the hold against repeating the same request.

    Without the last one, the person's own request later would be joined to this one, which nobody works on.
    """
    for waiting in (Review, Quarantine, RecentRequest):
        connection.execute(delete(waiting).where(waiting.submission_id == submission_id))
    unsettled = select(Email.id).where(Email.submission_id == submission_id, Email.status.in_(_UNSETTLED))
    # Jobs that a worker holds or is just claiming are skipped: it locks jobs first and submissions second.
    free = (
        select(Job.id)
        .where(Job.submission_id == submission_id, Job.lease_until.is_(None), Job.target_id.not_in(unsettled))
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(Job).where(Job.id.in_(free)))
