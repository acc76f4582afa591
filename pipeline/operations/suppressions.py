"""The suppression list in the hands of staff: looked at, added to, lifted, imported. Each of them is on record.

A record about an address is kept with the latest submission that gave it, else among those about no submission.
"""

import csv
import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, Select, select

from pipeline.audit.actions import Action, Actor
from pipeline.db import Database
from pipeline.email.kinds import MailClass
from pipeline.keys import Keys
from pipeline.models import Email, PersonIndex, Submission, Suppression
from pipeline.suppression import SAID_BY_THE_OWNER, Reason, Suppressing, address_index, lift, suppress_all
from pipeline.unit_of_work import begin
from pipeline.vault import Vault

WITHOUT_THE_OWNER = tuple(reason for reason in Reason if reason not in SAID_BY_THE_OWNER)
"""What staff may lift on their own."""

_ROWS_OF_AN_ENTRY = len(MailClass)
_ADDRESSES_AT_A_TIME = 500


class NotAnAddress(ValueError):
    """What was typed is no email address; it is not repeated."""


class NotSuchAFile(ValueError):
    """A file to import that has no column `email`, or is not CSV in UTF-8."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One address on the list, which is not known itself, for one reason; and the email that led to it, if any."""

    reason: Reason
    since: dt.datetime
    classes: tuple[MailClass, ...]
    reference: str | None
    kind: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Imported:
    """`added` addresses are new on the list, `known` were there for that reason, `bad_lines` hold no address."""

    added: int
    known: int
    bad_lines: tuple[int, ...]


def list_suppressions(connection: Connection, *, reason: Reason | None = None, limit: int) -> list[Entry]:
    """The list, the latest first."""
    wanted = _rows().order_by(
        Suppression.since.desc(), Suppression.address_index, Suppression.reason, Suppression.mail_class
    )
    if reason is not None:
        wanted = wanted.where(Suppression.reason == reason.value)
    return _entries(connection.execute(wanted.limit(limit * _ROWS_OF_AN_ENTRY)))[:limit]


def look_up(database: Database, keys: Keys, actor: Actor, address: str) -> list[Entry]:
    """Why an address is not written to. Raises `NotAnAddress`."""
    index = _index(Vault(keys), address)
    with begin(database, keys, actor) as unit:
        unit.record(_latest(unit.connection, [index]).get(index), Action.SUPPRESSION_LOOKED_UP)
        return _of(unit.connection, index)


def add(database: Database, keys: Keys, actor: Actor, address: str, reason: Reason, why: str) -> bool:
    """Put an address on the list; whether that was anything new. Raises `NotAnAddress`."""
    index = _index(Vault(keys), address)
    return bool(_add(database, keys, actor, [index], reason, why))


def take_off(
    database: Database,
    keys: Keys,
    actor: Actor,
    address: str,
    why: str,
    *,
    reasons: Collection[Reason] = WITHOUT_THE_OWNER,
    classes: Collection[MailClass] = tuple(MailClass),
) -> tuple[set[tuple[MailClass, Reason]], list[Entry]]:
    """What was lifted, and what still stands. Raises `NotAnAddress`."""
    index = _index(Vault(keys), address)
    with begin(database, keys, actor) as unit:
        about = _latest(unit.connection, [index]).get(index)
        lifted = lift(unit, index, reasons=reasons, classes=classes, submission_id=about, why=why)
        return lifted, _of(unit.connection, index)


def import_file(
    database: Database, keys: Keys, actor: Actor, lines: Iterable[str], reason: Reason, why: str
) -> Imported:
    """Put the addresses in column `email` of a CSV file on the list, as mail providers export theirs.

    Raises `NotSuchAFile`; what was read until then stays.
    """
    rows = csv.DictReader(lines)
    added = known = 0
    bad_lines: list[int] = []
    batch: set[bytes] = set()
    vault = Vault(keys)

    def save() -> None:
        nonlocal added, known
        new = len(_add(database, keys, actor, batch, reason, why))
        added, known = added + new, known + len(batch) - new
        batch.clear()

    try:
        column = {name.strip().lower(): name for name in rows.fieldnames or ()}.get("email")
        if column is None:
            raise NotSuchAFile("has no column named email in its first line")
        for row in rows:
            try:
                batch.add(_index(vault, row[column] or ""))
            except NotAnAddress:
                bad_lines.append(rows.line_num)
            if len(batch) == _ADDRESSES_AT_A_TIME:
                save()
    except (csv.Error, UnicodeDecodeError):
        raise NotSuchAFile(f"cannot be read as CSV in UTF-8 after line {rows.line_num}") from None
    save()
    return Imported(added, known, tuple(bad_lines))


def _add(
    database: Database, keys: Keys, actor: Actor, addresses: Collection[bytes], reason: Reason, why: str
) -> set[bytes]:
    with begin(database, keys, actor) as unit:
        latest = _latest(unit.connection, addresses)
        wanted = [Suppressing(address, latest.get(address)) for address in addresses]
        return suppress_all(unit, wanted, reason, why=why)


def _index(vault: Vault, address: str) -> bytes:
    try:
        checked = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise NotAnAddress from None
    return address_index(vault, checked.normalized)


def _latest(connection: Connection, addresses: Collection[bytes]) -> Mapping[bytes, uuid.UUID]:
    """The latest submission that gave each address."""
    rows = connection.execute(
        select(PersonIndex.email, PersonIndex.submission_id)
        .where(PersonIndex.email.in_(list(addresses)))
        .order_by(PersonIndex.received_at, PersonIndex.submission_id)
    )
    return {bytes(row.email): row.submission_id for row in rows if row.email is not None}


def _of(connection: Connection, address: bytes) -> list[Entry]:
    wanted = _rows().where(Suppression.address_index == address)
    return _entries(connection.execute(wanted.order_by(Suppression.reason, Suppression.mail_class)))


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Suppression.address_index,
            Suppression.mail_class,
            Suppression.reason,
            Suppression.since,
            Submission.reference,
            Email.kind,
            Email.recipient,
        )
        .outerjoin(Email, Email.id == Suppression.email_id)
        .outerjoin(Submission, Submission.id == Email.submission_id)
    )


def _entries(rows: Iterable[Any]) -> list[Entry]:
    found = []
    for (_, reason), group in groupby(rows, key=lambda row: (bytes(row.address_index), row.reason)):
        several = list(group)
        first = several[0]
        classes = tuple(MailClass(row.mail_class) for row in several)
        found.append(Entry(Reason(reason), first.since, classes, first.reference, first.kind, first.recipient))
    return found
