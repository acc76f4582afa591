"""Two processes over one folder: `old` loaded the keys before they were changed, `new` after."""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.keys import KeyFolder, KeyProblem, KeyPurpose, Keys, create_keysets, load_keysets, reloading
from pipeline.vault import SealBroken, Vault
from tests.support.keysets import rotate, write
from tests.support.racing import at_once

ONE = uuid.UUID(int=1)
LEAF = b"the leaf hash of a record"


@pytest.fixture
def folder(keys_dir: Path, tmp_path: Path) -> Path:
    """Keysets that the test may change."""
    return Path(shutil.copytree(keys_dir, tmp_path / "keys"))


@pytest.fixture
def old(folder: Path) -> Keys:
    return load_keysets(folder)


@pytest.fixture
def _looks_at_each_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if between any two uses more time passed than between two looks at the file."""
    monkeypatch.setattr(reloading, "LOOK_SECONDS", -1.0)


def test_both_read_what_either_wraps(folder: Path, old: Keys) -> None:
    _, before = Vault(old).new_data_key(ONE)
    rotate(folder, KeyPurpose.VAULT)
    new = load_keysets(folder)
    _, after = Vault(new).new_data_key(ONE)
    assert before[:5] != after[:5]
    for wrapped in (before, after):
        for keys in (old, new):
            Vault(keys).data_key(ONE, wrapped)


def test_both_believe_what_either_authenticates(folder: Path, old: Keys) -> None:
    before = old.authenticate(LEAF, 32)
    rotate(folder, KeyPurpose.AUDIT)
    new = load_keysets(folder)
    after = new.authenticate(LEAF, 32)
    assert before != after
    assert [keys.is_authentic(LEAF, code) for keys in (old, new) for code in (before, after)] == [True] * 4
    assert not old.is_authentic(LEAF, bytes(32))
    assert not new.is_authentic(b"another leaf", after)


def test_a_second_rotation_is_noticed_as_soon_as_the_first(folder: Path, old: Keys) -> None:
    for _ in range(3):
        rotate(folder, KeyPurpose.VAULT)
        rotate(folder, KeyPurpose.AUDIT)
        new = load_keysets(folder)
        Vault(old).data_key(ONE, Vault(new).new_data_key(ONE)[1])
        assert old.is_authentic(LEAF, new.authenticate(LEAF, 32))


@pytest.mark.usefixtures("_looks_at_each_use")
def test_a_running_process_comes_to_write_with_the_promoted_key(folder: Path, old: Keys) -> None:
    _, before = Vault(old).new_data_key(ONE)
    rotate(folder, KeyPurpose.VAULT)
    rotate(folder, KeyPurpose.AUDIT)
    new = load_keysets(folder)
    assert Vault(old).new_data_key(ONE)[1][:5] == Vault(new).new_data_key(ONE)[1][:5] != before[:5]
    assert old.authenticate(LEAF, 32) == new.authenticate(LEAF, 32)


def test_a_file_is_not_looked_at_for_every_key_that_is_made(folder: Path, old: Keys) -> None:
    _, before = Vault(old).new_data_key(ONE)
    rotate(folder, KeyPurpose.VAULT)
    assert Vault(old).new_data_key(ONE)[1][:5] == before[:5]


@pytest.mark.usefixtures("_looks_at_each_use")
def test_whoever_slept_through_a_rotation_and_the_old_keys_end_goes_on_with_the_new_one(
    folder: Path, old: Keys
) -> None:
    rotate(folder, KeyPurpose.VAULT)
    keyset = KeyFolder(folder).read(KeyPurpose.VAULT)
    write(folder, keyset.without(keyset.keys[0]))
    _, wrapped = Vault(old).new_data_key(ONE)
    Vault(load_keysets(folder)).data_key(ONE, wrapped)


@pytest.mark.usefixtures("_looks_at_each_use")
@pytest.mark.parametrize("use", [lambda keys: Vault(keys).new_data_key(ONE), lambda keys: keys.authenticate(LEAF, 32)])
def test_nothing_is_written_after_another_installations_keys_were_put_there(
    folder: Path, old: Keys, tmp_path: Path, use: Callable[[Keys], object]
) -> None:
    _, wrapped = Vault(old).new_data_key(ONE)
    shutil.move(folder, tmp_path / "its own")
    create_keysets(folder)
    with pytest.raises(KeyProblem, match="was replaced by another keyset"):
        use(old)
    with pytest.raises(SealBroken):
        Vault(old).data_key(ONE, Vault(load_keysets(folder)).new_data_key(ONE)[1])
    Vault(old).data_key(ONE, wrapped)  # what it has loaded still reads

    shutil.rmtree(folder)
    shutil.move(tmp_path / "its own", folder)
    use(old)


@pytest.mark.usefixtures("_looks_at_each_use")
@pytest.mark.parametrize("content", [None, "", "half a key"])
def test_a_running_process_goes_on_while_a_file_is_away_or_broken(folder: Path, old: Keys, content: str | None) -> None:
    for name in ("vault.json", "audit.json"):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_text(content, encoding="utf-8")
    _, wrapped = Vault(old).new_data_key(ONE)
    Vault(old).data_key(ONE, wrapped)
    assert old.is_authentic(LEAF, old.authenticate(LEAF, 32))
    assert not old.is_authentic(LEAF, bytes(32))


def test_threads_that_meet_a_new_key_together_all_read(folder: Path, old: Keys) -> None:
    rotate(folder, KeyPurpose.VAULT)
    rotate(folder, KeyPurpose.AUDIT)
    new = load_keysets(folder)
    wrapped, code = Vault(new).new_data_key(ONE)[1], new.authenticate(LEAF, 32)

    def read(_number: int) -> bool:
        Vault(old).data_key(ONE, wrapped)
        return old.is_authentic(LEAF, code)

    assert at_once(8, read) == [True] * 8
