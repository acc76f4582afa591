"""The keys that sign checkpoints: Ed25519, in a file of their own, which only the sequencer's process needs.

`log.pem` holds one private key or, while one is being replaced, several: all of them sign. `log.pub` holds every
public key that ever signed: what was signed with a retired one can still be checked. Neither is in the database, and
who has the application's keysets has neither.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pipeline.key_files import KeyProblem, write_new

PRIVATE_FILE = "log.pem"
PUBLIC_FILE = "log.pub"
_BLOCK = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogSigner:
    """What a sequencer signs with; the first key is the newest."""

    keys: Sequence[Ed25519PrivateKey]

    @property
    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        return tuple(key.public_key() for key in self.keys)


def create_signing_key(folder: Path) -> None:
    """Write a fresh key as `log.pem` (mode 0600) and `log.pub`, unless there is one.

    Raises `KeyProblem` if only `log.pub` is there: a key that is not in it would sign what nobody can check.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    had_public = (folder / PUBLIC_FILE).exists()  # looked for first: who makes both at this moment makes it last
    if not (folder / PRIVATE_FILE).exists():
        if had_public:
            raise KeyProblem(
                f"{folder / PUBLIC_FILE} is there, and {PRIVATE_FILE} is not: put {PRIVATE_FILE} back beside it, "
                "from where the keys are backed up (before anything was signed, `careroute keys rotate log` makes one)"
            )
        write_new(folder / PRIVATE_FILE, private_text([Ed25519PrivateKey.generate()]))
    if not (folder / PUBLIC_FILE).exists():
        write_new(folder / PUBLIC_FILE, public_text(load_signer(folder).public_keys))


def load_signer(folder: Path, *, create: bool = False) -> LogSigner:
    """The signing keys. With `create` one is made (the embedded data directory only). Raises `KeyProblem`."""
    if create:
        create_signing_key(folder)
    path = folder / PRIVATE_FILE
    keys = [load_pem_private_key(block, None) for block in _blocks(path)]
    signing = [key for key in keys if isinstance(key, Ed25519PrivateKey)]
    if not signing or len(signing) != len(keys):
        raise KeyProblem(f"{path} must hold Ed25519 private keys in PEM form, and nothing else")
    return LogSigner(signing)


def load_public_keys(folder: Path) -> tuple[Ed25519PublicKey, ...]:
    """Every key that checkpoints may be signed with. Raises `KeyProblem`."""
    path = folder / PUBLIC_FILE
    keys = [load_pem_public_key(block) for block in _blocks(path)]
    verifying = tuple(key for key in keys if isinstance(key, Ed25519PublicKey))
    if not verifying or len(verifying) != len(keys):
        raise KeyProblem(f"{path} must hold Ed25519 public keys in PEM form, and nothing else")
    return verifying


def fingerprint(key: Ed25519PublicKey) -> str:
    """What a signing key is called: 16 hex digits of the SHA-256 of its public half."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def private_text(keys: Sequence[Ed25519PrivateKey]) -> str:
    """The text of `log.pem`."""
    return "".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for key in keys)


def public_text(keys: Sequence[Ed25519PublicKey]) -> str:
    """The text of `log.pub`."""
    return "".join(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in keys)


def _blocks(path: Path) -> list[bytes]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyProblem(
            f"{path} is missing: it is made automatically only for the embedded database. "
            f"Put it there; an installation that never had one makes it by `careroute keys rotate log`"
        ) from None
    except UnicodeDecodeError:
        raise KeyProblem(f"{path} is not PEM text") from None
    except OSError as error:
        raise KeyProblem(f"{path} cannot be read: {error.strerror}") from None
    blocks = [block.encode() for block in _BLOCK.findall(text)]
    try:
        for block in blocks:
            (load_pem_private_key(block, None) if b"PRIVATE" in block else load_pem_public_key(block))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"{path} holds a key that cannot be read ({type(error).__name__})") from None
    return blocks
