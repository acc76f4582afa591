"""What is kept of a submission, and how its sealed parts are read."""

import datetime as dt
import re
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from pipeline import bulk, models
from pipeline.status import SubmissionStatus
from pipeline.vault import DataKey, Vault

# Crockford's base 32: no I, L, O or U, so that a reference survives a phone call.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REFERENCE = re.compile(rf"CR-[{_ALPHABET}]{{4}}-[{_ALPHABET}]{{4}}")


class Part(StrEnum):
    """The sealed documents of a submission."""

    BODY = "body"
    ANSWERS = "answers"
    PROBLEMS = "problems"
    ASSESSMENT = "assessment"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A submission with its wrapped key and the sealed parts that were asked for, each by its latest number."""

    submission_id: uuid.UUID
    reference: str
    source: str
    received_at: dt.datetime
    wrapped_key: bytes
    parts: dict[Part, "SealedPart"]

    @property
    def is_erased(self) -> bool:
        return not self.wrapped_key

    def key(self, vault: Vault) -> DataKey:
        """Raises `SealBroken`."""
        return vault.data_key(self.submission_id, self.wrapped_key)

    def open_json(self, vault: Vault, part: Part) -> Any:
        """One part, decrypted. Raises `SealBroken`, or `KeyError` for a part that was not asked for or is not there."""
        return self.parts[part].open_json(self.key(vault))


@dataclass(frozen=True, slots=True)
class SealedPart:
    """One document. `number` counts from 1; answers that were added, and what they were scored to, come after it."""

    part: Part
    number: int
    ciphertext: bytes

    @property
    def name(self) -> str:
        return numbered(self.part, self.number)

    def open_json(self, key: DataKey) -> Any:
        """Raises `SealBroken`."""
        return key.open_json(self.name, self.ciphertext)


def numbered(part: Part, number: int) -> str:
    """What the `number`th document of a part is called in the database: `answers`, `answers:2`."""
    return part.value if number == 1 else f"{part.value}:{number}"


def new_reference() -> str:
    """A short code for people, such as `CR-7K4M-2QXD`; 40 random bits, and unique in the database."""
    drawn = secrets.randbits(40)
    letters = "".join([_ALPHABET[drawn >> shift & 31] for shift in range(0, 40, 5)])
    return f"CR-{letters[:4]}-{letters[4:]}"


def read_reference(typed: str) -> str | None:
    """The reference that somebody typed, in any case, with or without `CR-`; None for what looks like none."""
    reference = f"CR-{typed.strip().upper().removeprefix('CR-')}"
    return reference if _REFERENCE.fullmatch(reference) else None


def read_sealed(connection: Connection, ids: Iterable[uuid.UUID], parts: Sequence[Part]) -> dict[uuid.UUID, Sealed]:
    """The submissions of `ids` that exist and still have their key, each with those of `parts` that it has."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    rows = connection.execute(_with_parts(connection.dialect.name, tuple(parts)), {"ids": wanted}).all()
    found: dict[uuid.UUID, Sealed] = {}
    for id_, reference, source, received_at, wrapped_key, part, ciphertext in rows:
        if id_ not in found:
            found[id_] = Sealed(id_, reference, source, received_at, bytes(wrapped_key), {})
        if part is None:
            continue  # it has none of them
        name, _, number = part.partition(":")
        document = SealedPart(Part(name), int(number or 1), bytes(ciphertext))
        kept = found[id_].parts.setdefault(document.part, document)
        if kept.number < document.number:
            found[id_].parts[document.part] = document
    return found


@cache
def _with_parts(dialect: str, parts: tuple[Part, ...]) -> Select[uuid.UUID, str, str, dt.datetime, bytes, Any, Any]:
    """One row for each document of a submission, and one without for a submission that has none."""
    head, key, document = models.Submission, models.DataKey, models.SealedDocument
    is_wanted = or_(false(), *(_is_of(document.part, part) for part in parts))
    return (
        select(
            head.id, head.reference, head.source, head.received_at, key.wrapped_key, document.part, document.ciphertext
        )
        .join(key, key.submission_id == head.id)
        .outerjoin(document, and_(document.submission_id == head.id, is_wanted))
        .where(bulk.is_one_of(dialect, head.id, "ids"))
    )


def read_erased(connection: Connection, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Sealed]:
    """Those of `ids` that were erased: what is left of them, and nothing that opens."""
    wanted = list(ids)
    if not wanted:
        return {}
    head = models.Submission
    statement = select(head.id, head.reference, head.source, head.received_at)
    erased = head.status == SubmissionStatus.ERASED.value
    rows = connection.execute(statement.where(bulk.is_among(connection, head.id, wanted), erased))
    return {row.id: Sealed(row.id, row.reference, row.source, row.received_at, b"", {}) for row in rows}


def _is_of(column: InstrumentedAttribute[str], part: Part) -> ColumnElement[bool]:
    return or_(column == part.value, column.startswith(f"{part.value}:"))
