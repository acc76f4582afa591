import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from pipeline import rewrapping
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import Database
from pipeline.keys import KeyFolder, KeyPurpose, Keys
from pipeline.keys.reloading import WrappingKeys
from pipeline.models import AuditEvent, DataKey
from pipeline.operations.key_rotation import Rotation
from pipeline.rewrapping import Rewrapped, count_by_prefix, rewrap
from pipeline.unit_of_work import begin
from tests.support.installations import Installation
from tests.support.keysets import with_own_keys
from tests.support.racing import at_once
from tests.support.submissions import person, submit
from tests.support.work import drain, statuses, table

STAFF = actions.staff("tests")
SUBMISSIONS = 7


@pytest.fixture
def folder(own_keys: Installation) -> KeyFolder:
    return KeyFolder(own_keys.keys_dir)


@pytest.fixture
def context(own_keys: Installation) -> Context:
    """With a few submissions whose data keys are wrapped by the first key, and a small batch."""
    context = own_keys.context()
    for number in range(SUBMISSIONS):
        submit(context, person(number))
    return context


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrapping, "BATCH", 3)


def rotate(context: Context, folder: KeyFolder, purpose: KeyPurpose = KeyPurpose.VAULT) -> None:
    rotation = Rotation(context.database, context.keys, STAFF, folder)
    rotation.add(purpose)
    rotation.promote(purpose)


def run(context: Context, folder: KeyFolder, told: Callable[[int], None] = lambda _done: None) -> Rewrapped:
    return rewrap(context.database, context.keys, STAFF, folder, told)


def prefixes(database: Database) -> dict[bytes, int]:
    with database.read() as connection:
        return count_by_prefix(connection)


def unwrap_all(database: Database, keys: Keys) -> dict[uuid.UUID, bytes]:
    return {
        row.submission_id: keys.wrap.decrypt(row.wrapped_key, row.submission_id.bytes)
        for row in table(database, DataKey.table())
    }


def erase(database: Database, submission_id: uuid.UUID) -> None:
    with database.write() as connection:
        connection.execute(delete(DataKey).where(DataKey.submission_id == submission_id))


def test_every_data_key_is_wrapped_by_the_new_key_and_is_the_same_key(context: Context, folder: KeyFolder) -> None:
    before = unwrap_all(context.database, context.keys)
    rotate(context, folder)
    told: list[int] = []
    assert run(context, folder, told.append) == Rewrapped(done=SUBMISSIONS)
    assert told == [3, 6, 7]
    assert prefixes(context.database) == {folder.read(KeyPurpose.VAULT).primary.prefix: SUBMISSIONS}
    assert unwrap_all(context.database, context.keys) == before  # by a process that loaded its keys before
    counts = [row.details for row in table(context.database, AuditEvent.table()) if row.action == "key:rewrapped"]
    assert [f'"count":{number}' in details for number, details in zip((3, 3, 1), counts, strict=True)] == [True] * 3
    assert run(context, folder) == Rewrapped()


def test_a_run_that_was_stopped_is_continued(context: Context, folder: KeyFolder) -> None:
    rotate(context, folder)

    def stop(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(context, folder, stop)
    assert sorted(prefixes(context.database).values()) == [3, 4]
    assert run(context, folder).done == SUBMISSIONS - 3
    assert len(prefixes(context.database)) == 1


def test_a_data_key_of_an_unknown_vault_is_named_and_does_not_hold_up_the_others(
    context: Context, folder: KeyFolder
) -> None:
    strange = table(context.database, DataKey.table())[2].submission_id
    with context.database.write() as connection:
        connection.execute(update(DataKey).where(DataKey.submission_id == strange).values(wrapped_key=b"\1strange"))
    rotate(context, folder)
    assert run(context, folder) == Rewrapped(done=SUBMISSIONS - 1, left=1, unreadable=[strange])


def test_a_data_key_that_was_erased_after_it_was_read_is_not_put_back(context: Context, folder: KeyFolder) -> None:
    # Without the lock that keeps the two apart, which is another mechanism.
    rotate(context, folder)
    vault = WrappingKeys(folder)
    primary = vault.keyset.primary
    with context.database.write() as connection:
        rows = rewrapping._lock_some(connection, primary, uuid.UUID(int=0))
    erase(context.database, rows[0].submission_id)
    with begin(context.database, context.keys, STAFF) as unit:
        rewrapping._rewrap_batch(unit, vault, primary, rows, [])
    assert rows[0].submission_id not in unwrap_all(context.database, context.keys)


@pytest.fixture
def two_on_postgresql(postgresql_installation: Installation, tmp_path: Path) -> Iterator[tuple[Context, KeyFolder]]:
    """A rotated vault with two data keys that are wrapped by the key before."""
    own = with_own_keys(postgresql_installation, tmp_path / "own-keys")
    context, folder = own.context(), KeyFolder(own.keys_dir)
    for number in range(2):
        submit(context, person(number))
    rotate(context, folder)
    yield context, folder
    own.close()


def test_an_erasure_that_has_not_committed_is_passed_over_and_stands(
    two_on_postgresql: tuple[Context, KeyFolder],
) -> None:
    context, folder = two_on_postgresql
    gone = table(context.database, DataKey.table())[0].submission_id
    with context.database.write() as connection:
        connection.execute(delete(DataKey).where(DataKey.submission_id == gone))
        assert run(context, folder) == Rewrapped(done=1, left=1)
    assert run(context, folder) == Rewrapped()
    assert gone not in unwrap_all(context.database, context.keys)


def test_a_data_key_that_was_in_use_comes_in_the_next_round(two_on_postgresql: tuple[Context, KeyFolder]) -> None:
    context, folder = two_on_postgresql
    used = table(context.database, DataKey.table())[0].submission_id
    with context.database.writer.connect() as connection:
        connection.execute(select(DataKey).where(DataKey.submission_id == used).with_for_update())
        assert run(context, folder, lambda _done: connection.rollback()) == Rewrapped(done=2)


def test_erasures_that_race_with_it_all_stand(context: Context, folder: KeyFolder) -> None:
    ids = [row.submission_id for row in table(context.database, DataKey.table())]
    rotate(context, folder)
    erased = ids[::2]

    def act(number: int) -> None:
        if number:
            for each in reversed(erased):
                erase(context.database, each)
        else:
            run(context, folder)

    at_once(2, act)
    run(context, folder)
    assert sorted(unwrap_all(context.database, context.keys)) == sorted(set(ids) - set(erased))
    assert list(prefixes(context.database)) == [folder.read(KeyPurpose.VAULT).primary.prefix]


def test_submissions_go_through_while_everything_is_rotated(own_keys: Installation, folder: KeyFolder) -> None:
    old = own_keys.context()
    for number in range(SUBMISSIONS):
        submit(old, person(number))
    drain(old, "validate")
    for purpose in (KeyPurpose.VAULT, KeyPurpose.AUDIT):
        rotate(old, folder, purpose)
    new = own_keys.context()
    for number in range(SUBMISSIONS, 2 * SUBMISSIONS):
        submit(new, person(number))
    run(new, folder)
    drain(old)
    assert statuses(old) == statuses(new) == {"candidate": 2 * SUBMISSIONS}
    for keys in (old.keys, new.keys):
        assert len(unwrap_all(old.database, keys)) == 2 * SUBMISSIONS
        recorded = table(old.database, AuditEvent.table())
        assert [row.action for row in recorded if not keys.is_authentic(row.leaf_hash, row.mac)] == []
