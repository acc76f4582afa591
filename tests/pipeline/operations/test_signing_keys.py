import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.audit.notes import Checkpoint, open_checkpoint, sign_checkpoint
from pipeline.audit.signing import create_signing_key, fingerprint, load_public_keys, load_signer
from pipeline.key_files import KeyProblem
from pipeline.keys import KeyFolder
from pipeline.models import AuditEvent
from pipeline.operations.key_rotation import NotRotated
from pipeline.operations.signing_keys import SigningRotation
from tests.support.installations import Installation
from tests.support.log import record, sequence
from tests.support.work import table

CHECKPOINT = Checkpoint("careroute-audit-test/1", 3, bytes(32))


@pytest.fixture
def rotation(sqlite_own_keys: Installation) -> SigningRotation:
    context = sqlite_own_keys.context()
    return SigningRotation(context.database, context.keys, actions.staff("tests"), KeyFolder(sqlite_own_keys.keys_dir))


def sign(rotation: SigningRotation) -> str:
    return sign_checkpoint(CHECKPOINT, load_signer(rotation.folder.path).keys)


def signing(rotation: SigningRotation) -> list[str]:
    return [fingerprint(key) for key in load_signer(rotation.folder.path).public_keys]


def known(rotation: SigningRotation) -> list[str]:
    return [fingerprint(key) for key in load_public_keys(rotation.folder.path)]


def test_the_new_key_signs_beside_the_old_one_until_that_is_retired_and_all_stays_checkable(
    rotation: SigningRotation,
) -> None:
    (first,) = signing(rotation)
    (old_key,) = load_public_keys(rotation.folder.path)
    by_the_first = sign(rotation)
    with pytest.raises(NotRotated, match="the only key that signs"):
        rotation.retire(first)

    added = rotation.add()
    assert signing(rotation) == known(rotation) == [added, first]
    by_both = sign(rotation)
    with pytest.raises(NotRotated, match="has no key 0123"):
        rotation.retire("0123")
    assert rotation.retire(first) == first
    assert (signing(rotation), known(rotation)) == ([added], [added, first])
    by_the_second = sign(rotation)

    every = load_public_keys(rotation.folder.path)
    for note in (by_the_first, by_both, by_the_second):
        assert open_checkpoint(note, CHECKPOINT.origin, every) == CHECKPOINT
    # An auditor who has not been told of the new one yet.
    assert open_checkpoint(by_both, CHECKPOINT.origin, [old_key]) == CHECKPOINT
    events = sorted(table(rotation.database, AuditEvent.table()), key=lambda row: row.seq)
    assert [(row.action, json.loads(row.details)) for row in events if row.action.startswith("key:")] == [
        ("key:added", {"key": added, "keyset": "log"}),
        ("key:retired", {"key": first, "keyset": "log"}),
    ]
    assert {(rotation.folder.path / name).stat().st_mode & 0o777 for name in ("log.pem", "log.pub")} == {0o600}


@pytest.mark.parametrize("missing", [("log.pem", "log.pub"), ("log.pem",), ("log.pub",)])
def test_where_nothing_is_signed_yet_it_is_the_first_key(rotation: SigningRotation, missing: tuple[str, ...]) -> None:
    """Also after a first time that was cut off between the files."""
    for name in missing:
        (rotation.folder.path / name).unlink()
    added = rotation.add()
    assert signing(rotation)[0] == known(rotation)[0] == added
    assert set(signing(rotation)) <= set(known(rotation))
    assert {(rotation.folder.path / name).stat().st_mode & 0o777 for name in ("log.pem", "log.pub")} == {0o600}


@pytest.mark.parametrize("missing", ["log.pem", "log.pub"])
def test_where_something_is_signed_a_file_that_is_missing_is_not_made_up(
    rotation: SigningRotation, sqlite_own_keys: Installation, missing: str
) -> None:
    context = sqlite_own_keys.context()
    record(context, None)
    assert sequence(context) is not None
    (rotation.folder.path / missing).unlink()
    with pytest.raises(KeyProblem, match=f"{missing} is missing"):
        rotation.add()
    assert not (rotation.folder.path / missing).exists()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("written", [0, 1])
def test_whoever_is_killed_in_it_asks_again(
    rotation: SigningRotation, monkeypatch: pytest.MonkeyPatch, *, first: bool, written: int
) -> None:
    """`written` of the two files were in their place."""
    before = [] if first else signing(rotation)
    if first:
        for name in ("log.pem", "log.pub"):
            (rotation.folder.path / name).unlink()
    placed: list[str] = []

    class KilledError(BaseException):
        pass

    def counted(place: Callable[..., object]) -> Callable[..., object]:
        def put(source: Path, target: Path) -> object:
            if len(placed) == written:
                raise KilledError
            placed.append(target.name)
            return place(source, target)

        return put

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", counted(os.link))
        patch.setattr(Path, "replace", counted(Path.replace))
        with pytest.raises(KilledError):
            rotation.add()
    assert placed == ["log.pub"][:written]
    if not first:
        assert set(signing(rotation)) <= set(known(rotation)), "a sequencer that starts now can sign"

    added = rotation.add()
    assert signing(rotation) == [added, *before]
    assert set(signing(rotation)) <= set(known(rotation))
    assert open_checkpoint(sign(rotation), CHECKPOINT.origin, load_public_keys(rotation.folder.path)) == CHECKPOINT
    on_record = {json.loads(row.details).get("key") for row in table(rotation.database, AuditEvent.table())}
    assert added in on_record


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["log.pub", "log.pem"])
def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_on_record(
    rotation: SigningRotation, name: str, *, first: bool
) -> None:
    if first:
        for each in ("log.pem", "log.pub"):
            (rotation.folder.path / each).unlink()
    present = {path.name for path in rotation.folder.path.iterdir()}
    # Whoever runs the tests may write everywhere; not over a folder.
    (rotation.folder.path / f".{name}.new").mkdir()
    with pytest.raises(KeyProblem, match=f"{rotation.folder.path / name} cannot be written"):
        rotation.add()
    assert "key:added" not in [row.action for row in table(rotation.database, AuditEvent.table())]
    assert {path.name for path in rotation.folder.path.iterdir()} == present | {f".{name}.new"}


def test_a_key_that_another_process_made_meanwhile_is_not_written_over(
    rotation: SigningRotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("log.pem", "log.pub"):
        (rotation.folder.path / each).unlink()
    recorded = SigningRotation._record

    def late(self: SigningRotation, action: Action, name: str) -> None:
        create_signing_key(self.folder.path)
        recorded(self, action, name)

    with monkeypatch.context() as patch:
        patch.setattr(SigningRotation, "_record", late)
        with pytest.raises(KeyProblem, match=r"log\.pub cannot be written: File exists"):
            rotation.add()
    assert signing(rotation) == known(rotation)
    assert rotation.add() in signing(rotation)


def test_a_key_that_signs_is_published_before_it_can_sign(
    rotation: SigningRotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[str] = []
    replace: Callable[[Path, Path], Path] = Path.replace

    def watched(self: Path, target: Path) -> Path:
        replaced.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    rotation.add()
    assert replaced == ["log.pub", "log.pem"]
