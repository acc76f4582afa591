"""A Tink keyset as a value: which keys it has, which of them is the primary one, and what a change would make of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import tink
from tink import aead, json_proto_keyset_format, prf, secret_key_access

aead.register()
prf.register()


class KeyPurpose(StrEnum):
    VAULT = "vault"
    INDEX = "index"
    AUDIT = "audit"


TEMPLATES = {
    KeyPurpose.VAULT: aead.aead_key_templates.AES256_GCM,
    KeyPurpose.INDEX: prf.prf_key_templates.HMAC_SHA256,
    KeyPurpose.AUDIT: prf.prf_key_templates.HMAC_SHA256,
}

PREFIX_BYTES = 5
_TINK_PREFIX = b"\x01"
_DESTROYED = "DESTROYED"


class NotAKeyset(Exception):
    """A text is no keyset, or is encrypted otherwise than expected; the message says which."""


@dataclass(frozen=True, slots=True)
class KeysetKey:
    """One key, by what may be shown of it."""

    key_id: int
    fingerprint: str

    @property
    def prefix(self) -> bytes:
        """What each ciphertext of this key begins with (https://developers.google.com/tink/wire-format)."""
        return _TINK_PREFIX + self.key_id.to_bytes(4, "big")


@dataclass(frozen=True, slots=True, eq=False)
class Keyset:
    """The keys of one file, oldest first. A key that stands after the primary one is staged: not yet written with.

    A key that was taken out leaves its id behind (Tink's status DESTROYED), so that a process which loaded the file
    long ago can tell its successor from somebody else's keyset.
    """

    purpose: KeyPurpose
    keys: tuple[KeysetKey, ...]
    primary: KeysetKey
    handle: tink.KeysetHandle
    document: Mapping[str, Any] = field(repr=False)
    """Its JSON form in the clear."""

    @classmethod
    def fresh(cls, purpose: KeyPurpose) -> "Keyset":
        """A keyset of one new key."""
        return cls._of(purpose, tink.new_keyset_handle(TEMPLATES[purpose]))

    @classmethod
    def parse(cls, purpose: KeyPurpose, text: str, master: aead.Aead | None = None) -> "Keyset":
        """From the text of a file, encrypted by `master` if there is one. Raises `NotAKeyset`."""
        try:
            encrypted = "encryptedKeyset" in json.loads(text)
        except (ValueError, TypeError):
            raise NotAKeyset("is not a Tink keyset in JSON form") from None
        if encrypted and master is None:
            raise NotAKeyset("is encrypted by a master key, which this process was not given")
        if master is not None and not encrypted:
            raise NotAKeyset("is not encrypted by the master key")
        try:
            if master is not None:
                handle = json_proto_keyset_format.parse_encrypted(text, master, _binding(purpose))
            else:
                handle = json_proto_keyset_format.parse(text, secret_key_access.TOKEN)
            return cls._of(purpose, handle)
        except (tink.TinkError, ValueError) as error:
            raise NotAKeyset(f"is not a Tink keyset in JSON form ({type(error).__name__})") from None

    def text(self, master: aead.Aead | None = None) -> str:
        """The text of its file, encrypted by `master` if there is one."""
        if master is not None:
            sealed: str = json_proto_keyset_format.serialize_encrypted(self.handle, master, _binding(self.purpose))
            return sealed
        return json.dumps(self.document, indent=2)

    @property
    def staged(self) -> tuple[KeysetKey, ...]:
        return self.keys[self.keys.index(self.primary) + 1 :]

    def with_new_key(self) -> "Keyset":
        """With a fresh key as the last one, staged."""
        while (added := Keyset.fresh(self.purpose)).primary.key_id in self.ids:
            pass
        return self._changed(key=[*self.document["key"], *added.document["key"]])

    def with_primary(self, key: KeysetKey) -> "Keyset":
        """With `key` as the one that is written with."""
        return self._changed(primaryKeyId=key.key_id)

    def without(self, key: KeysetKey) -> "Keyset":
        """Without `key`, which is not the primary one."""
        left_behind = {"keyId": key.key_id, "status": _DESTROYED, "outputPrefixType": "TINK"}
        return self._changed(
            key=[left_behind if each["keyId"] == key.key_id else each for each in self.document["key"]]
        )

    def succeeds(self, other: "Keyset") -> bool:
        """Whether this is the same installation's keyset, earlier or later."""
        return not self.ids.isdisjoint(other.ids)

    @property
    def ids(self) -> frozenset[int]:
        """Of its keys, those taken out too."""
        return frozenset(each["keyId"] for each in self.document["key"])

    def find(self, name: str) -> KeysetKey | None:
        """The key with this id or fingerprint."""
        return next((key for key in self.keys if name in {str(key.key_id), key.fingerprint}), None)

    def _changed(self, **fields: Any) -> "Keyset":
        return Keyset.parse(self.purpose, json.dumps({**self.document, **fields}))

    @classmethod
    def _of(cls, purpose: KeyPurpose, handle: tink.KeysetHandle) -> "Keyset":
        document = json.loads(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
        keys = tuple(
            KeysetKey(key["keyId"], _fingerprint(key["keyData"]["value"]))
            for key in document["key"]
            if key["status"] != _DESTROYED
        )
        primary = next(key for key in keys if key.key_id == document["primaryKeyId"])
        return cls(purpose, keys, primary, handle, document)


def _fingerprint(value: str) -> str:
    """The keys are uniformly random, so a hash of one gives nothing away."""
    return hashlib.sha256(b"careroute key fingerprint\0" + value.encode()).hexdigest()[:16]


def _binding(purpose: KeyPurpose) -> bytes:
    """Associated data of an encrypted keyset: one file cannot stand in for another."""
    return b"careroute keyset\0" + purpose.encode()
