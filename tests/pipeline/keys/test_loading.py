import shutil
import stat
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import tink
from tink import aead

from pipeline.keys import KeyFolder, KeyProblem, KeyPurpose, check_fingerprints, create_keysets, load_keysets
from pipeline.vault import Vault
from tests.support.installations import Installation
from tests.support.keysets import rotate
from tests.support.racing import at_once

FILES = ["audit.json", "index.json", "log.pem", "log.pub", "vault.json"]


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
    assert [file.name for file in files] == FILES
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(installation.keys_dir.stat().st_mode) == 0o700
    made = [file.read_bytes() for file in files]
    create_keysets(installation.keys_dir)
    assert [file.read_bytes() for file in files] == made


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    at_once(4, lambda _number: create_keysets(tmp_path / "keys"))
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == FILES
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


def test_an_index_stays_what_it_was_whatever_was_added_to_its_keyset(keys_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(keys_dir, tmp_path / "keys")
    before = Vault(load_keysets(folder)).blind_index("email", "ann@example.org")
    rotate(folder, KeyPurpose.INDEX)
    assert Vault(load_keysets(folder)).blind_index("email", "ann@example.org") == before


def test_a_process_holds_only_the_keysets_it_needs(keys_dir: Path, tmp_path: Path) -> None:
    shutil.copy(keys_dir / "audit.json", tmp_path)
    keys = load_keysets(tmp_path, purposes={KeyPurpose.AUDIT})
    assert keys.is_authentic(b"leaf", load_keysets(keys_dir).authenticate(b"leaf", 32))
    vault = Vault(keys)
    for use in (lambda: vault.new_data_key(UUID(int=1)), lambda: vault.data_key(UUID(int=1), b"wrapped")):
        with pytest.raises(KeyProblem, match="without the vault keyset"):
            use()
    with pytest.raises(KeyProblem, match="without the index keyset"):
        vault.blind_index("email", "ann@example.org")


def test_a_process_that_holds_one_keyset_is_checked_for_that_one(
    sqlite_installation: Installation, tmp_path: Path
) -> None:
    create_keysets(tmp_path / "others")
    database = sqlite_installation.database()
    check_fingerprints(database, load_keysets(sqlite_installation.keys_dir, purposes={KeyPurpose.AUDIT}))
    with pytest.raises(KeyProblem, match="the audit keyset is not the one"):
        check_fingerprints(database, load_keysets(tmp_path / "others", purposes={KeyPurpose.AUDIT}))


def test_keysets_may_be_encrypted_by_a_master_key_that_is_elsewhere(tmp_path: Path) -> None:
    master = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM).primitive(aead.Aead)
    create_keysets(tmp_path, master=master)
    _, wrapped = Vault(load_keysets(tmp_path, master=master)).new_data_key(UUID(int=1))
    Vault(load_keysets(tmp_path, master=master)).data_key(UUID(int=1), wrapped)

    text = (tmp_path / "vault.json").read_text(encoding="utf-8")
    secret = KeyFolder(tmp_path, master).read(KeyPurpose.VAULT).document["key"][0]["keyData"]["value"]
    assert secret not in text
    with pytest.raises(KeyProblem, match=r"vault\.json is encrypted by a master key"):
        load_keysets(tmp_path)
    (tmp_path / "audit.json").write_text(text, encoding="utf-8")
    with pytest.raises(KeyProblem, match=r"audit\.json is not a Tink keyset"):
        load_keysets(tmp_path, master=master)


def test_a_keyset_in_the_clear_does_not_pass_for_an_encrypted_one(keys_dir: Path) -> None:
    master = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM).primitive(aead.Aead)
    with pytest.raises(KeyProblem, match="is not encrypted by the master key"):
        load_keysets(keys_dir, master=master)
