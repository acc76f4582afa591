"""Which emails follow from a step, and to whom.

An email is unique per submission, kind, recipient and cause; its row, its link, its job and its record are written in
the transaction of the step that caused it.
"""

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Select, bindparam, func, select
from uuid_utils.compat import uuid7

from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import canonical_details
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, Reader
from pipeline.ledger import ClaimedJob
from pipeline.models import AuditEvent, Email, PersonIndex, SecureLink
from pipeline.secure_link import Audience
from pipeline.status import EmailStatus
from pipeline.unit_of_work import UnitOfWork

EMAIL_LANE = "email"
TO_PERSON = "person"

_LOOKED_AT = [Action.PAGE_OPENED.value, Action.PAGE_UNLOCKED.value]


def to_provider(provider_id: str) -> str:
    return f"provider:{provider_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """An email to be. `cause` tells repeats apart; `subject_id` is the referral or one-time code it is about.

    Its link, if it has one, ends at `link_until`, else after the usual number of days.
    """

    submission_id: uuid.UUID
    kind: EmailKind
    recipient: str
    language: str
    cause: str
    subject_id: uuid.UUID | None = None
    link_until: dt.datetime | None = None


def queue_email(context: Context, unit: UnitOfWork, message: Message, job: ClaimedJob | None = None) -> uuid.UUID:
    """Collect the email's row, link, job and record; returns its id."""
    email_id = uuid7()
    unit.insert(
        Email.table(),
        id=email_id,
        submission_id=message.submission_id,
        kind=message.kind.value,
        recipient=message.recipient,
        cause=message.cause,
        subject_id=message.subject_id,
        language=message.language,
        status=EmailStatus.QUEUED.value,
        created_at=unit.now,
    )
    if RULES[message.kind].has_link:
        _insert_link(context, unit, message, email_id)
    unit.enqueue(EMAIL_LANE, email_id, message.submission_id)
    unit.record(
        message.submission_id,
        Action.EMAIL_QUEUED,
        {
            Detail.EMAIL: str(email_id),
            Detail.KIND: message.kind.value,
            Detail.RECIPIENT: message.recipient,
            Detail.CAUSE: message.cause,
        },
        job=job,
    )
    return email_id


def _insert_link(context: Context, unit: UnitOfWork, message: Message, email_id: uuid.UUID) -> None:
    about_referral = RULES[message.kind].reader is Reader.PROVIDER
    days = context.settings.referral_valid_days if about_referral else context.settings.link_valid_days
    unit.insert(
        SecureLink.table(),
        id=email_id,
        token_hash=hashlib.sha256(context.vault.derive_token("link", email_id)).digest(),
        audience=(Audience.PROVIDER if about_referral else Audience.PERSON).value,
        submission_id=message.submission_id,
        referral_id=message.subject_id if about_referral else None,
        created_at=unit.now,
        expires_at=message.link_until or unit.now + dt.timedelta(days=days),
        failed_attempts=0,
    )


def opened_links(
    connection: Connection, submission_ids: Sequence[uuid.UUID], email_ids: Sequence[uuid.UUID]
) -> set[uuid.UUID]:
    """The emails whose link, which has the same id, somebody or something has followed: those emails have arrived."""
    by_details = {canonical_details({Detail.LINK: str(email_id)}): email_id for email_id in email_ids}
    if not by_details:
        return set()
    statement = select(AuditEvent.details).where(
        bulk.is_among(connection, AuditEvent.submission_id, submission_ids),
        AuditEvent.action.in_(_LOOKED_AT),
        bulk.is_among(connection, AuditEvent.details, by_details),
    )
    return {by_details[details] for details in connection.execute(statement).scalars()}


def count_recent_requests(connection: Connection, indexes: set[bytes], since: dt.datetime) -> Counter[bytes]:
    """How many requests named each address (by blind index) since then: a flood is somebody else's doing."""
    if not indexes:
        return Counter()
    counting = _counting_requests(connection.dialect.name)
    rows = connection.execute(counting, {"indexes": list(indexes), "since": since}).all()
    return Counter({bytes(email): requests for email, requests in rows if email is not None})


@cache
def _counting_requests(dialect: str) -> Select[bytes | None, int]:
    of_addresses = bulk.is_one_of(dialect, PersonIndex.email, "indexes")
    return (
        select(PersonIndex.email, func.count())
        .where(of_addresses, PersonIndex.received_at > bindparam("since"))
        .group_by(PersonIndex.email)
    )
