"""The audit record. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE, and no foreign key reaches in."""

import datetime as dt
import uuid

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class AuditEvent(Base):
    """One step on record. The columns before `leaf_hash`, in RFC 8785 form, are what it is the hash of."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("uq_audit_event_submission_id_seq", "submission_id", "seq", unique=True),
        Index(
            "uq_audit_event_system_seq",
            "seq",
            unique=True,
            postgresql_where=text("submission_id IS NULL"),
            sqlite_where=text("submission_id IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    occurred_at: Mapped[dt.datetime]
    actor: Mapped[str]
    action: Mapped[str]
    submission_id: Mapped[uuid.UUID | None]
    seq: Mapped[int]
    request_id: Mapped[str | None]
    job_id: Mapped[int | None] = mapped_column(BigInteger, comment="No reference: jobs are deleted when done.")
    attempt: Mapped[int | None]
    reason: Mapped[str | None]
    details: Mapped[str] = mapped_column(comment="RFC 8785 JSON of allow-listed, non-health facts.")
    health_ciphertext: Mapped[bytes | None]
    health_commitment: Mapped[bytes | None]
    canonical_version: Mapped[int]
    leaf_hash: Mapped[bytes]
    mac: Mapped[bytes]


class AuditPending(Base):
    """An event the sequencer has not yet put into the Merkle log."""

    __tablename__ = "audit_pending"

    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class AuditSeries(Base):
    """The last number of a series of records that are about no submission."""

    __tablename__ = "audit_series"

    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
