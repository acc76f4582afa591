import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit.verify import verify_events
from pipeline.keys import KeyProblem, KeyPurpose, create_keysets, load_keysets
from pipeline.vault import Vault
from tests.support.installations import Installation
from tests.support.racing import at_once
from tests.support.submissions import submit
from tests.support.work import drain


def rotate(folder: Path, purpose: KeyPurpose) -> None:
    """Add a new primary key, as Tink's rotation does: the old ones stay for reading."""
    fresh = folder / "fresh"
    create_keysets(fresh)
    old, new = (json.loads((place / f"{purpose}.json").read_text(encoding="utf-8")) for place in (folder, fresh))
    new["key"] = old["key"] + new["key"]
    (folder / f"{purpose}.json").write_text(json.dumps(new), encoding="utf-8")
    shutil.rmtree(fresh)


@pytest.fixture
def own_keys(sqlite_installation: Installation, tmp_path: Path) -> Installation:
    """An installation whose keysets the test may change."""
    folder = tmp_path / "own-keys"
    shutil.copytree(sqlite_installation.keys_dir, folder)
    return Installation(sqlite_installation.folder, folder, "")


@pytest.mark.parametrize("elsewhere", [{"keys_dir": Path("/keys")}, {"database_url": "postgresql+psycopg://db/x"}])
def test_anywhere_else_a_missing_key_is_not_made_up(tmp_path: Path, elsewhere: dict[str, Any]) -> None:
    assert Installation(tmp_path, tmp_path / "keys", "").settings(keys_dir=None).may_create_keys
    settings = Installation(tmp_path, tmp_path / "keys", "").settings(**elsewhere)
    assert not settings.may_create_keys
    with pytest.raises(KeyProblem, match=r"vault\.json is missing"):
        load_keysets(tmp_path / "nowhere", create=settings.may_create_keys)


def test_the_embedded_installation_makes_its_own_keys_for_its_owner_only(tmp_path: Path) -> None:
    installation = Installation(tmp_path, tmp_path / "keys", "")
    settings = installation.settings(keys_dir=None)
    load_keysets(settings.effective_keys_dir, create=settings.may_create_keys)
    files = sorted(installation.keys_dir.iterdir())
    assert [file.name for file in files] == ["audit.json", "index.json", "vault.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(installation.keys_dir.stat().st_mode) == 0o700
    made = [file.read_bytes() for file in files]
    create_keysets(installation.keys_dir)
    assert [file.read_bytes() for file in files] == made


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    at_once(4, lambda _number: create_keysets(tmp_path / "keys"))
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == ["audit.json", "index.json", "vault.json"]
    index = Vault(load_keysets(tmp_path / "keys")).blind_index("email", "ann@example.org")
    create_keysets(tmp_path / "keys")
    assert Vault(load_keysets(tmp_path / "keys")).blind_index("email", "ann@example.org") == index


def test_elsewhere_a_missing_key_is_not_made_up(postgresql_installation: Installation, tmp_path: Path) -> None:
    shutil.copytree(postgresql_installation.keys_dir, tmp_path / "some")
    (tmp_path / "some" / "audit.json").unlink()
    with pytest.raises(KeyProblem, match=r"some/audit\.json is missing"):
        postgresql_installation.context(keys_dir=tmp_path / "some")
    assert not (tmp_path / "some" / "audit.json").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"primaryKeyId": 1, "key": []}', "[]", "\udcff"])
def test_a_file_that_is_no_keyset_is_named(tmp_path: Path, content: str) -> None:
    create_keysets(tmp_path)
    (tmp_path / "index.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(KeyProblem, match=r"index\.json is not a Tink keyset"):
        load_keysets(tmp_path)


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_a_database_written_with_another_key_is_refused(
    installation: Installation, tmp_path: Path, purpose: KeyPurpose
) -> None:
    installation.context()
    others = tmp_path / "others"
    shutil.copytree(installation.keys_dir, others)
    (others / f"{purpose}.json").unlink()
    create_keysets(others)
    with pytest.raises(KeyProblem, match=f"the {purpose} keyset is not the one this database was written with"):
        installation.context(keys_dir=others)


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_after_a_rotation_what_was_written_before_still_counts(own_keys: Installation, purpose: KeyPurpose) -> None:
    before = own_keys.context()
    first = submit(before)
    index = before.vault.blind_index("email", "ann@example.org")
    rotate(own_keys.keys_dir, purpose)
    after = own_keys.context()
    assert after.vault.blind_index("email", "ann@example.org") == index
    assert submit(after).submission_id != first.submission_id
    assert drain(after) > 0
    with after.database.snapshot() as connection:
        verification = verify_events(connection, after.keys)
    assert verification.findings == ()
    assert verification.events > 10
    own_keys.close()
