"""Who must not be written to: addresses, by class of mail. Checked in the transaction that claims an email.

An address is known here by its blind index only. What puts it on the list: its server says that there is no such
mailbox, its owner reports our mail as unwanted or unsubscribes, or staff say so. Each reason stands by itself, for the
classes of mail that it covers, until it is lifted.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, Select, select

from pipeline import bulk
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import DetailValue
from pipeline.email.kinds import MailClass
from pipeline.models import Suppression
from pipeline.unit_of_work import UnitOfWork
from pipeline.vault import Vault


class Reason(StrEnum):
    """The one that says most comes first: it is named where an address is suppressed for several."""

    COMPLAINED = "complained"
    BOUNCED = "bounced"
    STAFF = "staff"
    UNSUBSCRIBED = "unsubscribed"


COVERS: Mapping[Reason, frozenset[MailClass]] = {
    Reason.BOUNCED: frozenset(MailClass),
    # Whoever reports our mail as spam gets none, and mailbox providers count each further one against all of it.
    Reason.COMPLAINED: frozenset(MailClass),
    Reason.UNSUBSCRIBED: frozenset({MailClass.REQUESTED, MailClass.PROMOTIONAL}),
    Reason.STAFF: frozenset(MailClass),
}
"""What is not sent any more, by why."""

SAID_BY_THE_OWNER = frozenset({Reason.COMPLAINED, Reason.UNSUBSCRIBED})
"""What nobody else may take back without the owner's word."""

_RANK = {reason: place for place, reason in enumerate(Reason)}

Suppressed = Mapping[tuple[bytes, MailClass], Reason]


@dataclass(frozen=True, slots=True)
class Suppressing:
    """An address to put on the list; the record is about `submission_id`, if any."""

    address: bytes
    submission_id: uuid.UUID | None
    email_id: uuid.UUID | None = None


def address_index(vault: Vault, address: str) -> bytes:
    """The blind index of an email address, the same as `person_index.email`, however its domain is spelt."""
    return vault.blind_index("email", _as_sent(address).casefold())


def _as_sent(address: str) -> str:
    """With the domain in ASCII, as it is told to mail providers and as they tell it."""
    if address.isascii():
        return address
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address
    return f"{checked.local_part}@{checked.ascii_domain}"


def read_suppressions(connection: Connection, addresses: Collection[bytes]) -> Suppressed:
    """Which of the addresses are suppressed, for which class, and why: of several reasons the one that says most."""
    if not addresses:
        return {}
    rows = connection.execute(_reading(connection.dialect.name), {"addresses": list(addresses)})
    found: dict[tuple[bytes, MailClass], Reason] = {}
    for row in rows:
        key, reason = (bytes(row.address_index), MailClass(row.mail_class)), Reason(row.reason)
        found[key] = min(reason, found.get(key, reason), key=_RANK.__getitem__)
    return found


@cache
def _reading(dialect: str) -> Select[bytes, str, str]:
    columns = select(Suppression.address_index, Suppression.mail_class, Suppression.reason)
    return columns.where(bulk.is_one_of(dialect, Suppression.address_index, "addresses"))


def suppress(
    unit: UnitOfWork,
    address: bytes,
    reason: Reason,
    *,
    submission_id: uuid.UUID | None,
    email_id: uuid.UUID | None = None,
    actor: Actor | None = None,
) -> None:
    """Put an address on the list, on record; `submission_id` is what the record is about. Nothing new: no record."""
    suppress_all(unit, [Suppressing(address, submission_id, email_id)], reason, actor=actor)


def suppress_all(
    unit: UnitOfWork,
    wanted: Collection[Suppressing],
    reason: Reason,
    *,
    actor: Actor | None = None,
    why: str | None = None,
) -> set[bytes]:
    """`suppress` for many: the addresses for which something is new. `why` is told in the records."""
    by_address = {each.address: each for each in wanted}
    unit.lock(each.submission_id for each in by_address.values() if each.submission_id is not None)
    added = _insert(
        unit,
        [
            (address, mail_class.value, reason.value, unit.now, by_address[address].email_id)
            for address in sorted(by_address)
            for mail_class in sorted(COVERS[reason])
        ],
    )
    for address, mail_class in sorted(added):
        each = by_address[address]
        details = _details(MailClass(mail_class), reason, each.email_id)
        unit.record(each.submission_id, Action.SUPPRESSION_ADDED, details, reason=why, actor=actor)
    return {address for address, _ in added}


def lift(
    unit: UnitOfWork,
    address: bytes,
    *,
    reasons: Collection[Reason] = tuple(Reason),
    classes: Collection[MailClass] = tuple(MailClass),
    submission_id: uuid.UUID | None,
    why: str | None = None,
) -> set[tuple[MailClass, Reason]]:
    """Take an address off the list, on record, where it is on it for one of `reasons`; what was lifted."""
    if submission_id is not None:
        unit.lock([submission_id])
    rows = bulk.fetch(
        unit.connection,
        "DELETE FROM suppression WHERE EXISTS (SELECT 1 FROM v WHERE v.address_index = suppression.address_index "
        "AND v.mail_class = suppression.mail_class AND v.reason = suppression.reason) "
        "RETURNING mail_class, reason, email_id",
        bulk.column_types(Suppression.table(), ("address_index", "mail_class", "reason")),
        [(address, mail_class.value, reason.value) for mail_class in sorted(classes) for reason in sorted(reasons)],
    )
    lifted = {(MailClass(mail_class), Reason(reason)): email_id for mail_class, reason, email_id in rows}
    for mail_class, reason in sorted(lifted):
        email_id = lifted[mail_class, reason]
        details = _details(mail_class, reason, uuid.UUID(str(email_id)) if email_id is not None else None)
        unit.record(submission_id, Action.SUPPRESSION_LIFTED, details, reason=why)
    return set(lifted)


def _details(mail_class: MailClass, reason: Reason, email_id: uuid.UUID | None) -> dict[Detail, DetailValue]:
    details: dict[Detail, DetailValue] = {Detail.MAIL_CLASS: mail_class.value, Detail.CODE: reason.value}
    if email_id is not None:
        details[Detail.EMAIL] = str(email_id)
    return details


def _insert(unit: UnitOfWork, rows: list[tuple[object, ...]]) -> set[tuple[bytes, str]]:
    """The addresses and classes that were not suppressed for this reason before."""
    columns = ("address_index", "mail_class", "reason", "since", "email_id")
    names = ", ".join(columns)
    added = bulk.fetch(
        unit.connection,
        f"INSERT INTO suppression ({names}) SELECT {names} FROM v WHERE true "  # noqa: S608 - names of our own columns
        "ON CONFLICT (address_index, mail_class, reason) DO NOTHING RETURNING address_index, mail_class",
        bulk.column_types(Suppression.table(), columns),
        rows,
    )
    return {(bytes(address), mail_class) for address, mail_class in added}
