"""Emails, each try to send one, what providers said about it later, and who must not be written to.

No address and no body is kept here: an address is known by its blind index, a body by the hash of its bytes.
"""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class Email(Base):
    """One message to one recipient for one cause. Addresses and bodies are not kept here.

    `attempt_id` is set, and committed, just before the transport is called and cleared when its answer is recorded:
    a row found with one after its lease ended may or may not have been sent.
    """

    __tablename__ = "email"
    __table_args__ = (
        UniqueConstraint("submission_id", "kind", "recipient", "cause"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"))
    kind: Mapped[str]
    recipient: Mapped[str] = mapped_column(comment="`person` or `provider:<id>`.")
    cause: Mapped[str]
    subject_id: Mapped[uuid.UUID | None] = mapped_column(comment="The referral or one-time code it is about.")
    language: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[dt.datetime]
    attempt_id: Mapped[uuid.UUID | None]
    transport: Mapped[str | None]
    handed_over_at: Mapped[dt.datetime | None]
    provider_message_id: Mapped[str | None]
    detail: Mapped[str | None]
    content_hash: Mapped[bytes | None] = mapped_column(comment="SHA-256 of the exact bytes last given to a transport.")


class EmailAttempt(Base):
    """One try to hand an email to a transport that leaves this machine; committed before the call.

    `id` is the random attempt id, the only thing that a provider is told besides the mail itself: its events name it.
    """

    __tablename__ = "email_attempt"
    __table_args__ = (
        Index("ix_email_attempt_address_index_started_at", "address_index", "started_at"),
        {"postgresql_with": {"fillfactor": 80}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("email.id"), index=True)
    transport: Mapped[str]
    address_index: Mapped[bytes]
    content_hash: Mapped[bytes]
    started_at: Mapped[dt.datetime]
    outcome: Mapped[str | None] = mapped_column(comment="A SendOutcome; empty while the call is under way, or lost.")
    code: Mapped[str | None]
    provider_message_id: Mapped[str | None] = mapped_column(index=True)


class MailEvent(Base):
    """What a provider reported about an email, once. `email_id` is set when it is known which one it was."""

    __tablename__ = "mail_event"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    transport: Mapped[str]
    event_key: Mapped[bytes] = mapped_column(unique=True, comment="SHA-256 of the provider's own id of the event.")
    event: Mapped[str]
    code: Mapped[str | None]
    occurred_at: Mapped[dt.datetime]
    received_at: Mapped[dt.datetime]
    attempt_id: Mapped[uuid.UUID | None]
    provider_message_id: Mapped[str | None]
    address_index: Mapped[bytes | None]
    email_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    applied_at: Mapped[dt.datetime | None]


class MailTally(Base):
    """How many events of each sort a transport has reported, and when last: for metrics."""

    __tablename__ = "mail_tally"

    transport: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[dt.datetime]


class Suppression(Base):
    """An address that is not written to, for one class of mail and one reason; any of its reasons is enough.

    `reason`: bounced, complained, unsubscribed, staff. Each is lifted by itself: a mailbox that works again does not
    make somebody want what they had unsubscribed from.
    """

    __tablename__ = "suppression"

    address_index: Mapped[bytes] = mapped_column(primary_key=True)
    mail_class: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[dt.datetime]
    email_id: Mapped[uuid.UUID | None] = mapped_column(comment="The email that led to it; no reference, it may go.")


class TransportBreaker(Base):
    """A circuit breaker. No row: closed and never opened. `trips` counts openings since it last closed."""

    __tablename__ = "transport_breaker"

    transport: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(comment="closed, or open: then the next drain after `probe_at` tries one email.")
    reason: Mapped[str]
    trips: Mapped[int]
    since: Mapped[dt.datetime]
    probe_at: Mapped[dt.datetime | None]
