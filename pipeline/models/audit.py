"""The audit record, and the Merkle log that proves it. Triggers refuse what would change what was written.

`AuditEvent`, `AuditCheckpoint` and `AuditArchive` only grow; a tile of the log grows to its 256 hashes and then stays.
No foreign key reaches in: a record outlives what it is about.
"""

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
        # Few rows: leads that ended for want of a consent or of its text, which `status` counts.
        Index(
            "ix_audit_event_exhausted_for",
            "submission_id",
            "seq",
            postgresql_where=text("action = 'referral:exhausted' AND reason IS NOT NULL"),
            sqlite_where=text("action = 'referral:exhausted' AND reason IS NOT NULL"),
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
    """An event the sequencer has not yet put into the Merkle log.

    One that is not as it was written is refused: it stays here with the reason, a finding for `audit verify`.
    """

    __tablename__ = "audit_pending"
    # Small and busy, like `job`: its dead rows must go before the oldest are looked for among them.
    __table_args__ = (
        # However many were refused, what waits is found at once.
        Index(
            "ix_audit_pending_waiting",
            "event_id",
            postgresql_where=text("refused IS NULL"),
            sqlite_where=text("refused IS NULL"),
        ),
        {"postgresql_with": {"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2000}},
    )

    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    refused: Mapped[str | None]


class AuditLog(Base):
    """A Merkle log. The one with the highest number is written to; its row is locked by whoever sequences.

    A new one is opened when a database was restored from a backup that is older than what was anchored.
    """

    __tablename__ = "audit_log"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(unique=True, comment="Its name in checkpoints (C2SP tlog-checkpoint).")
    size: Mapped[int] = mapped_column(BigInteger, comment="Number of leaves.")
    opened_at: Mapped[dt.datetime]
    sequenced_at: Mapped[dt.datetime | None] = mapped_column(comment="When leaves were last added.")


class AuditTile(Base):
    """Up to 256 consecutive hashes of one level of a log (C2SP tlog-tiles); the last tile of a level is still growing.

    Level 0 holds leaf hashes and names their events; each hash of level n + 1 is the root of a full tile of level n.
    """

    __tablename__ = "audit_tile"
    __table_args__ = (
        Index(
            "ix_audit_tile_events",
            "log",
            "highest_event",  # first: what is asked for most is new, and higher than what nearly every tile holds
            "lowest_event",
            "tile_index",
            postgresql_where=text("level = 0"),
            sqlite_where=text("level = 0"),
        ),
    )

    log: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tile_index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(comment="32 bytes each, in order.")
    event_ids: Mapped[bytes | None] = mapped_column(comment="16 bytes each, beside the leaf hashes.")
    lowest_event: Mapped[uuid.UUID | None] = mapped_column(comment="Of its events, so that one is found by its id.")
    highest_event: Mapped[uuid.UUID | None]


class AuditCheckpoint(Base):
    """A signed statement of a log's size and root (C2SP tlog-checkpoint, a signed note)."""

    __tablename__ = "audit_checkpoint"

    log: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    note: Mapped[str]
    signed_at: Mapped[dt.datetime]


class AuditAnchoring(Base):
    """The last checkpoint that an anchor took, and what kept it from taking a newer one."""

    __tablename__ = "audit_anchoring"

    anchor: Mapped[str] = mapped_column(primary_key=True)
    log: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    anchored_at: Mapped[dt.datetime | None]
    problem: Mapped[str | None] = mapped_column(comment="Of the last try, if it failed.")


class AuditArchive(Base):
    """Records that were written to a file, verified and dropped: their leaf hashes stay in the log.

    The trigger that keeps `audit_event` lets records go only that are older than `before` of a row here.
    """

    __tablename__ = "audit_archive"

    log: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_leaf: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    end_leaf: Mapped[int] = mapped_column(BigInteger, comment="One past the last.")
    before: Mapped[dt.datetime]
    file_name: Mapped[str]
    digest: Mapped[str] = mapped_column(comment="SHA-256 of the file, hex.")
    archived_at: Mapped[dt.datetime]


class ActivityReview(Base):
    """Somebody's sign-off of what was done in a period (45 CFR 164.308(a)(1)(ii)(D))."""

    __tablename__ = "activity_review"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    period_start: Mapped[dt.datetime]
    period_end: Mapped[dt.datetime]
    reviewer: Mapped[str]
    finding: Mapped[str] = mapped_column(comment="`nothing_unusual` or `followed_up`.")
    report_digest: Mapped[str] = mapped_column(comment="SHA-256 of the report's JSON that was signed off, hex.")
    signed_at: Mapped[dt.datetime]


class AuditSeries(Base):
    """The last number of a series of records that are about no submission."""

    __tablename__ = "audit_series"

    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
