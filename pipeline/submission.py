"""What is kept of a submission, and how its sealed parts are read."""

import datetime as dt
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from pipeline import models
from pipeline.vault import DataKey, Vault

# Crockford's base 32: no I, L, O or U, so that a reference survives a phone call.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Part(StrEnum):
    """The sealed documents of a submission."""

    BODY = "body"
    ANSWERS = "answers"
    PROBLEMS = "problems"
    ASSESSMENT = "assessment"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A submission with its wrapped key and the sealed parts that were asked for."""

    submission_id: uuid.UUID
    reference: str
    source: str
    received_at: dt.datetime
    wrapped_key: bytes
    parts: dict[str, bytes]

    def key(self, vault: Vault) -> DataKey:
        """Raises `SealBroken`."""
        return vault.data_key(self.submission_id, self.wrapped_key)

    def open_json(self, vault: Vault, part: Part) -> Any:
        """One part, decrypted. Raises `SealBroken`, or `KeyError` for a part that was not asked for or is not there."""
        return self.key(vault).open_json(part, self.parts[part])


def new_reference() -> str:
    """A short code for people, such as `CR-7K4M-2QXD`; 40 random bits, and unique in the database."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"CR-{letters[:4]}-{letters[4:]}"


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
        .where(models.Submission.id.in_(wanted))
    )
    found = {
        row.id: Sealed(row.id, row.reference, row.source, row.received_at, bytes(row.wrapped_key), {}) for row in heads
    }
    documents = connection.execute(
        select(models.SealedDocument.submission_id, models.SealedDocument.part, models.SealedDocument.ciphertext).where(
            models.SealedDocument.submission_id.in_(wanted), models.SealedDocument.part.in_([str(p) for p in parts])
        )
    )
    for row in documents:
        if row.submission_id in found:
            found[row.submission_id].parts[row.part] = bytes(row.ciphertext)
    return found
