import json
import shutil
from pathlib import Path

import pytest

from pipeline.keys import KeyPurpose
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
from tests.support.keysets import settle
from tests.support.submissions import submit


@pytest.fixture
def folder(
    sqlite_installation: Installation, careroute: Careroute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Keys that the commands may change."""
    folder = Path(shutil.copytree(sqlite_installation.keys_dir, tmp_path / "own-keys"))
    monkeypatch.setenv("CAREROUTE_KEYS_DIR", str(folder))
    return folder


def test_the_vault_is_rotated_its_data_keys_wrapped_anew_and_the_old_key_retired(
    careroute: Careroute, folder: Path, sqlite_installation: Installation
) -> None:
    submit(sqlite_installation.context(keys_dir=folder))
    staged = careroute("keys", "rotate", "vault", "--stage")
    assert (staged.exit_code, "Give every process the file" in staged.stderr) == (0, True)
    assert careroute("keys", "rotate", "vault").exit_code == 1

    promoted = careroute("keys", "rotate", "vault", "--promote")
    assert (promoted.exit_code, "1 data keys were wrapped anew" in promoted.stderr) == (0, True)
    again = careroute("keys", "rotate", "vault", "--rewrap")
    assert (again.exit_code, "0 data keys were wrapped anew" in again.stderr) == (0, True)

    keys = {line["keyset"]: line["keys"] for line in json.loads(careroute("keys", "status", "--json").stdout)}
    old, new = keys["vault"]
    assert [(key["state"], key["data_keys"]) for key in (old, new)] == [("kept", 0), ("primary", 1)]
    settle(folder, KeyPurpose.VAULT)
    assert careroute("keys", "retire", "vault", new["fingerprint"]).exit_code == 1
    retired = careroute("keys", "retire", "vault", str(old["id"]))
    assert (retired.exit_code, f"retired {old['fingerprint']}" in retired.stderr) == (0, True)


def test_the_signing_key_is_replaced(careroute: Careroute, folder: Path) -> None:
    def shown() -> list[str]:
        return [key["state"] for key in json.loads(careroute("keys", "status", "--json").stdout)[-1]["keys"]]

    added = careroute("keys", "rotate", "log")
    assert (added.exit_code, shown()) == (0, ["signs", "signs"])
    fingerprint = json.loads(careroute("keys", "status", "--json").stdout)[-1]["keys"][1]["fingerprint"]
    assert careroute("keys", "retire", "log", fingerprint).exit_code == 0
    assert shown() == ["signs", "retired"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("rotate", "index"), 1, "cannot be changed"),
        (("retire", "index", "1"), 1, "cannot be changed"),
        (("retire", "audit", "1"), 1, "six years"),
        (("rotate", "audit", "--promote"), 1, "no key of the audit keyset is staged"),
        (("rotate", "audit", "--rewrap"), 2, "only vault"),
        (("rotate", "log", "--stage"), 2, "needs no staging"),
        (("rotate", "vault", "--stage", "--promote"), 2, "one of"),
        (("rotate", "mail"), 2, "mail"),
    ],
)
def test_what_cannot_be_is_refused(
    careroute: Careroute, folder: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = careroute("keys", *arguments)
    assert (done.exit_code, told in done.stderr) == (code, True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_terminal_of_80_columns_shows_each_key_whole_on_a_line(
    careroute: Careroute, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert careroute("keys", "rotate", "log").exit_code == 0
    monkeypatch.setenv("COLUMNS", "80")
    files = json.loads(careroute("keys", "status", "--json").stdout)
    shown = careroute("keys", "status").stdout.splitlines()
    assert max(map(len, shown)) <= 80
    for file in files:
        lines = [[line for line in shown if key["fingerprint"] in line] for key in file["keys"]]
        assert [len(found) for found in lines] == [1] * len(file["keys"])
        assert file["file_written_at"][:4] in lines[0][0]
        assert lines[0][0].rstrip().endswith("0600")


def test_a_key_file_that_everybody_can_read_is_a_finding(careroute: Careroute, folder: Path) -> None:
    assert careroute("keys", "status").exit_code == 0
    (folder / "vault.json").chmod(0o640)
    shown = careroute("keys", "status")
    assert (shown.exit_code, "vault.json can be read by its group" in shown.stderr) == (0, True)
    (folder / "vault.json").chmod(0o644)
    shown = careroute("keys", "status")
    assert (shown.exit_code, "vault.json can be read by everybody" in shown.stderr) == (1, True)
