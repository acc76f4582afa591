"""A keyset gets another key, and loses an old one, while processes run and read everything.

In each step the file is written last, and what its record and the database's fingerprint name is in the file both
before and after. So whoever is stopped between the two leaves a record of a change that has not come about, which is
made good by asking for it again; never a file that the database refuses, nor a key in use that is not on record.
"""

import datetime as dt
import time
from dataclasses import dataclass

from sqlalchemy import update

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.failpoints import Failpoint, reach
from pipeline.key_files import locked, replacement
from pipeline.keys import KeyFolder, KeyPurpose, Keys, Keyset, KeysetKey
from pipeline.models import KeyFingerprint
from pipeline.rewrapping import count_by_prefix
from pipeline.unit_of_work import UnitOfWork, begin

SETTLED = dt.timedelta(minutes=1)
"""After a change of its file, every process of the machine has long taken it up (`pipeline.keys.LOOK_SECONDS`)."""

_INDEX = (
    "the index keyset cannot be changed: values are found by their index, addresses on the suppression list are known "
    "by it alone, and links that were sent are derived from it, so nothing could be carried over to another key"
)
_AUDIT = (
    "no key of the audit keyset can be retired: the records it authenticated are kept for six years, and could not be "
    "told from forged ones without it"
)


class NotRotated(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Changes of one installation's keysets. Each raises `NotRotated`, or `KeyProblem` for a file that has one."""

    database: Database
    keys: Keys
    actor: Actor
    folder: KeyFolder

    def add(self, purpose: KeyPurpose) -> KeysetKey:
        """Stage a fresh key: it can be read with, and is not written with until it is promoted."""
        _refuse_index(purpose)
        with locked(self.folder.path):
            keyset = self.folder.read(purpose)
            _refuse_second_stage(keyset)
            changed = keyset.with_new_key()
            added = changed.keys[-1]
            self._change(changed, Action.KEY_ADDED, added)
            return added

    def promote(self, purpose: KeyPurpose) -> KeysetKey:
        """Make the staged key the one that is written with.

        From now on the database refuses a process whose file does not have it: it could not read what is written.
        """
        _refuse_index(purpose)
        with locked(self.folder.path):
            keyset = self.folder.read(purpose)
            if not keyset.staged:
                raise NotRotated(f"no key of the {purpose} keyset is staged: add one with --stage")
            promoted = keyset.staged[-1]
            self._change(keyset.with_primary(promoted), Action.KEY_PROMOTED, promoted)
            return promoted

    def retire(self, purpose: KeyPurpose, name: str) -> KeysetKey:
        """Take the key with this id or fingerprint out for good: what is wrapped by it, in a backup too, is lost."""
        _refuse_index(purpose)
        if purpose is KeyPurpose.AUDIT:
            raise NotRotated(_AUDIT)
        with locked(self.folder.path):
            keyset = self.folder.read(purpose)
            key = keyset.find(name)
            if key is None:
                raise NotRotated(f"the {purpose} keyset has no key {name}")
            if key == keyset.primary:
                raise NotRotated(f"{key.fingerprint} is the primary key: what is written now is written with it")
            self._refuse_unsettled(keyset)
            self._change(keyset.without(key), Action.KEY_RETIRED, key)
            return key

    def _change(self, changed: Keyset, action: Action, key: KeysetKey) -> None:
        path = self.folder.file(changed.purpose)
        with replacement(path, changed.text(self.folder.master)) as put_in_place:
            with begin(self.database, self.keys, self.actor) as unit:
                if action is Action.KEY_RETIRED:
                    _refuse_used(unit, key)
                if action is not Action.KEY_ADDED:
                    _register_primary(unit, changed)
                unit.record(None, action, {Detail.KEYSET: changed.purpose, Detail.KEY: key.fingerprint})
            reach(Failpoint.ROTATION_BEFORE_FILE)
            put_in_place()

    def _refuse_unsettled(self, keyset: Keyset) -> None:
        changed_at = self.folder.file(keyset.purpose).stat().st_mtime
        wait = SETTLED.total_seconds() - (time.time() - changed_at)
        if wait > 0:
            raise NotRotated(
                f"the {keyset.purpose} keyset was changed within the last minute, and a process may still write with "
                f"an older key: ask again in {wait:.0f} s"
            )


def _refuse_index(purpose: KeyPurpose) -> None:
    if purpose is KeyPurpose.INDEX:
        raise NotRotated(_INDEX)


def _refuse_second_stage(keyset: Keyset) -> None:
    if keyset.staged:
        raise NotRotated(
            f"key {keyset.staged[-1].fingerprint} is staged already: put the file on every machine, then --promote"
        )


def _refuse_used(unit: UnitOfWork, key: KeysetKey) -> None:
    if unit.connection.dialect.name == "postgresql":
        # Waits for whoever is writing a data key, and lets nobody else until the count is on record.
        unit.connection.exec_driver_sql("LOCK TABLE data_key IN SHARE MODE")
    rows = count_by_prefix(unit.connection).get(key.prefix, 0)
    if rows:
        raise NotRotated(
            f"{rows} data keys are wrapped by {key.fingerprint}: `careroute keys rotate vault --rewrap` first"
        )


def _register_primary(unit: UnitOfWork, keyset: Keyset) -> None:
    unit.connection.execute(
        update(KeyFingerprint)
        .where(KeyFingerprint.purpose == str(keyset.purpose))
        .values(fingerprint=keyset.primary.fingerprint, registered_at=unit.now)
    )
