"""The keys of one process, and whether they are those its database was written with."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Never, Protocol

import tink
from sqlalchemy import select
from tink import aead, prf

from pipeline import bulk
from pipeline.audit.signing import create_signing_key
from pipeline.db import Database, utc_now
from pipeline.key_files import KeyProblem
from pipeline.keys.folder import KeyFolder
from pipeline.keys.keyset import KeyPurpose, Keyset
from pipeline.keys.reloading import RecordKeys, WrappingKeys
from pipeline.models import KeyFingerprint

_COLUMNS = ("purpose", "fingerprint", "registered_at")


class Wrap(Protocol):
    """What wraps data keys; the associated data is the submission's id."""

    def encrypt(self, plaintext: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, ciphertext: bytes, associated_data: bytes, /) -> bytes:
        """Raises `TinkError`."""
        ...


@dataclass(frozen=True, slots=True)
class Keys:
    """The loaded keysets' primitives. One that was not loaded raises `KeyProblem` when it is used.

    After a rotation `wrap` and `authenticate` use the new key and still accept what was made with the old ones; a
    process that runs meanwhile notices by itself. `index` stays with the one key of its keyset: an index is looked up,
    not opened, so it cannot have two keys.
    """

    wrap: Wrap
    index: Callable[[bytes, int], bytes]
    authenticate: Callable[[bytes, int], bytes]
    is_authentic: Callable[[bytes, bytes], bool]
    """Whether a code (second) was made for a message (first) with any key of the keyset."""
    record_fingerprints: Callable[[], frozenset[str]]
    """Of the keys that `is_authentic` tries, as they are loaded now."""
    fingerprints: dict[KeyPurpose, frozenset[str]]
    """Of the keysets that were loaded, at that time."""
    primary_fingerprints: dict[KeyPurpose, str]


def create_keysets(folder: Path, *, master: aead.Aead | None = None) -> None:
    """Write what is not there yet, mode 0600: a fresh keyset for every purpose, and the key that signs checkpoints."""
    KeyFolder(folder, master).create()
    create_signing_key(folder)


def load_keysets(
    folder: Path,
    *,
    create: bool = False,
    master: aead.Aead | None = None,
    purposes: Collection[KeyPurpose] = frozenset(KeyPurpose),
) -> Keys:
    """Load the keysets of `folder`; with `create`, make the missing ones (the embedded data directory only).

    Args:
        folder: Where they are.
        create: Make what is missing.
        master: What the files are encrypted by, if they are.
        purposes: Which to load: a process is to hold no key that it does not need.

    Raises:
        KeyProblem: A file is missing or unreadable; it names it.
    """
    if create:
        create_keysets(folder, master=master)
    files = KeyFolder(folder, master)
    keysets: dict[KeyPurpose, Keyset] = {}
    wrap: Wrap = _NotLoaded(KeyPurpose.VAULT)
    index: Callable[[bytes, int], bytes] = _NotLoaded(KeyPurpose.INDEX)
    records: RecordKeys | _NotLoaded = _NotLoaded(KeyPurpose.AUDIT)
    if KeyPurpose.VAULT in purposes:
        wrap = WrappingKeys(files)
        keysets[KeyPurpose.VAULT] = wrap.keyset
    if KeyPurpose.INDEX in purposes:
        keysets[KeyPurpose.INDEX] = files.read(KeyPurpose.INDEX)
        index = _index(files, keysets[KeyPurpose.INDEX])
    if KeyPurpose.AUDIT in purposes:
        records = RecordKeys(files)
        keysets[KeyPurpose.AUDIT] = records.keyset
    return Keys(
        wrap=wrap,
        index=index,
        authenticate=records.authenticate,
        is_authentic=records.is_authentic,
        record_fingerprints=records.fingerprints,
        fingerprints={
            purpose: frozenset(key.fingerprint for key in keyset.keys) for purpose, keyset in keysets.items()
        },
        primary_fingerprints={purpose: keyset.primary.fingerprint for purpose, keyset in keysets.items()},
    )


def check_fingerprints(database: Database, keys: Keys) -> None:
    """Register the loaded keysets with a fresh database, or raise `KeyProblem` if it was written with others."""
    with database.read() as connection:
        known = {row.purpose: row.fingerprint for row in connection.execute(select(KeyFingerprint.table()))}
    for purpose, fingerprints in keys.fingerprints.items():
        if purpose not in known:
            _register(database, purpose, keys.primary_fingerprints[purpose])
        elif known[purpose] not in fingerprints:
            raise KeyProblem(
                f"the {purpose} keyset is not the one this database was written with "
                f"(database: {known[purpose]}, keyset: {keys.primary_fingerprints[purpose]}): "
                f"point CAREROUTE_KEYS_DIR at the right folder"
            )


@dataclass(frozen=True, slots=True)
class _NotLoaded:
    """Stands for every primitive of a keyset that this process does not hold."""

    purpose: KeyPurpose

    def _refuse(self, *_: object) -> Never:
        raise KeyProblem(f"this process runs without the {self.purpose} keyset, and needs it for this")

    __call__ = encrypt = decrypt = authenticate = is_authentic = fingerprints = _refuse


def _index(files: KeyFolder, keyset: Keyset) -> Callable[[bytes, int], bytes]:
    try:
        keys = keyset.handle.primitive(prf.PrfSet).all()
    except tink.TinkError:
        raise KeyProblem(f"{files.file(keyset.purpose)} is not a keyset for {keyset.purpose}") from None
    compute: Callable[[bytes, int], bytes] = keys[keyset.keys[0].key_id].compute
    return compute


def _register(database: Database, purpose: KeyPurpose, fingerprint: str) -> None:
    row = (str(purpose), fingerprint, utc_now())
    with database.write() as connection:
        bulk.insert(connection, KeyFingerprint.table(), _COLUMNS, [row], "ON CONFLICT DO NOTHING")
