"""Checkpoints as signed notes: a log's name, size and root, signed with Ed25519.

Formats: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint. The standalone verifier in `tools/` reads
the same text with code of its own.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.audit.tree import HASH_BYTES

_ED25519 = b"\x01"
_DASH = "— "
_KEY_ID_BYTES = 4
_LONGEST_SIZE = 19
"""Digits: what a database's bigint holds. Python refuses to read some thousands of them."""


class NoteInvalid(Exception):
    """A text is not a checkpoint signed by a known key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root at some time."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[Ed25519PrivateKey]) -> str:
    """The signed note; one signature line for each key, in order."""
    body = checkpoint.body
    lines = []
    for key in keys:
        known = key.public_key()
        signature = base64.b64encode(key_id(checkpoint.origin, known) + key.sign(body.encode())).decode()
        lines.append(f"{_DASH}{checkpoint.origin} {signature}\n")
    return f"{body}\n{''.join(lines)}"


def open_checkpoint(note: str, origin: str, keys: Iterable[Ed25519PublicKey]) -> Checkpoint:
    """The checkpoint of a note that at least one of `keys` signed as `origin`.

    Signatures by unknown keys are ignored, as the format asks; one by a known key that does not verify is refused.
    Raises `NoteInvalid`.
    """
    body, separator, signatures = note.partition("\n\n")
    checkpoint = _read_body(f"{body}\n") if separator else None
    if checkpoint is None or not signatures.endswith("\n"):
        raise NoteInvalid("not a checkpoint")
    if checkpoint.origin != origin:
        raise NoteInvalid(f"it is of the log {checkpoint.origin!r}, not of {origin!r}")
    known = {key_id(origin, key): key for key in keys}
    verified = False
    for line in signatures.removesuffix("\n").split("\n"):
        name, raw = _read_signature(line)
        key = known.get(raw[:_KEY_ID_BYTES])
        if name == origin and key is not None:
            try:
                key.verify(raw[_KEY_ID_BYTES:], checkpoint.body.encode())
            except InvalidSignature:
                raise NoteInvalid("its signature is not by the key it names") from None
            verified = True
    if not verified:
        raise NoteInvalid("no key that is known signed it")
    return checkpoint


def read_unverified(note: str) -> Checkpoint:
    """What a note says, whoever signed it. Raises `NoteInvalid`."""
    checkpoint = _read_body(f"{note.partition(chr(10) * 2)[0]}\n")
    if checkpoint is None:
        raise NoteInvalid("not a checkpoint")
    return checkpoint


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Four bytes by which a signature line says whose it is."""
    material = _ED25519 + key.public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + material).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, key: Ed25519PublicKey) -> str:
    """The public key in the one-line form that verifiers take: name+id+key."""
    material = base64.b64encode(_ED25519 + key.public_bytes_raw()).decode()
    return f"{name}+{key_id(name, key).hex()}+{material}"


def _read_body(body: str) -> Checkpoint | None:
    lines = body.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        return None
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or (len(size) > 1 and size[0] == "0") or len(size) > _LONGEST_SIZE:
        return None
    try:
        raw = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError):
        return None
    found = Checkpoint(origin, int(size), raw)
    return found if len(raw) == HASH_BYTES and found.body == body else None


def _read_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("a signature line cannot be read") from None
    if not line.startswith(_DASH) or not name or len(raw) <= _KEY_ID_BYTES:
        raise NoteInvalid("a signature line cannot be read")
    return name, raw
