"""The three keysets: `vault` wraps data keys, `index` makes blind indexes and tokens, `audit` authenticates records.

They live as Tink keysets in files of one folder, never in the database. They are created automatically only for the
embedded data directory; anywhere else a missing file is an operator's mistake that must not be papered over, because
records written under a new key could not be read with the old one back.
"""

import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import tink
from sqlalchemy import select
from tink import aead, json_proto_keyset_format, prf, secret_key_access

from pipeline import bulk
from pipeline.db import Database, utc_now
from pipeline.models import KeyFingerprint

aead.register()
prf.register()


class KeyPurpose(StrEnum):
    VAULT = "vault"
    INDEX = "index"
    AUDIT = "audit"


_TEMPLATES = {
    KeyPurpose.VAULT: aead.aead_key_templates.AES256_GCM,
    KeyPurpose.INDEX: prf.prf_key_templates.HMAC_SHA256,
    KeyPurpose.AUDIT: prf.prf_key_templates.HMAC_SHA256,
}


_COLUMNS = ("purpose", "fingerprint", "registered_at")


class KeyProblem(Exception):
    """A keyset is missing, unreadable, or not the one this database was written with."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The loaded keysets' primitives.

    After a rotation `wrap` and `authenticate` use the new key and still accept what was made with the old ones.
    `index` stays with the first key of its keyset: an index is looked up, not opened, so it cannot have two keys.
    """

    wrap: aead.Aead
    index: Callable[[bytes, int], bytes]
    authenticate: Callable[[bytes, int], bytes]
    is_authentic: Callable[[bytes, bytes], bool]
    """Whether a code (second) was made for a message (first) with any key of the keyset."""
    fingerprints: dict[KeyPurpose, frozenset[str]]
    primary_fingerprints: dict[KeyPurpose, str]


def create_keysets(folder: Path) -> None:
    """Write fresh keysets, mode 0600, for every purpose that has no file in `folder` yet."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for purpose in KeyPurpose:
        path = folder / f"{purpose}.json"
        if not path.exists():
            handle = tink.new_keyset_handle(_TEMPLATES[purpose])
            _write_private(path, json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))


def load_keysets(folder: Path, *, create: bool = False) -> Keys:
    """Load the keysets of `folder`; with `create`, make the missing ones (the embedded data directory only).

    Raises `KeyProblem` naming the file that is missing or unreadable.
    """
    if create:
        create_keysets(folder)
    handles = {purpose: _load(folder / f"{purpose}.json") for purpose in KeyPurpose}
    texts = {purpose: (folder / f"{purpose}.json").read_text(encoding="utf-8") for purpose in KeyPurpose}
    indexes, authenticators = (
        handles[purpose].primitive(prf.PrfSet) for purpose in (KeyPurpose.INDEX, KeyPurpose.AUDIT)
    )
    return Keys(
        wrap=handles[KeyPurpose.VAULT].primitive(aead.Aead),
        index=indexes.all()[next(iter(_fingerprints(texts[KeyPurpose.INDEX])))].compute,
        authenticate=authenticators.primary().compute,
        is_authentic=lambda message, code: any(
            hmac.compare_digest(each.compute(message, len(code)), code) for each in authenticators.all().values()
        ),
        fingerprints={purpose: frozenset(_fingerprints(text).values()) for purpose, text in texts.items()},
        primary_fingerprints={purpose: _primary_fingerprint(text) for purpose, text in texts.items()},
    )


def check_fingerprints(database: Database, keys: Keys) -> None:
    """Register the keysets with a fresh database, or raise `KeyProblem` if it was written with others."""
    with database.read() as connection:
        known = {row.purpose: row.fingerprint for row in connection.execute(select(KeyFingerprint.table()))}
    for purpose in KeyPurpose:
        if purpose not in known:
            _register(database, purpose, keys.primary_fingerprints[purpose])
        elif known[purpose] not in keys.fingerprints[purpose]:
            raise KeyProblem(
                f"the {purpose} keyset is not the one this database was written with "
                f"(database: {known[purpose]}, keyset: {keys.primary_fingerprints[purpose]}): "
                f"point CAREROUTE_KEYS_DIR at the right folder"
            )


def _register(database: Database, purpose: KeyPurpose, fingerprint: str) -> None:
    row = (str(purpose), fingerprint, utc_now())
    with database.write() as connection:
        bulk.insert(connection, KeyFingerprint.table(), _COLUMNS, [row], "ON CONFLICT DO NOTHING")


def _load(path: Path) -> tink.KeysetHandle:
    try:
        return json_proto_keyset_format.parse(path.read_text(encoding="utf-8"), secret_key_access.TOKEN)
    except FileNotFoundError:
        raise KeyProblem(
            f"{path} is missing: keys are created automatically only for the embedded database. "
            f"Put the keyset there, or create one for a new installation with `careroute keys new FOLDER`"
        ) from None
    except (tink.TinkError, ValueError, UnicodeDecodeError) as error:
        raise KeyProblem(f"{path} is not a Tink keyset in JSON form ({type(error).__name__})") from None


def _fingerprints(text: str) -> dict[int, str]:
    """Key id → fingerprint. The keys are uniformly random, so a hash of one gives nothing away."""
    keyset: dict[str, Any] = json.loads(text)
    return {
        key["keyId"]: hashlib.sha256(b"careroute key fingerprint\0" + key["keyData"]["value"].encode()).hexdigest()[:16]
        for key in keyset["key"]
    }


def _primary_fingerprint(text: str) -> str:
    return _fingerprints(text)[json.loads(text)["primaryKeyId"]]


def _write_private(path: Path, text: str) -> None:
    # Linked into place whole: of two processes starting at once, the first one's keys count for both.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
