"""What has to be done, and the few rows that say how the doing is going."""

import datetime as dt
import uuid

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base, RowNumber


class Job(Base):
    """One piece of work for one lane. `lease_token` fences: only the claim that holds it may finish the job.

    A row whose worker died is marked `isolated` by the sweep and next worked on apart from others: only with those
    that share its `suspicion`, a part of what that worker held. Each death makes the part smaller, down to one row, so
    that a poison row takes only itself down (docs/decisions/0040).
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("lane", "target_id"),
        Index("ix_job_lane_source_due_at", "lane", "source", "due_at"),
        Index("ix_job_isolated", "lane", "id", postgresql_where=text("isolated"), sqlite_where=text("isolated")),
        {
            "sqlite_autoincrement": True,
            "postgresql_with": {
                "fillfactor": 50,
                "autovacuum_vacuum_scale_factor": 0,
                "autovacuum_vacuum_threshold": 2000,
            },
        },
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True, autoincrement=True)
    lane: Mapped[str]
    source: Mapped[str] = mapped_column(
        server_default=text("''"), comment="Of the submission; empty for work about none."
    )
    submission_id: Mapped[uuid.UUID | None]
    target_id: Mapped[uuid.UUID]
    generation: Mapped[int]
    attempts: Mapped[int]
    due_at: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]
    lease_until: Mapped[dt.datetime | None]
    lease_token: Mapped[uuid.UUID | None]
    isolated: Mapped[bool]
    suspicion: Mapped[uuid.UUID | None] = mapped_column(comment="Shared by isolated rows that are worked on together.")
    last_error: Mapped[str | None]


class DeadJob(Base):
    """A dead letter: a job that was given up, with the reason, until someone retries or discards it."""

    __tablename__ = "dead_job"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True, autoincrement=False)
    lane: Mapped[str] = mapped_column(index=True)
    submission_id: Mapped[uuid.UUID | None]
    target_id: Mapped[uuid.UUID]
    attempts: Mapped[int]
    reason: Mapped[str]
    died_at: Mapped[dt.datetime]


class LanePause(Base):
    """A lane that rests, because everyone in it would fail alike. `until` empty: until someone resumes it."""

    __tablename__ = "lane_pause"

    lane: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    since: Mapped[dt.datetime]
    until: Mapped[dt.datetime | None]


class Heartbeat(Base):
    """When a periodic duty last ran; taking a turn is a conditional update of this row."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]


class KeyFingerprint(Base):
    """Which keyset this database was written with, so that a process with another one refuses to start."""

    __tablename__ = "key_fingerprint"

    purpose: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    registered_at: Mapped[dt.datetime]
