"""Providers as imported: immutable versions, the one that took effect last of each counts."""

import datetime as dt
import uuid

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.models.base import Base


class ProviderVersion(Base):
    """One provider as published at one time. Never updated: a change is a new version."""

    __tablename__ = "provider_version"
    __table_args__ = (UniqueConstraint("provider_id", "version"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(comment="SHA-256 of the document's RFC 8785 form.")
    document: Mapped[str] = mapped_column(comment="The provider's document, RFC 8785 JSON. Empty programs: retired.")
    effective_at: Mapped[dt.datetime]
    imported_at: Mapped[dt.datetime]
    revision: Mapped[int] = mapped_column(server_default="0", comment="The network's revision that brought it.")


class NetworkRevision(Base):
    """One row: how often the network was published. Whoever publishes locks it, whoever scores looks at it first.

    A revision and a time name exactly one set of versions: those of no later revision, of each provider the one that
    had taken effect last by then.
    """

    __tablename__ = "network_revision"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]
