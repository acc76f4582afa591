"""A submission, what it said (sealed), and what was decided about it.

`Submission` is the narrow head that every step locks and updates: its life-cycle status and the number of its last
audit record stand in one row, so neither can be written without the other. Everything a person said stands in
`SealedDocument`, encrypted under the submission's own data key; erasing the `DataKey` row erases it all.
"""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class Submission(Base):
    __tablename__ = "submission"
    __table_args__ = {"postgresql_with": {"fillfactor": 70}}  # noqa: RUF012 - SQLAlchemy's own convention

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True, comment="Short code a person can read over the phone.")
    source: Mapped[str]
    status: Mapped[str]
    status_changed_at: Mapped[dt.datetime]
    audit_seq: Mapped[int] = mapped_column(comment="Number of the last audit record about this submission.")
    received_at: Mapped[dt.datetime]
    screening_version: Mapped[str]
    revision_of: Mapped[uuid.UUID | None] = mapped_column(comment="Same vendor id as that one, another body.")


class DataKey(Base):
    """The key that all of one submission's sealed documents are encrypted under, itself wrapped by the vault's."""

    __tablename__ = "data_key"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    wrapped_key: Mapped[bytes]


class SealedDocument(Base):
    """One encrypted part: `body` (raw bytes as received), `answers`, `problems`, `assessment`, `reason:<referral>`,
    `decision` (of an expert). When answers are added, `answers:2` and `assessment:2` follow; the highest number counts.
    """

    __tablename__ = "sealed_document"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes]


class IntakeKey(Base):
    """What makes a repeat recognisable: a source's vendor id or Idempotency-Key, and the digest of the body."""

    __tablename__ = "intake_key"

    source: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key_index: Mapped[bytes] = mapped_column(primary_key=True, comment="Keyed hash: a client's key may say anything.")
    body_index: Mapped[bytes]
    submission_id: Mapped[uuid.UUID]


class PersonIndex(Base):
    """Blind indexes by which a person's submissions are found without decrypting any."""

    __tablename__ = "person_index"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    person: Mapped[bytes | None] = mapped_column(index=True)
    email: Mapped[bytes | None]
    received_at: Mapped[dt.datetime]

    __table_args__ = (Index("ix_person_index_email_received_at", "email", "received_at"),)


class RecentRequest(Base):
    """The latest request of one person for one condition; the primary key decides between two racing workers."""

    __tablename__ = "recent_request"

    fingerprint: Mapped[bytes] = mapped_column(primary_key=True)
    submission_id: Mapped[uuid.UUID]
    received_at: Mapped[dt.datetime]
    held_until: Mapped[dt.datetime] = mapped_column(comment="A request received after this is a new one.")


class Duplicate(Base):
    """A submission that was joined to the same person's earlier one."""

    __tablename__ = "duplicate"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    duplicate_of: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"))


class Quarantine(Base):
    """A kept submission that software could not read; deleted when it is remapped."""

    __tablename__ = "quarantine"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    source: Mapped[str]
    reason: Mapped[str]
    quarantined_at: Mapped[dt.datetime]


class Review(Base):
    """A submission that waits for an expert; deleted when it is decided."""

    __tablename__ = "review"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    reasons: Mapped[str]
    queued_at: Mapped[dt.datetime]


class Assessment(Base):
    """That scoring happened and how it came out; the explanation is the sealed document `assessment`.

    `network_revision` and `judged_at` name the provider versions it was scored against (see `NetworkRevision`).
    """

    __tablename__ = "assessment"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    outcome: Mapped[str]
    network_digest: Mapped[str] = mapped_column(comment="Which set of provider versions was scored against.")
    network_revision: Mapped[int | None]
    judged_at: Mapped[dt.datetime | None] = mapped_column(comment="The time that scoring took for now.")
    assessed_at: Mapped[dt.datetime]


class ProviderMatch(Base):
    """One provider version whose criteria fit, in rank order from 1."""

    __tablename__ = "provider_match"

    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
    provider_version_id: Mapped[uuid.UUID]
    program_id: Mapped[str]
    score: Mapped[int]


class SourceTally(Base):
    """Per source and outcome (accepted, repeated, refused:<reason>): how many, and when last."""

    __tablename__ = "source_tally"

    source: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[dt.datetime]
