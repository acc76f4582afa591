"""Whether there is what a report is narrowed to: a slip in a name must not pass for a finding that nothing happened."""

import uuid

from sqlalchemy import Connection, or_, select

from pipeline.audit.actions import Detail
from pipeline.models import ProviderVersion, SecureLink
from pipeline.reports.period import Period
from pipeline.reports.records import by, says, within


class NotKnown(LookupError):
    """There is no such provider, link or actor. The message says which."""


def require_provider(connection: Connection, provider_id: str) -> None:
    """Raises `NotKnown` for one that was never published. Nothing is referred to such a provider."""
    published = select(ProviderVersion.id).where(ProviderVersion.provider_id == provider_id)
    if connection.execute(published.limit(1)).first() is None:
        raise NotKnown(f"there is no provider {provider_id}, and there never was")


def require_link(connection: Connection, link_id: uuid.UUID) -> None:
    """Raises `NotKnown`. Links that ended are kept, and known."""
    if connection.execute(select(SecureLink.id).where(SecureLink.id == link_id)).first() is None:
        raise NotKnown(f"there is no link {link_id}")


def require_actor(connection: Connection, actor: str, period: Period) -> None:
    """Raises `NotKnown` for one that no record of the period names, as who did it or as whom it reached.

    There is no list of staff to look in: whoever has an account on a machine may be one.
    """
    named = within(connection, period, or_(by(actor), says(Detail.RECIPIENT, actor)))
    # The database looks for a recipient in a text, where capitals may count as small letters.
    if not any(actor in {record.actor, record.detail(Detail.RECIPIENT)} for record in named):
        raise NotKnown(f"no record names {actor} in this period")
