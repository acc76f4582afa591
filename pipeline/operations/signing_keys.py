"""The key that signs checkpoints is replaced by another. While both are in `log.pem`, both sign.

`log.pub` is written before `log.pem`: nothing may be signed by a key that nobody can check. It keeps every key. Whoever
is stopped between the two leaves a public key that nothing will ever be signed with, and asks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.signing import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    fingerprint,
    load_public_keys,
    load_signer,
    private_text,
    public_text,
)
from pipeline.db import Database
from pipeline.key_files import locked, replacement
from pipeline.keys import KeyFolder, Keys
from pipeline.models import AuditCheckpoint
from pipeline.operations.key_rotation import NotRotated
from pipeline.unit_of_work import begin

LOG = "log"
"""What the signing keys are called where keysets are named."""


@dataclass(frozen=True, slots=True)
class SigningRotation:
    """Changes of `log.pem` and `log.pub`. Each raises `NotRotated`, or `KeyProblem` for a file that has one."""

    database: Database
    keys: Keys
    actor: Actor
    folder: KeyFolder

    def add(self) -> str:
        """Sign with a fresh key too, from the next start of the sequencer on; its fingerprint.

        Where nothing has been signed yet it may be the first, even if one of the two files is not there, as after a
        first time that was cut off. Later a file that is missing was lost, and is not made up.
        """
        with locked(self.folder.path):
            signing, known = self._present()
            fresh = Ed25519PrivateKey.generate()
            name = fingerprint(fresh.public_key())
            public = [fresh.public_key(), *known]
            public += [key.public_key() for key in signing if key.public_key() not in public]
            with (
                replacement(self.folder.path / PUBLIC_FILE, public_text(public)) as publish,
                replacement(self.folder.path / PRIVATE_FILE, private_text([fresh, *signing])) as put_in_place,
            ):
                self._record(Action.KEY_ADDED, name)
                publish()
                put_in_place()
            return name

    def retire(self, name: str) -> str:
        """Sign with this key no more. What it signed can be checked still."""
        with locked(self.folder.path):
            signer = load_signer(self.folder.path)
            left = [key for key in signer.keys if fingerprint(key.public_key()) != name]
            if len(left) == len(signer.keys):
                raise NotRotated(f"{PRIVATE_FILE} has no key {name}")
            if not left:
                raise NotRotated(f"{name} is the only key that signs: `careroute keys rotate log` first")
            with replacement(self.folder.path / PRIVATE_FILE, private_text(left)) as put_in_place:
                self._record(Action.KEY_RETIRED, name)
                put_in_place()
            return name

    def _present(self) -> tuple[Sequence[Ed25519PrivateKey], Sequence[Ed25519PublicKey]]:
        """The keys that sign and those that are public. A file may be missing only while nothing is signed."""
        signed = self._is_anything_signed()
        private, public = self.folder.path / PRIVATE_FILE, self.folder.path / PUBLIC_FILE
        signing = load_signer(self.folder.path).keys if signed or private.exists() else ()
        known = load_public_keys(self.folder.path) if signed or public.exists() else ()
        return signing, known

    def _is_anything_signed(self) -> bool:
        with self.database.read() as connection:
            return connection.execute(select(AuditCheckpoint.log).limit(1)).first() is not None

    def _record(self, action: Action, name: str) -> None:
        with begin(self.database, self.keys, self.actor) as unit:
            unit.record(None, action, {Detail.KEYSET: LOG, Detail.KEY: name})
