"""A consent is taken back, by the person on their page or by staff: for one provider, for all, or to be written to."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from pipeline.audit.actions import Actor
from pipeline.consent.purposes import ConsentPurpose
from pipeline.context import Context
from pipeline.models import Duplicate, Referral
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.withdrawal import withdraw, withdraw_contact, withdraw_from_provider


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Which consent; `provider_id` for one provider only."""

    purpose: ConsentPurpose
    provider_id: str | None = None

    def __post_init__(self) -> None:
        if self.provider_id is not None and self.purpose is not ConsentPurpose.SHARE:
            raise ValueError("only sharing is agreed to by provider")


class HowAsked(StrEnum):
    """How a person said to staff that a consent is taken back. On record for ever, so nothing else goes there."""

    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    IN_PERSON = "in_person"


class UnknownProvider(Exception):
    """There is no such provider in the network, nor was the request ever referred to one."""


def take_back(
    context: Context,
    unit: UnitOfWork,
    submission_ids: Sequence[uuid.UUID],
    what: TakenBack,
    link_id: uuid.UUID | None = None,
    *,
    reason: str | None = None,
) -> bool:
    """Take a consent back for a request, and for the earlier one that it was joined to; returns whether that was new.

    Their locks must be held. Sharing with nobody at all stops everything; the link by which that was asked for stays,
    to say so again.
    """
    new = False
    for submission_id in submission_ids:
        if what.purpose is ConsentPurpose.CONTACT:
            new |= withdraw_contact(unit, submission_id, reason=reason)
        elif what.provider_id is not None:
            new |= withdraw_from_provider(context, unit, submission_id, what.provider_id, reason=reason)
        else:
            new |= withdraw(context, unit, submission_id, link_id, purposes=[what.purpose], reason=reason)
    return new


def take_back_by_staff(
    context: Context, actor: Actor, submission_id: uuid.UUID, what: TakenBack, asked: HowAsked
) -> bool:
    """Take a consent back as the person asked staff to, on record with how; returns whether that was new.

    Raises `UnknownProvider`: a slip in its id must not pass for a withdrawal.
    """
    with begin(context.database, context.keys, actor) as unit:
        both = [submission_id, *joined_to(unit.connection, submission_id)]
        unit.lock(both)
        if what.provider_id is not None and not _is_known(context, unit.connection, submission_id, what.provider_id):
            raise UnknownProvider(what.provider_id)
        return take_back(context, unit, both, what, reason=asked.value)


def joined_to(connection: Connection, submission_id: uuid.UUID) -> list[uuid.UUID]:
    """The earlier request that a duplicate repeats. Known before the lock: it is written before any link, for good."""
    statement = select(Duplicate.duplicate_of).where(Duplicate.submission_id == submission_id)
    return list(connection.execute(statement).scalars())


def _is_known(context: Context, connection: Connection, submission_id: uuid.UUID, provider_id: str) -> bool:
    if context.networks.current(connection).document_of(provider_id) is not None:
        return True
    referred = select(Referral.id).where(Referral.submission_id == submission_id, Referral.provider_id == provider_id)
    return connection.execute(referred.limit(1)).first() is not None
