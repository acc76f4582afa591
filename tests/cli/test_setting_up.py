import json
from pathlib import Path

import pytest
import yaml

from config.settings import ROOT
from tests.cli.conftest import Careroute


def test_new_keys_are_private_and_never_overwritten(careroute: Careroute, tmp_path: Path) -> None:
    folder = tmp_path / "keysets"
    assert careroute("keys", "new", str(folder)).exit_code == 0
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(written) == ["audit.json", "index.json", "vault.json"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    (folder / "audit.json").unlink()
    again = careroute("keys", "new", str(folder))
    assert (again.exit_code, "nothing was written" in again.stderr) == (1, True)
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "vault.json"]


def test_importing_shows_the_difference_asks_and_publishes(careroute: Careroute, tmp_path: Path) -> None:
    shipped = ROOT / "config" / "providers.yaml"
    assert "Nothing to publish" in careroute("providers", "import", str(shipped)).stderr

    document = yaml.load(shipped.read_text(), yaml.BaseLoader)  # noqa: S506 - reads everything as text
    name, gone = document["providers"][0]["name"], document["providers"].pop()
    changed = tmp_path / "providers.yaml"
    text = shipped.read_text().replace(f"name: {name}\n", "name: Another Name\n")
    changed.write_text(text[: text.index(f"  - id: {gone['id']}\n")])

    shown = careroute("providers", "import", str(changed), typed="n\n")
    assert (shown.exit_code, "Another Name" in shown.stdout, f"- {gone['id']}" in shown.stdout) == (1, True, True)
    assert "Nothing to publish" in careroute("providers", "import", str(shipped)).stderr  # nothing was published

    done = careroute("providers", "import", str(changed), "--yes")
    assert (done.exit_code, "0 added, 1 changed, 1 retired" in done.stderr) == (0, True)
    assert "Nothing to publish" in careroute("providers", "import", str(changed)).stderr


def test_doctor_is_content_with_warnings_and_says_what_to_do(
    careroute: Careroute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAREROUTE_SOURCE_NETWORK_SITE_KEY")
    monkeypatch.setenv("CAREROUTE_BROKER_URL", "redis://127.0.0.1:1/0")
    result = careroute("doctor", "--json")
    assert result.exit_code == 0
    warnings = {each["check"]: each["told"] for each in json.loads(result.stdout) if each["outcome"] == "warning"}
    assert sorted(warnings) == ["broker", "secret"]
    assert "CAREROUTE_SOURCE_NETWORK_SITE_KEY" in warnings["secret"]
    assert "✓ database" in careroute("doctor").stdout


@pytest.mark.parametrize(
    ("name", "value"), [("MAIL_FROM", "care at example.org"), ("MAIL_REPLY_TO", "a@example.org, b@example.org")]
)
def test_doctor_fails_for_mail_that_cannot_leave(
    careroute: Careroute, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CAREROUTE_{name}", value)
    result = careroute("doctor")
    assert (result.exit_code, "✗ mail" in result.stdout, name.lower() in result.stdout) == (1, True, True)
