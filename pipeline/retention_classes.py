"""The classes of data that end with time: how long each is kept, what is past that, and what of it is held.

submissions   so long after the last thing that happened: a change of status, a referral, an email
unread        the same for what was rejected, withdrawn, joined to another, or never read (quarantine)
mail events   what mail providers reported
sessions      one-time codes and sessions
addresses     the blind index of where an email went, of an erased submission
audit         records
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from config.settings import Settings
from pipeline.email.kinds import EmailKind
from pipeline.erasure.erasing import UNSUBSCRIBE_DAYS, old_attempts
from pipeline.models import (
    AuditEvent,
    DeadJob,
    Email,
    Job,
    LegalHold,
    MailEvent,
    OneTimeCode,
    Quarantine,
    Referral,
    SecureLink,
    Submission,
)
from pipeline.status import EmailStatus, ReferralStatus, SubmissionStatus

WARN_DAYS = 30
"""So long before what waits in quarantine is erased `status` says so."""
_DAYS_OF_A_YEAR = 365.25
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


class RetentionClass(StrEnum):
    SUBMISSIONS = "submissions"
    UNREAD = "unread"
    MAIL_EVENTS = "mail_events"
    SESSIONS = "sessions"
    ADDRESSES = "addresses"
    AUDIT = "audit"


STATUSES: Mapping[RetentionClass, tuple[SubmissionStatus, ...]] = {
    RetentionClass.SUBMISSIONS: (SubmissionStatus.CANDIDATE, SubmissionStatus.NO_MATCH),
    RetentionClass.UNREAD: (
        SubmissionStatus.REJECTED,
        SubmissionStatus.WITHDRAWN,
        SubmissionStatus.DUPLICATE,
        SubmissionStatus.QUARANTINED,
    ),
}
"""Those in which something is still under way (received, valid, needs_review) are of no class: they are open."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one class stands. `held`: past its time, and under a legal hold."""

    retention_class: RetentionClass
    days: int
    due: int
    held: int


def days_kept(settings: Settings) -> dict[RetentionClass, int]:
    """How long each class is kept, in days."""
    return {
        RetentionClass.SUBMISSIONS: settings.retain_submissions_days,
        RetentionClass.UNREAD: settings.retain_unread_days,
        RetentionClass.MAIL_EVENTS: settings.retain_mail_events_days,
        RetentionClass.SESSIONS: settings.retain_sessions_days,
        RetentionClass.ADDRESSES: UNSUBSCRIBE_DAYS,
        RetentionClass.AUDIT: round(settings.retain_audit_years * _DAYS_OF_A_YEAR),
    }


def read_standings(connection: Connection, settings: Settings, now: dt.datetime) -> list[Standing]:
    """Each class: how long it is kept, how many are past that, and how many of these are held."""
    standings = []
    for of, days in days_kept(settings).items():
        before = now - dt.timedelta(days=days)
        due = past_its_time(of, before)
        held = _count(connection, due.where(is_held(of)))
        standings.append(Standing(of, days, _count(connection, due.where(~is_held(of))), held))
    return standings


def count_last_days_in_quarantine(connection: Connection, settings: Settings, now: dt.datetime) -> int:
    """How many wait in quarantine that will be erased within `WARN_DAYS` days, unless somebody sees to them."""
    days = max(0, settings.retain_unread_days - WARN_DAYS)
    held = select(LegalHold.submission_id).where(LegalHold.submission_id == Quarantine.submission_id).exists()
    late = Quarantine.quarantined_at < now - dt.timedelta(days=days)
    statement = select(func.count()).select_from(Quarantine.table()).where(late, ~held)
    return connection.execute(statement).scalar_one()


def past_its_time(of: RetentionClass, before: dt.datetime) -> Select[uuid.UUID]:
    """What is past its time and not open; ids, so that what is held can be left out or counted."""
    match of:
        case RetentionClass.MAIL_EVENTS:
            return select(MailEvent.id).where(
                MailEvent.id < _first_id(before), MailEvent.received_at < before, MailEvent.applied_at.is_not(None)
            )
        case RetentionClass.SESSIONS:
            return select(OneTimeCode.id).where(OneTimeCode.expires_at < before, ~_code_waits())
        case RetentionClass.ADDRESSES:
            return old_attempts(before)
        case RetentionClass.AUDIT:
            return select(AuditEvent.id).where(AuditEvent.id < _first_id(before))
    return select(Submission.id).where(
        Submission.status.in_([status.value for status in STATUSES[of]]),
        Submission.id < _first_id(before),
        Submission.status_changed_at < before,
        ~_something_is_open(before),
    )


def _something_is_open(before: dt.datetime) -> ColumnElement[bool]:
    """Work, an offer, an email that waits, a dead letter; or a referral or an email that is younger."""
    referral = or_(
        Referral.status == ReferralStatus.OFFERED.value,
        func.coalesce(Referral.closed_at, Referral.created_at) >= before,
    )
    email = or_(
        Email.status.in_([EmailStatus.QUEUED.value, EmailStatus.UNCERTAIN.value]),
        func.coalesce(Email.handed_over_at, Email.created_at) >= before,
    )
    return or_(
        select(Job.id).where(Job.submission_id == Submission.id).exists(),
        select(DeadJob.id).where(DeadJob.submission_id == Submission.id).exists(),
        select(Referral.id).where(Referral.submission_id == Submission.id, referral).exists(),
        select(Email.id).where(Email.submission_id == Submission.id, email).exists(),
    )


def _code_waits() -> ColumnElement[bool]:
    """Whether an email about a code of this link has yet to be sent: without the code's row nobody would see that it
    is spent.
    """
    waiting = and_(
        SecureLink.id == OneTimeCode.link_id,
        Email.submission_id == SecureLink.submission_id,
        Email.kind == EmailKind.ONE_TIME_CODE.value,
        Email.status == EmailStatus.QUEUED.value,
    )
    return select(Email.id).where(waiting).exists()


def is_held(of: RetentionClass) -> ColumnElement[bool]:
    match of:
        case RetentionClass.MAIL_EVENTS:
            about = and_(Email.id == MailEvent.email_id, LegalHold.submission_id == Email.submission_id)
            return select(LegalHold.submission_id).where(about).exists()
        case RetentionClass.SESSIONS:
            return is_held_link(OneTimeCode.link_id)
        case RetentionClass.ADDRESSES:
            return false()  # nothing that is erased is held
        case RetentionClass.AUDIT:
            return select(LegalHold.submission_id).where(LegalHold.submission_id == AuditEvent.submission_id).exists()
    return select(LegalHold.submission_id).where(LegalHold.submission_id == Submission.id).exists()


def is_held_link(link_id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[bool]:
    about = and_(SecureLink.id == link_id, LegalHold.submission_id == SecureLink.submission_id)
    return select(LegalHold.submission_id).where(about).exists()


def _first_id(at: dt.datetime) -> uuid.UUID:
    """The lowest id that is made at `at` (RFC 9562 section 5.7): older rows are found by the primary key alone."""
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | _VERSION_7 | _VARIANT)


def _count(connection: Connection, ids: Select[uuid.UUID]) -> int:
    return connection.execute(select(func.count()).select_from(ids.subquery())).scalar_one()
