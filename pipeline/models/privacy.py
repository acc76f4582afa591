"""What people agreed to, what must be kept, and what was erased. Consent and erasures only grow."""

import datetime as dt
import uuid

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class ConsentEntry(Base):
    """One line of the consent ledger: given or withdrawn, for a purpose and a recipient.

    A consent is live while its latest line for the purpose and recipient says `given`, and no later line for the
    purpose and a wider recipient says `withdrawn`.
    """

    __tablename__ = "consent_entry"
    __table_args__ = (Index("ix_consent_entry_submission_id_purpose", "submission_id", "purpose"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="Time-ordered, as lines of one submission are.")
    submission_id: Mapped[uuid.UUID]
    purpose: Mapped[str] = mapped_column(comment="`contact` or `share`.")
    recipient: Mapped[str] = mapped_column(comment="`organisation`, `providers`, or `provider:<id>`.")
    decision: Mapped[str] = mapped_column(comment="`given` or `withdrawn`.")
    text_version: Mapped[str | None] = mapped_column(comment="Of the text agreed to; empty on a withdrawal.")
    text_hash: Mapped[bytes | None] = mapped_column(comment="SHA-256 of that text in the person's language.")
    language: Mapped[str | None]
    source: Mapped[str] = mapped_column(comment="Where it was said: `source:<id>`, `person`, `staff:<user>`.")
    proof: Mapped[bytes | None] = mapped_column(
        comment="Commitment, under the submission's key, to the body that said so; unreadable once that is destroyed."
    )
    decided_at: Mapped[dt.datetime] = mapped_column(comment="When the person decided: the form's receipt, a click.")
    recorded_at: Mapped[dt.datetime]


class LegalHold(Base):
    """A submission that must not be erased, for one matter; each is lifted by itself."""

    __tablename__ = "legal_hold"

    submission_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    matter: Mapped[str] = mapped_column(primary_key=True, comment="Its short name, such as `case-2026-14`.")
    placed_by: Mapped[str]
    placed_at: Mapped[dt.datetime]


class Erasure(Base):
    """A submission whose key was destroyed. The same line stands in a file outside the database."""

    __tablename__ = "erasure"

    submission_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(
        comment="`request`, `order`, `mistake` or `retention`; what is erased again keeps its first."
    )
    erased_at: Mapped[dt.datetime]
