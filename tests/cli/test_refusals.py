"""What cannot work is refused at start, in plain text: what is wrong and what to do."""

import sqlite3
from pathlib import Path

import pytest

from pipeline.keys import create_keysets
from tests.cli.conftest import Careroute
from tests.support.installations import SQLITE_FILE, Installation

PROCESSES = ("web", "worker", "beat")
OPERATIONS = (("status",), ("audit", "verify"), ("jobs", "list"), ("doctor",))
BROKER = "redis://127.0.0.1:1/0"


def refused(careroute: Careroute, *arguments: str) -> str:
    result = careroute(*arguments)
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    return result.output


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREROUTE_BROKER_URL", BROKER)


@pytest.mark.parametrize("arguments", [*((name,) for name in PROCESSES), *OPERATIONS])
def test_a_schema_nobody_here_knows(
    careroute: Careroute, sqlite_installation: Installation, arguments: tuple[str, ...]
) -> None:
    with sqlite3.connect(sqlite_installation.folder / SQLITE_FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999, which this version does not know" in refused(careroute, *arguments)


@pytest.mark.parametrize("name", PROCESSES)
def test_no_database_yet(careroute: Careroute, sqlite_installation: Installation, name: str) -> None:
    (sqlite_installation.folder / SQLITE_FILE).unlink()
    assert "careroute migrate" in refused(careroute, name)
    assert not (sqlite_installation.folder / SQLITE_FILE).exists()


@pytest.mark.parametrize("arguments", [("web",), ("worker",), ("audit", "verify"), ("migrate",), ("doctor",)])
def test_the_keys_of_another_database(
    careroute: Careroute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    create_keysets(tmp_path / "others")
    monkeypatch.setenv("CAREROUTE_KEYS_DIR", str(tmp_path / "others"))
    assert "not the one this database was written with" in refused(careroute, *arguments)


@pytest.mark.parametrize("name", PROCESSES)
def test_no_broker(careroute: Careroute, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("CAREROUTE_BROKER_URL")
    assert "CAREROUTE_BROKER_URL is not set" in refused(careroute, name)


@pytest.mark.parametrize("name", ["web", "worker", "doctor"])
def test_a_mistake_in_a_reviewed_file_names_file_and_line(
    careroute: Careroute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("sources:\n  - id: site\n    adapter: jsn\n")
    monkeypatch.setenv("CAREROUTE_SOURCES_FILE", str(path))
    assert f"{path}:3:5: sources[0].adapter: expected one of json, webflow, hosted" in refused(careroute, name)


def test_a_wrong_setting_is_named_without_its_value(careroute: Careroute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREROUTE_PUBLIC_URL", "hunter2")
    said = refused(careroute, "status")
    assert "CAREROUTE_PUBLIC_URL: " in said
    assert "hunter2" not in said


def test_an_unknown_lane_is_wrong_use(careroute: Careroute) -> None:
    result = careroute("worker", "--lanes", "validate,scroe")
    assert (result.exit_code, "no such lane: scroe" in result.stderr) == (2, True)


def test_a_database_that_is_away(careroute: Careroute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREROUTE_DATABASE_URL", "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none")
    said = refused(careroute, "status")
    assert "the database does not answer" in said
    assert "hunter2" not in said


def test_tampering_is_a_finding(careroute: Careroute, sqlite_installation: Installation) -> None:
    assert careroute("audit", "verify").stdout.startswith("1 records, all as they were written\n")
    with sqlite3.connect(sqlite_installation.folder / SQLITE_FILE) as connection:
        connection.executescript("DROP TRIGGER IF EXISTS audit_event_no_update; PRAGMA writable_schema = 0;")
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE audit_event SET actor = 'staff:somebody'")
    result = careroute("audit", "verify", "--json")
    assert (result.exit_code, "do not match its leaf hash" in result.stdout) == (1, True)
