"""Encryption of what people say: one random data key a submission, wrapped by the vault keyset.

Destroying a submission's wrapped key destroys everything sealed under it, backups' retention aside.
"""

import hashlib
import hmac
import os
import unicodedata
import uuid
import zlib
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tink import TinkError

from pipeline.keys import Keys

NONCE_BYTES = 12
DATA_KEY_BYTES = 32


class SealBroken(Exception):
    """A ciphertext does not belong to this submission and part, or was altered, or the key is not its own."""


class DataKey:
    """One submission's key. AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D), bound to submission and part.

    The few documents under one key are far below the 2^32 random-nonce limit of section 8.3 there.
    """

    __slots__ = ("_cipher", "_key", "submission_id")

    def __init__(self, submission_id: uuid.UUID, key: bytes) -> None:
        self.submission_id = submission_id
        self._key = key
        self._cipher = AESGCM(key)

    def seal(self, part: str, plaintext: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, self._binding(part))

    def open(self, part: str, ciphertext: bytes) -> bytes:
        """Raises `SealBroken`."""
        try:
            return self._cipher.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], self._binding(part))
        except (InvalidTag, ValueError):
            raise SealBroken(f"document {part} of submission {self.submission_id} does not open") from None

    def seal_json(self, part: str, value: Any) -> bytes:
        """Compressed before it is encrypted: an explanation shrinks to a third, and stays in its row."""
        return self.seal(part, zlib.compress(orjson.dumps(value), level=1))

    def open_json(self, part: str, ciphertext: bytes) -> Any:
        """Raises `SealBroken`."""
        return orjson.loads(zlib.decompress(self.open(part, ciphertext)))

    def commit_to(self, plaintext: bytes) -> bytes:
        """A commitment that can be checked with the key and says nothing without it, so it outlives an erasure."""
        return hmac.digest(self._key, b"commitment\0" + plaintext, hashlib.sha256)

    def _binding(self, part: str) -> bytes:
        return self.submission_id.bytes + part.encode()


class Vault:
    """Makes and unwraps data keys, and keyed hashes for looking things up without decrypting."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def new_data_key(self, submission_id: uuid.UUID) -> tuple[DataKey, bytes]:
        """A fresh key and its wrapped form, to be stored."""
        key = os.urandom(DATA_KEY_BYTES)
        return DataKey(submission_id, key), self._keys.wrap.encrypt(key, submission_id.bytes)

    def data_key(self, submission_id: uuid.UUID, wrapped: bytes) -> DataKey:
        """Raises `SealBroken` if the wrapped key belongs to another submission or another vault keyset."""
        try:
            return DataKey(submission_id, self._keys.wrap.decrypt(wrapped, submission_id.bytes))
        except TinkError:
            raise SealBroken(f"the data key of submission {submission_id} does not unwrap") from None

    def blind_index(self, purpose: str, value: str | bytes) -> bytes:
        """A 32-byte keyed hash of `value`, the same for the same purpose and value, useless without the key."""
        raw = value if isinstance(value, bytes) else unicodedata.normalize("NFKC", value).encode()
        return self._keys.index(b"index\0" + purpose.encode() + b"\0" + raw, 32)

    def derive_token(self, purpose: str, subject: uuid.UUID) -> bytes:
        """32 unguessable bytes for `subject`, derived again whenever needed instead of being stored."""
        return self._keys.index(b"token\0" + purpose.encode() + b"\0" + subject.bytes, 32)
