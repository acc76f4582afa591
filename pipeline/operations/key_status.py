"""What keys there are: which is written with, what each still holds, who can check checkpoints, who can read the files.

Nothing of a key is told but its fingerprint, and of a signing key its public half.
"""

import datetime as dt
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from pipeline.audit.log_state import current_log
from pipeline.audit.notes import verifier_key
from pipeline.audit.signing import PRIVATE_FILE, PUBLIC_FILE, fingerprint, load_public_keys, load_signer
from pipeline.keys import KeyFolder, KeyProblem, KeyPurpose, Keyset, KeysetKey
from pipeline.operations.signing_keys import LOG
from pipeline.rewrapping import count_by_prefix


class KeyState(StrEnum):
    PRIMARY = "primary"  # what is new is written with it
    STAGED = "staged"  # nothing is written with it yet
    KEPT = "kept"  # reads what was written with it earlier
    SIGNS = "signs"
    RETIRED = "retired"  # checks what it signed earlier
    PUBLIC = "public"  # checks what it signed; whether it still does cannot be seen from here


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key. `rows`: data keys wrapped by it, where that is so; `key_id` is Tink's, which signing keys have not."""

    fingerprint: str
    state: KeyState
    key_id: int | None = None
    rows: int | None = None
    verifier: str | None = None


@dataclass(frozen=True, slots=True)
class KeysetLine:
    """One file. `changed_at` is when it was last written, which is all that is known of its keys' age."""

    name: str
    file: Path
    changed_at: dt.datetime | None
    mode: int | None
    keys: Sequence[KeyLine] = ()
    problem: str | None = None

    @property
    def readable_by(self) -> str | None:
        """Who else than its owner may read or change the file."""
        if self.mode is None:
            return None
        if self.mode & stat.S_IRWXO:
            return "everybody"
        return "its group" if self.mode & stat.S_IRWXG else None


def read_status(folder: KeyFolder, connection: Connection) -> list[KeysetLine]:
    """Every keyset, then the signing keys. A file that is not there or not readable has its `problem`."""
    wrapped = count_by_prefix(connection)
    lines = [_keyset(folder, purpose, wrapped) for purpose in KeyPurpose]
    log = current_log(connection)
    return [*lines, _signing(folder.path, log.origin if log else None)]


def _keyset(folder: KeyFolder, purpose: KeyPurpose, wrapped: Mapping[bytes, int]) -> KeysetLine:
    path = folder.file(purpose)
    changed_at, mode = _file(path)
    try:
        keyset = folder.read(purpose)
    except KeyProblem as problem:
        return KeysetLine(purpose, path, changed_at, mode, problem=str(problem))
    counts = wrapped if purpose is KeyPurpose.VAULT else None
    return KeysetLine(purpose, path, changed_at, mode, [_key(keyset, key, counts) for key in keyset.keys])


def _key(keyset: Keyset, key: KeysetKey, wrapped: Mapping[bytes, int] | None) -> KeyLine:
    state = KeyState.STAGED if key in keyset.staged else KeyState.KEPT
    return KeyLine(
        fingerprint=key.fingerprint,
        state=KeyState.PRIMARY if key == keyset.primary else state,
        key_id=key.key_id,
        rows=None if wrapped is None else wrapped.get(key.prefix, 0),
    )


def _signing(folder: Path, origin: str | None) -> KeysetLine:
    path = folder / PRIVATE_FILE
    changed_at, mode = _file(path)
    problem = None
    try:
        signing = {fingerprint(key) for key in load_signer(folder).public_keys}
    except KeyProblem as found:
        signing = None
        problem = str(found) if path.exists() else f"{path} is not here: only who sequences the audit log needs it"
    try:
        public = load_public_keys(folder)
    except KeyProblem as found:
        known = str(found) if (folder / PUBLIC_FILE).exists() else f"{folder / PUBLIC_FILE} is not here"
        return KeysetLine(LOG, path, changed_at, mode, problem="; ".join(filter(None, (problem, known))))
    keys = [
        KeyLine(
            fingerprint=fingerprint(key),
            state=_signing_state(fingerprint(key), signing),
            verifier=verifier_key(origin, key) if origin else None,
        )
        for key in public
    ]
    return KeysetLine(LOG, path, changed_at, mode, keys, problem)


def _signing_state(name: str, signing: set[str] | None) -> KeyState:
    if signing is None:
        return KeyState.PUBLIC
    return KeyState.SIGNS if name in signing else KeyState.RETIRED


def _file(path: Path) -> tuple[dt.datetime | None, int | None]:
    try:
        found = path.stat()
    except OSError:
        return None, None
    return dt.datetime.fromtimestamp(found.st_mtime, dt.UTC), stat.S_IMODE(found.st_mode)
