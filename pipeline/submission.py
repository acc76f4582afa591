"""What is kept of a submission, and how its sealed parts are read."""

import datetime as dt
import re
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, or_, select
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
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
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
    heads = connection.execute(
        select(
            models.Submission.id,
            models.Submission.reference,
            models.Submission.source,
            models.Submission.received_at,
            models.DataKey.wrapped_key,
        )
        .join(models.DataKey, models.DataKey.submission_id == models.Submission.id)
        .where(bulk.is_among(connection, models.Submission.id, wanted))
    )
    found = {
        row.id: Sealed(row.id, row.reference, row.source, row.received_at, bytes(row.wrapped_key), {}) for row in heads
    }
    documents = connection.execute(
        select(models.SealedDocument.submission_id, models.SealedDocument.part, models.SealedDocument.ciphertext).where(
            bulk.is_among(connection, models.SealedDocument.submission_id, wanted),
            or_(false(), *(_is_of(models.SealedDocument.part, part) for part in parts)),
        )
    )
    for row in documents:
        name, _, number = row.part.partition(":")
        document = SealedPart(Part(name), int(number or 1), bytes(row.ciphertext))
        if row.submission_id in found:
            kept = found[row.submission_id].parts.setdefault(document.part, document)
            if kept.number < document.number:
                found[row.submission_id].parts[document.part] = document
    return found


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
