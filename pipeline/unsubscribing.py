"""Ending mail that was asked for, and asking for it again, by the token that every such email carries (RFC 8058).

The token names an email; what is suppressed is the address that it went to, for every request of that address.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from config.screening import LANGUAGES
from pipeline.audit import actions
from pipeline.audit.actions import Actor
from pipeline.context import Context
from pipeline.email.kinds import MailClass
from pipeline.models import Email, EmailAttempt, PersonIndex, Suppression
from pipeline.outreach import TO_PERSON
from pipeline.secure_link import email_to_unsubscribe
from pipeline.suppression import Reason, Suppressing, address_index, lift, suppress_all
from pipeline.unit_of_work import UnitOfWork, begin


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whether the address of an email still gets mail that was asked for."""

    email_id: uuid.UUID
    submission_id: uuid.UUID
    provider_id: str | None
    """Whose contact it is; None for a person's address."""
    language: str
    addresses: tuple[bytes, ...]
    """Blind indexes of where it went: more than one if a provider's contact changed between two tries."""
    unsubscribed: bool
    stopped_otherwise: bool
    """Whether such mail is stopped for a reason that its owner cannot take back here."""

    @property
    def owner(self) -> Actor:
        """Whom the email was sent to."""
        return actions.person(self.submission_id) if self.provider_id is None else actions.provider(self.provider_id)


def look(context: Context, token: str) -> Subscription | None:
    """How it stands; None for a token that we never gave out. Changes nothing."""
    email_id = email_to_unsubscribe(context.vault, token)
    if email_id is None:
        return None
    with context.database.read() as connection:
        return _read(context, connection, email_id)


def unsubscribe(context: Context, token: str, request_id: str) -> Subscription | None:
    """End mail of the classes that can be ended, on record. Done already, it changes nothing."""

    def end(unit: UnitOfWork, found: Subscription) -> None:
        wanted = [Suppressing(address, found.submission_id, found.email_id) for address in found.addresses]
        suppress_all(unit, wanted, Reason.UNSUBSCRIBED)

    return _change(context, token, request_id, end, unsubscribed=True)


def subscribe_again(context: Context, token: str, request_id: str) -> Subscription | None:
    """Take back that it was ended, on record; what stopped the mail for another reason stays."""

    def resume(unit: UnitOfWork, found: Subscription) -> None:
        for address in found.addresses:
            lift(unit, address, reasons=[Reason.UNSUBSCRIBED], submission_id=found.submission_id)

    return _change(context, token, request_id, resume, unsubscribed=False)


def _change(
    context: Context,
    token: str,
    request_id: str,
    change: Callable[[UnitOfWork, Subscription], None],
    *,
    unsubscribed: bool,
) -> Subscription | None:
    found = look(context, token)
    if found is None or found.unsubscribed is unsubscribed:
        return found
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        unit.lock([found.submission_id])
        change(unit, found)
        return _read(context, unit.connection, found.email_id)


def _read(context: Context, connection: Connection, email_id: uuid.UUID) -> Subscription | None:
    row = connection.execute(
        select(Email.submission_id, Email.recipient, Email.language).where(Email.id == email_id)
    ).one_or_none()
    if row is None:
        return None
    provider_id = None if row.recipient == TO_PERSON else row.recipient.partition(":")[2]
    addresses = _addresses(context, connection, email_id, row.submission_id, provider_id)
    if not addresses:
        return None
    reasons = _reasons(connection, addresses)
    return Subscription(
        email_id=email_id,
        submission_id=row.submission_id,
        provider_id=provider_id,
        # A provider may speak only languages that the pages are not written in.
        language=row.language if row.language in LANGUAGES else LANGUAGES[0],
        addresses=addresses,
        unsubscribed=all((address, Reason.UNSUBSCRIBED) in reasons for address in addresses),
        stopped_otherwise=any(reason is not Reason.UNSUBSCRIBED for _, reason in reasons),
    )


def _addresses(
    context: Context, connection: Connection, email_id: uuid.UUID, submission_id: uuid.UUID, provider_id: str | None
) -> tuple[bytes, ...]:
    """Where it went; where that is not known, where it would go now."""
    tried = connection.execute(
        select(EmailAttempt.address_index).where(EmailAttempt.email_id == email_id, EmailAttempt.address_index != b"")
    ).scalars()
    if used := tuple(sorted({bytes(each) for each in tried})):
        return used
    if provider_id is None:
        kept = connection.execute(select(PersonIndex.email).where(PersonIndex.submission_id == submission_id)).scalar()
        return (bytes(kept),) if kept is not None else ()
    document = context.networks.current(connection).document_of(provider_id)
    return (address_index(context.vault, document.contact.email),) if document is not None else ()


def _reasons(connection: Connection, addresses: tuple[bytes, ...]) -> set[tuple[bytes, Reason]]:
    """Why each address gets no mail of class requested."""
    rows = connection.execute(
        select(Suppression.address_index, Suppression.reason).where(
            Suppression.address_index.in_(addresses), Suppression.mail_class == MailClass.REQUESTED.value
        )
    )
    return {(bytes(row.address_index), Reason(row.reason)) for row in rows}
