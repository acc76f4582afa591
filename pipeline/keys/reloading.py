"""Keys of a running process: a keyset that somebody has rotated is loaded again, without a restart.

Reading: what no loaded key fits makes the process look whether the file has changed since. One system call, and no
waiting time between two looks, since the answer is a verdict: a genuine record must not pass for a forged one.
Writing: the file is looked at every few seconds, so that a key that is being retired is soon not written with any more.
"""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import structlog
import tink
from tink import aead, prf

from pipeline.key_files import FileVersion, KeyProblem
from pipeline.keys.folder import KeyFolder
from pipeline.keys.keyset import PREFIX_BYTES, KeyPurpose, Keyset

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""What is written later than this after a promotion is written with the promoted key."""

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[P]):
    keyset: Keyset
    version: FileVersion
    primitive: P


class Reloading(Generic[P]):
    """A keyset's primitive, replaced when its file is. Any number of threads may use it."""

    def __init__(self, folder: KeyFolder, purpose: KeyPurpose, build: Callable[[Keyset], P]) -> None:
        """Raises `KeyProblem`."""
        self._folder, self._purpose, self._build = folder, purpose, build
        self._lock = Lock()
        self._loaded = self._load()
        self._looked_at = time.monotonic()
        self._refused: FileVersion | None = None

    @property
    def keyset(self) -> Keyset:
        return self._loaded.keyset

    def for_reading(self) -> P:
        """As loaded; see `newer_than` for when it does not do."""
        return self._loaded.primitive

    def for_writing(self) -> P:
        """Raises `KeyProblem` if another installation's keyset was put in the file's place."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._look()
        if self._refused is not None:
            raise KeyProblem(f"{self._folder.file(self._purpose)} was replaced by another keyset: put its own back")
        return self._loaded.primitive

    def newer_than(self, tried: P) -> P | None:
        """The primitive of the file as it is now, if that is not the one that was tried."""
        self._look()
        newer = self._loaded.primitive
        return None if newer is tried else newer

    def _look(self) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            version = self._folder.version(self._purpose)
            if version in {None, self._refused}:
                return
            if version == self._loaded.version:
                self._refused = None
                return
            try:
                found = self._load()
            except KeyProblem:
                # What is loaded still reads and writes what every other process can read.
                log.warning("keyset_unreadable", keyset=self._purpose.value)
                return
            if found.keyset.succeeds(self._loaded.keyset):
                self._loaded, self._refused = found, None
                log.info("keyset_reloaded", keyset=self._purpose.value, primary=found.keyset.primary.fingerprint)
            else:
                self._refused = version
                log.error("keyset_replaced_by_another", keyset=self._purpose.value)

    def _load(self) -> _Loaded[P]:
        keyset, version = self._folder.read_version(self._purpose)
        try:
            return _Loaded(keyset, version, self._build(keyset))
        except tink.TinkError:
            raise KeyProblem(f"{self._folder.file(self._purpose)} is not a keyset for {self._purpose}") from None


@dataclass(frozen=True, slots=True)
class _Wrapping:
    cipher: aead.Aead
    prefixes: frozenset[bytes]


class WrappingKeys:
    """Tink's `Aead` over the vault keyset."""

    def __init__(self, folder: KeyFolder) -> None:
        """Raises `KeyProblem`."""
        self._keys = Reloading(folder, KeyPurpose.VAULT, _wrapping)

    @property
    def keyset(self) -> Keyset:
        return self._keys.keyset

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        sealed: bytes = self._keys.for_writing().cipher.encrypt(plaintext, associated_data)
        return sealed

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Raises `TinkError`."""
        keys = self._keys.for_reading()
        if ciphertext[:PREFIX_BYTES] not in keys.prefixes:
            keys = self._keys.newer_than(keys) or keys
        opened: bytes = keys.cipher.decrypt(ciphertext, associated_data)
        return opened


@dataclass(frozen=True, slots=True)
class _Codes:
    primary: prf.Prf
    others: Sequence[prf.Prf]

    def fit(self, message: bytes, code: bytes) -> bool:
        # The primary one first: nearly every record was written with it.
        if hmac.compare_digest(self.primary.compute(message, len(code)), code):
            return True
        return any(hmac.compare_digest(key.compute(message, len(code)), code) for key in self.others)


class RecordKeys:
    """Authentication codes by the audit keyset."""

    def __init__(self, folder: KeyFolder) -> None:
        """Raises `KeyProblem`."""
        self._keys = Reloading(folder, KeyPurpose.AUDIT, _codes)

    @property
    def keyset(self) -> Keyset:
        return self._keys.keyset

    def fingerprints(self) -> frozenset[str]:
        """Of the keys as they are loaded now."""
        return frozenset(key.fingerprint for key in self._keys.keyset.keys)

    def authenticate(self, message: bytes, length: int) -> bytes:
        code: bytes = self._keys.for_writing().primary.compute(message, length)
        return code

    def is_authentic(self, message: bytes, code: bytes) -> bool:
        keys = self._keys.for_reading()
        if keys.fit(message, code):
            return True
        newer = self._keys.newer_than(keys)
        return newer is not None and newer.fit(message, code)


def _wrapping(keyset: Keyset) -> _Wrapping:
    return _Wrapping(keyset.handle.primitive(aead.Aead), frozenset(key.prefix for key in keyset.keys))


def _codes(keyset: Keyset) -> _Codes:
    every = keyset.handle.primitive(prf.PrfSet).all()
    primary = keyset.primary.key_id
    # The latest first, as it wrote most of what the primary one did not.
    others = [every[key.key_id] for key in reversed(keyset.keys) if key.key_id in every.keys() - {primary}]
    return _Codes(every[primary], others)
