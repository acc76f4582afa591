"""From the token in a URL to a live link. Unknown, expired and withdrawn links are all the same: none."""

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from config.screening import LANGUAGES
from pipeline.audit import actions
from pipeline.audit.actions import Action, Actor, ActorKind, Detail
from pipeline.audit.record import canonical_details
from pipeline.consent import Sharing, sharing_allowed
from pipeline.models import AuditEvent, Email, Referral, SecureLink, Submission
from pipeline.secure_link import Audience, token_hash
from pipeline.status import STOPPED, ReferralStatus, SubmissionStatus
from pipeline.unit_of_work import UnitOfWork

ATTEMPTS_BEFORE_LOCK = 5
LOCK = dt.timedelta(hours=1)
ATTEMPTS_EVER = 15
"""Wrong second factors on one link, since the last right one: after every fifth it is locked for an hour, after these
for good."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is neither expired nor revoked. `provider_id` and `referral_status` are there for a provider's.

    `sharing`, what its person agreed to, is there for a provider's link that was locked.
    """

    id: uuid.UUID
    audience: Audience
    submission_id: uuid.UUID
    submission_status: SubmissionStatus
    language: str
    failed_attempts: int
    referral_id: uuid.UUID | None
    provider_id: str | None
    referral_status: ReferralStatus | None
    referral_expires_at: dt.datetime | None
    sharing: Sharing | None = None

    @property
    def attempts_left(self) -> int:
        """Until the next lock."""
        return ATTEMPTS_BEFORE_LOCK - self.failed_attempts % ATTEMPTS_BEFORE_LOCK

    @property
    def is_locked_for_good(self) -> bool:
        return self.failed_attempts >= ATTEMPTS_EVER

    @property
    def holder(self) -> Actor:
        """Whoever has the link, a mail scanner perhaps: nothing shows yet that it is the one it was sent to."""
        return Actor(ActorKind.LINK, str(self.id))

    @property
    def owner(self) -> Actor:
        """Whom it was sent to."""
        return actions.person(self.submission_id) if self.provider_id is None else actions.provider(self.provider_id)

    def leads_somewhere(self, now: dt.datetime) -> bool:
        """Whether there is a page behind it: not for what was withdrawn, nor for a referral that is over."""
        if self.submission_status in STOPPED:
            return False
        if self.audience is Audience.PERSON:
            return True
        return self.referral_status is ReferralStatus.ACCEPTED or self.is_offered(now)

    @property
    def stopped_everything(self) -> bool:
        """Whether this is the link by which its person stopped everything: the only one that a withdrawal leaves."""
        return self.audience is Audience.PERSON and self.submission_status is SubmissionStatus.WITHDRAWN

    def is_offered(self, now: dt.datetime) -> bool:
        """Whether the referral waits for an answer. The sweep may not yet have closed one that is past its time."""
        in_time = self.referral_expires_at is not None and self.referral_expires_at > now
        return self.referral_status is ReferralStatus.OFFERED and in_time


@dataclass(frozen=True, slots=True)
class Closed:
    """There is nothing behind the link (any more), or there is no such link."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Too much was tried. `seconds` until it may be tried again; `None`: not with this link."""

    link: Link
    seconds: int | None


def find_link(connection: Connection, token: str, now: dt.datetime) -> Link | None:
    """The live link of a token."""
    wanted = token_hash(token)
    if wanted is None:
        return None
    return _read(connection, _links().where(SecureLink.token_hash == wanted), now)


def lock_link(unit: UnitOfWork, link: Link) -> Link | None:
    """Lock the link's submission until the commit, and read the link again: it may have ended meanwhile.

    A provider's link ends with the person's consent to share with it.
    """
    unit.lock([link.submission_id])
    found = _read(unit.connection, _links().where(SecureLink.id == link.id), unit.now)
    if found is None or found.provider_id is None:
        return found
    sharing = sharing_allowed(unit.connection, [found.submission_id])[found.submission_id]
    return replace(found, sharing=sharing) if sharing.with_provider(found.provider_id) else None


def lock_of(connection: Connection, link: Link, now: dt.datetime) -> Locked | None:
    """Whether wrong second factors have locked the link. When the last one came is on record."""
    if link.is_locked_for_good:
        return Locked(link, None)
    if link.failed_attempts == 0 or link.failed_attempts % ATTEMPTS_BEFORE_LOCK:
        return None
    last = last_recorded(connection, link, Action.PAGE_UNLOCK_FAILED)
    if last is None or last + LOCK <= now:
        return None
    return Locked(link, max(1, round((last + LOCK - now).total_seconds())))


def last_recorded(connection: Connection, link: Link, action: Action) -> dt.datetime | None:
    """When `action` was last recorded with nothing but this link in its details."""
    return connection.execute(
        select(AuditEvent.occurred_at)
        .where(
            AuditEvent.submission_id == link.submission_id,
            AuditEvent.action == action.value,
            AuditEvent.details == canonical_details(about(link)),
        )
        .order_by(AuditEvent.seq.desc())
        .limit(1)
    ).scalar_one_or_none()


def about(link: Link) -> dict[Detail, str | int | bool | None]:
    """The details of a record that is about the link itself."""
    return {Detail.LINK: str(link.id)}


def _links() -> Select[*tuple[Any, ...]]:
    return (
        select(
            SecureLink.id,
            SecureLink.audience,
            SecureLink.submission_id,
            SecureLink.referral_id,
            SecureLink.failed_attempts,
            SecureLink.expires_at,
            SecureLink.revoked_at,
            Submission.status.label("submission_status"),
            Email.language,
            Referral.provider_id,
            Referral.status.label("referral_status"),
            Referral.expires_at.label("referral_expires_at"),
        )
        .join(Submission, Submission.id == SecureLink.submission_id)
        .join(Email, Email.id == SecureLink.id)
        .outerjoin(Referral, Referral.id == SecureLink.referral_id)
    )


def _read(connection: Connection, statement: Select[*tuple[Any, ...]], now: dt.datetime) -> Link | None:
    row: Row[*tuple[Any, ...]] | None = connection.execute(statement).one_or_none()
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    return Link(
        id=row.id,
        audience=Audience(row.audience),
        submission_id=row.submission_id,
        submission_status=SubmissionStatus(row.submission_status),
        # A provider may speak only languages that the pages are not written in.
        language=row.language if row.language in LANGUAGES else LANGUAGES[0],
        failed_attempts=row.failed_attempts,
        referral_id=row.referral_id,
        provider_id=row.provider_id,
        referral_status=ReferralStatus(row.referral_status) if row.referral_status else None,
        referral_expires_at=row.referral_expires_at,
    )
