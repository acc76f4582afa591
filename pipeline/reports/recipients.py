"""Providers by name and address, as they were published when something was offered to them."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from config.providers import ProviderDocument
from pipeline.models import Referral
from pipeline.outreach import to_provider
from pipeline.providers import read_documents
from pipeline.status import ReferralStatus


@dataclass(frozen=True, slots=True)
class Entity:
    """Who received something: the name, and the address as far as it is known (45 CFR 164.528(b)(2)(ii))."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A submission offered to a provider: the provider as it was published then."""

    submission_id: uuid.UUID
    recipient: str
    entity: Entity
    status: ReferralStatus


def read_offers(connection: Connection, submission_ids: Collection[uuid.UUID]) -> Mapping[tuple[uuid.UUID, str], Offer]:
    """What was offered to whom, by submission and recipient."""
    rows = connection.execute(
        select(Referral.submission_id, Referral.provider_id, Referral.provider_version_id, Referral.status)
        .where(Referral.submission_id.in_(list(submission_ids)))
        .order_by(Referral.created_at, Referral.id)
    ).all()
    documents = read_documents(connection, {row.provider_version_id for row in rows})
    return {
        (row.submission_id, to_provider(row.provider_id)): Offer(
            row.submission_id,
            to_provider(row.provider_id),
            _entity(documents[row.provider_version_id]),
            ReferralStatus(row.status),
        )
        for row in rows
    }


def _entity(document: ProviderDocument) -> Entity:
    places = "; ".join(f"{place.city}, {place.postal_code} {place.country}" for place in document.locations)
    return Entity(document.name, f"{document.contact.name}, {document.contact.email}; {places}")
