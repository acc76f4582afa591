import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tink
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from tink import aead

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import Database
from pipeline.keys import KeyFolder, KeyProblem, KeyPurpose, Keys, check_fingerprints, load_keysets
from pipeline.models import AuditEvent, KeyFingerprint
from pipeline.operations import key_rotation
from pipeline.operations.key_rotation import NotRotated, Rotation
from pipeline.rewrapping import rewrap
from pipeline.vault import SealBroken, Vault
from tests.support.installations import Installation
from tests.support.keysets import settle, with_own_keys
from tests.support.submissions import submit
from tests.support.work import table

STAFF = actions.staff("tests")
ONE = uuid.UUID(int=1)
VAULT, AUDIT = KeyPurpose.VAULT, KeyPurpose.AUDIT


class Killed(BaseException):
    """As if the process had ended there."""


@pytest.fixture
def folder(sqlite_own_keys: Installation) -> KeyFolder:
    return KeyFolder(sqlite_own_keys.keys_dir)


@pytest.fixture
def context(sqlite_own_keys: Installation) -> Context:
    return sqlite_own_keys.context()


@pytest.fixture
def rotation(context: Context, folder: KeyFolder) -> Rotation:
    return Rotation(context.database, context.keys, STAFF, folder)


def on_record(database: Database) -> list[tuple[str, dict[str, str]]]:
    """What was done with keys, and to which."""
    events = sorted(table(database, AuditEvent.table()), key=lambda row: row.seq)
    return [(row.action, json.loads(row.details)) for row in events if row.action.startswith("key:")]


def retire_settled(rotation: Rotation, name: str) -> None:
    settle(rotation.folder.path, VAULT)
    rotation.retire(VAULT, name)


@pytest.mark.parametrize("purpose", [VAULT, AUDIT])
def test_a_key_is_staged_then_promoted_each_on_record(
    rotation: Rotation, sqlite_own_keys: Installation, folder: KeyFolder, purpose: KeyPurpose
) -> None:
    first = folder.read(purpose).primary
    folder.file(purpose).chmod(0o640)
    added = rotation.add(purpose)
    staged = folder.read(purpose)
    assert (staged.keys, staged.primary, staged.staged) == ((first, added), first, (added,))
    with pytest.raises(NotRotated, match=f"{added.fingerprint} is staged already"):
        rotation.add(purpose)

    assert rotation.promote(purpose) == added == folder.read(purpose).primary
    with pytest.raises(NotRotated, match=r"no key of the .* keyset is staged"):
        rotation.promote(purpose)
    assert on_record(rotation.database) == [
        (action, {"key": added.fingerprint, "keyset": str(purpose)}) for action in ("key:added", "key:promoted")
    ]
    assert folder.file(purpose).stat().st_mode & 0o777 == 0o640
    assert not list(folder.path.glob(".*"))


def test_after_a_promotion_a_process_without_the_new_key_does_not_start(
    rotation: Rotation, sqlite_installation: Installation, sqlite_own_keys: Installation
) -> None:
    rotation.add(VAULT)
    sqlite_installation.context()  # its file has only the first key, which is what is written with
    rotation.promote(VAULT)
    sqlite_own_keys.context()
    with pytest.raises(KeyProblem, match="the vault keyset is not the one"):
        sqlite_installation.context()


def test_a_key_is_retired_when_nothing_is_wrapped_by_it_any_more(
    rotation: Rotation, context: Context, folder: KeyFolder, sqlite_own_keys: Installation
) -> None:
    first = folder.read(VAULT).primary
    submit(context)
    rotation.add(VAULT)
    rotation.promote(VAULT)
    settle(folder.path, VAULT)
    with pytest.raises(NotRotated, match=f"1 data keys are wrapped by {first.fingerprint}"):
        rotation.retire(VAULT, first.fingerprint)
    rewrap(context.database, context.keys, STAFF, folder)
    assert rotation.retire(VAULT, str(first.key_id)) == first
    assert first not in folder.read(VAULT).keys
    assert on_record(rotation.database)[-1] == ("key:retired", {"key": first.fingerprint, "keyset": "vault"})
    submit(sqlite_own_keys.context(), email="another@example.org")


def test_what_may_not_be_changed_is_refused_with_the_reason(rotation: Rotation, folder: KeyFolder) -> None:
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    primary = folder.read(VAULT).primary.fingerprint
    refused: dict[str, Callable[[], object]] = {
        "the suppression list": lambda: rotation.add(KeyPurpose.INDEX),
        "links that were sent": lambda: rotation.promote(KeyPurpose.INDEX),
        "nothing could be carried over": lambda: rotation.retire(KeyPurpose.INDEX, "1"),
        "kept for six years": lambda: rotation.retire(AUDIT, folder.read(AUDIT).primary.fingerprint),
        "has no key 17": lambda: rotation.retire(VAULT, "17"),
        "is the primary key": lambda: retire_settled(rotation, primary),
    }
    for reason, act in refused.items():
        with pytest.raises(NotRotated, match=reason):
            act()
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    assert on_record(rotation.database) == []


def test_a_key_is_not_retired_while_a_process_may_still_write_with_it(rotation: Rotation, folder: KeyFolder) -> None:
    first = folder.read(VAULT).primary
    rotation.add(VAULT)
    rotation.promote(VAULT)
    with pytest.raises(NotRotated, match="within the last minute"):
        rotation.retire(VAULT, first.fingerprint)
    retire_settled(rotation, first.fingerprint)


def test_a_keyset_that_a_master_key_encrypts_stays_encrypted(rotation: Rotation, tmp_path: Path) -> None:
    master = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM).primitive(aead.Aead)
    sealed = KeyFolder(tmp_path / "sealed", master)
    sealed.create()
    over_it = replace(rotation, folder=sealed)
    added = over_it.add(VAULT)
    assert over_it.promote(VAULT) == added == sealed.read(VAULT).primary
    with pytest.raises(KeyProblem, match="is encrypted by a master key"):
        KeyFolder(sealed.path).read(VAULT)


@pytest.mark.parametrize("steps", [["add"], ["add", "promote"], ["add", "promote", "retire"]])
def test_whoever_is_killed_between_record_and_file_asks_again(
    rotation: Rotation,
    sqlite_own_keys: Installation,
    folder: KeyFolder,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[str],
) -> None:
    first = folder.read(VAULT).primary
    acts: dict[str, Callable[[], object]] = {
        "add": lambda: rotation.add(VAULT),
        "promote": lambda: rotation.promote(VAULT),
        "retire": lambda: retire_settled(rotation, first.fingerprint),
    }
    for step in steps[:-1]:
        acts[step]()
    before = folder.file(VAULT).read_bytes()

    @contextmanager
    def killed_before_the_file(_path: Path, _text: str) -> Iterator[Callable[[], None]]:
        def put_in_place() -> None:
            raise Killed

        yield put_in_place

    with monkeypatch.context() as patch:
        patch.setattr(key_rotation, "replacement", killed_before_the_file)
        with pytest.raises(Killed):
            acts[steps[-1]]()
    assert folder.file(VAULT).read_bytes() == before
    assert len(on_record(rotation.database)) == len(steps)
    submit(sqlite_own_keys.context())  # a process starts and works

    acts[steps[-1]]()
    submit(sqlite_own_keys.context(), email="another@example.org")


def test_without_its_record_nothing_is_changed(
    rotation: Rotation, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = folder.file(VAULT).read_bytes()

    def fail(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("pipeline.unit_of_work.UnitOfWork.record", fail)
    with pytest.raises(Killed):
        rotation.add(VAULT)
    assert folder.file(VAULT).read_bytes() == before
    assert not list(folder.path.glob(".*"))


STEPS = st.lists(st.sampled_from(["add", "promote", "rotate"]) | st.integers(0, 4), max_size=12)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_whatever_is_done_in_whatever_order_everything_opens_until_its_key_is_retired(
    keys_dir: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[str | int]
) -> None:
    place = tmp_path_factory.mktemp("rotated")
    (place / sqlite_template.name).write_bytes(sqlite_template.read_bytes())
    own = with_own_keys(Installation(place, keys_dir, ""), place / "own-keys")
    database, long_running = own.database(), load_keysets(own.keys_dir)
    rotation = Rotation(database, long_running, STAFF, KeyFolder(own.keys_dir))
    wrapped = [Vault(long_running).new_data_key(ONE)[1]]
    for step in steps:
        before = rotation.folder.read(VAULT)
        try:
            _do(rotation, step)
        except NotRotated:
            assert rotation.folder.read(VAULT).document == before.document
        fresh = load_keysets(own.keys_dir)
        check_fingerprints(database, fresh)
        wrapped.append(Vault(fresh).new_data_key(ONE)[1])
        prefixes = {key.prefix for key in rotation.folder.read(VAULT).keys}
        for each in wrapped:
            assert _opens(fresh, each) == (each[:5] in prefixes)
            assert each[:5] not in prefixes or _opens(long_running, each)
    own.close()


def _do(rotation: Rotation, step: str | int) -> None:
    if isinstance(step, int):
        keys = rotation.folder.read(VAULT).keys
        retire_settled(rotation, keys[step % len(keys)].fingerprint)
    if step in {"add", "rotate"}:
        rotation.add(VAULT)
    if step in {"promote", "rotate"}:
        rotation.promote(VAULT)


def _opens(keys: Keys, wrapped: bytes) -> bool:
    try:
        Vault(keys).data_key(ONE, wrapped)
    except SealBroken:
        return False
    return True


def test_a_database_that_names_an_older_key_is_told_of_the_primary_one(rotation: Rotation, folder: KeyFolder) -> None:
    # As after a rotation with another tool, which did not know of the database.
    first = folder.read(VAULT).primary
    rotation.add(VAULT)
    rotation.promote(VAULT)
    with rotation.database.write() as connection:
        connection.execute(
            update(KeyFingerprint).where(KeyFingerprint.purpose == VAULT).values(fingerprint=first.fingerprint)
        )
    retire_settled(rotation, first.fingerprint)
    check_fingerprints(rotation.database, load_keysets(folder.path))
