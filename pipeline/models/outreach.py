"""What is offered to providers, and the secure links by which people and providers look at it."""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class Referral(Base):
    """One submission offered to one provider. `expires_at` is set while the offer is open."""

    __tablename__ = "referral"
    __table_args__ = (
        UniqueConstraint("submission_id", "provider_id"),
        Index(
            "ix_referral_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
            sqlite_where=text("expires_at IS NOT NULL"),
        ),
        Index(
            "ix_referral_remind_at",
            "remind_at",
            postgresql_where=text("remind_at IS NOT NULL"),
            sqlite_where=text("remind_at IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"))
    provider_id: Mapped[str]
    provider_version_id: Mapped[uuid.UUID]
    status: Mapped[str]
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    remind_at: Mapped[dt.datetime | None] = mapped_column(comment="Empty once the provider was reminded, or answered.")
    closed_at: Mapped[dt.datetime | None]


class ProviderLoad(Base):
    """How much of a provider's capacity is taken; locked by the transaction that creates or closes referrals."""

    __tablename__ = "provider_load"

    provider_id: Mapped[str] = mapped_column(primary_key=True)
    open_referrals: Mapped[int]
    day: Mapped[str] = mapped_column(comment="The provider's own calendar day, ISO, that `day_referrals` counts.")
    day_referrals: Mapped[int]
    week: Mapped[str] = mapped_column(server_default=text("''"), comment="Its own ISO week, 2026-W47, likewise.")
    week_referrals: Mapped[int] = mapped_column(server_default="0")
    month: Mapped[str] = mapped_column(server_default=text("''"), comment="Its own calendar month, 2026-11, likewise.")
    month_referrals: Mapped[int] = mapped_column(server_default="0")
    last_offered_at: Mapped[dt.datetime | None] = mapped_column(comment="Ties go to the longest wait.")


class SecureLink(Base):
    """The link in one email (same id). Only a hash of its token is kept."""

    __tablename__ = "secure_link"
    __table_args__ = ({"postgresql_with": {"fillfactor": 90}},)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    audience: Mapped[str]
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), index=True)
    referral_id: Mapped[uuid.UUID | None]
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
    failed_attempts: Mapped[int]


class OneTimeCode(Base):
    """A code sent to a provider's registered contact. The code itself is derived, never stored."""

    __tablename__ = "one_time_code"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    link_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("secure_link.id"), index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class SecureSession(Base):
    """A short session opened by a second factor, bound to one link."""

    __tablename__ = "secure_session"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    link_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("secure_link.id"))
    expires_at: Mapped[dt.datetime]
