import base64
from pathlib import Path

import pytest

from pipeline.audit import actions
from pipeline.audit.signing import load_public_keys
from pipeline.context import Context
from pipeline.keys import KeyFolder, KeyPurpose
from pipeline.operations.key_rotation import Rotation
from pipeline.operations.key_status import KeysetLine, KeyState, read_status
from pipeline.operations.signing_keys import SigningRotation
from tests.support.installations import Installation
from tests.support.log import sequence
from tests.support.submissions import submit

STAFF = actions.staff("tests")


@pytest.fixture
def context(sqlite_own_keys: Installation) -> Context:
    return sqlite_own_keys.context()


@pytest.fixture
def folder(sqlite_own_keys: Installation) -> KeyFolder:
    return KeyFolder(sqlite_own_keys.keys_dir)


def look(context: Context, folder: KeyFolder) -> dict[str, KeysetLine]:
    with context.database.read() as connection:
        return {line.name: line for line in read_status(folder, connection)}


def test_each_key_says_what_it_is_for_and_the_vaults_what_they_hold(
    own_keys: Installation,
) -> None:
    context, folder = own_keys.context(), KeyFolder(own_keys.keys_dir)
    submit(context)
    submit(context, email="another@example.org")
    rotation = Rotation(context.database, context.keys, STAFF, folder)
    rotation.add(KeyPurpose.VAULT)
    rotation.promote(KeyPurpose.VAULT)
    submit(own_keys.context(), email="third@example.org")
    rotation.add(KeyPurpose.VAULT)

    found = look(context, folder)
    assert [(key.state, key.rows) for key in found["vault"].keys] == [
        (KeyState.KEPT, 2),
        (KeyState.PRIMARY, 1),
        (KeyState.STAGED, 0),
    ]
    assert [(key.state, key.rows) for key in found["index"].keys] == [(KeyState.PRIMARY, None)]
    assert list(found) == ["vault", "index", "audit", "log"]


def test_signing_keys_are_told_as_verifiers_take_them(context: Context, folder: KeyFolder) -> None:
    assert [key.verifier for key in look(context, folder)["log"].keys] == [None]  # there is no log yet
    (first,) = look(context, folder)["log"].keys
    submit(context)
    sequence(context)
    rotation = SigningRotation(context.database, context.keys, STAFF, folder)
    added = rotation.add()
    rotation.retire(first.fingerprint)

    lines = look(context, folder)["log"].keys
    assert [(line.fingerprint, line.state) for line in lines] == [
        (added, KeyState.SIGNS),
        (first.fingerprint, KeyState.RETIRED),
    ]
    for line, key in zip(lines, load_public_keys(folder.path), strict=True):
        assert line.verifier is not None
        name, _, material = line.verifier.split("+", 2)
        assert name == f"careroute-audit-{first.fingerprint[:8]}/1"
        assert material == _material(key.public_bytes_raw())


def test_an_operator_without_the_private_key_sees_the_rest(context: Context, folder: KeyFolder) -> None:
    (folder.path / "log.pem").unlink()
    line = look(context, folder)["log"]
    assert line.problem is not None
    assert "only who sequences the audit log needs it" in line.problem
    assert [key.state for key in line.keys] == [KeyState.PUBLIC]
    (folder.path / "log.pub").unlink()
    (folder.path / "audit.json").write_text("no keyset", encoding="utf-8")
    found = look(context, folder)
    assert "log.pub is not here" in str(found["log"].problem)
    assert "audit.json is not a Tink keyset" in str(found["audit"].problem)
    assert found["vault"].problem is None


@pytest.mark.parametrize(("mode", "whose"), [(0o600, None), (0o640, "its group"), (0o604, "everybody")])
def test_who_else_can_read_a_file_is_told(context: Context, folder: KeyFolder, mode: int, whose: str | None) -> None:
    Path(folder.path / "vault.json").chmod(mode)
    found = look(context, folder)["vault"]
    assert (found.mode, found.readable_by) == (mode, whose)


def _material(public_key: bytes) -> str:
    return base64.b64encode(b"\x01" + public_key).decode()
