import datetime as dt
import json
from pathlib import Path

import pytest
import yaml
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from config.settings import ROOT
from pipeline.audit import actions
from pipeline.db import utc_now
from pipeline.models import ProviderVersion
from pipeline.providers import publish
from pipeline.unit_of_work import begin
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
from tests.support.networks import fitting, put_in_force
from tests.support.work import table


def test_new_keys_are_private_and_never_overwritten(careroute: Careroute, tmp_path: Path) -> None:
    folder = tmp_path / "keysets"
    assert careroute("keys", "new", str(folder)).exit_code == 0
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(written) == ["audit.json", "index.json", "log.pem", "log.pub", "vault.json"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    (folder / "audit.json").unlink()
    again = careroute("keys", "new", str(folder))
    assert (again.exit_code, "nothing was written" in again.stderr) == (1, True)
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "log.pem", "log.pub", "vault.json"]


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


def test_an_import_can_be_scheduled_and_says_what_will_replace_it(careroute: Careroute, tmp_path: Path) -> None:
    shipped = ROOT / "config" / "providers.yaml"
    document = yaml.load(shipped.read_text(), yaml.BaseLoader)  # noqa: S506 - reads everything as text
    name, provider_id = document["providers"][0]["name"], document["providers"][0]["id"]
    drafts = []
    for draft in ("Winter Name", "Spring Name"):
        drafts.append(tmp_path / f"{draft}.yaml")
        drafts[-1].write_text(shipped.read_text().replace(f"name: {name}\n", f"name: {draft}\n"))
    winter, spring = map(str, drafts)

    late = careroute("providers", "import", winter, "--effective", "2020-01-01", "--yes")
    assert (late.exit_code, "2020-01-01 00:00 UTC has passed" in late.stderr) == (2, True)
    naive = careroute("providers", "import", winter, "--effective", "2999-01-01T08:00", "--yes")
    assert (naive.exit_code, "zone" in naive.stderr) == (2, True)

    done = careroute("providers", "import", spring, "--effective", "2999-03-01T01:00+01:00", "--yes")
    assert (done.exit_code, "in effect from 2999-03-01 00:00 UTC" in done.stderr) == (0, True)
    assert "Nothing to publish" in careroute("providers", "import", str(shipped)).stderr  # it is not in effect yet

    sooner = careroute("providers", "import", winter, "--effective", "2999-01-01", typed="y\n")
    assert (sooner.exit_code, "takes effect on 2999-01-01 00:00 UTC" in sooner.stderr) == (0, True)
    assert f"another version of {provider_id} is scheduled for 2999-03-01 00:00 UTC" in sooner.stderr
    assert f'name: "{name}" → "Winter Name"' in sooner.stdout
    again = careroute("providers", "import", winter, "--effective", "2999-02-01")
    assert "Nothing to publish: the network will be as the file says on 2999-02-01" in again.stderr


def test_what_somebody_else_has_published_meanwhile_is_looked_at_again(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text((ROOT / "config" / "providers.yaml").read_text().replace("max_open: 25", "max_open: 24"))
    context = sqlite_installation.context()
    monkeypatch.setattr("typer.confirm", lambda *_, **__: put_in_force(context, fitting("a")))
    result = careroute("providers", "import", str(draft))
    assert (result.exit_code, "look at the differences again" in result.stderr) == (1, True)
    with context.database.read() as connection:
        assert set(context.networks.current(connection).by_provider) == {"a"}


def test_what_takes_effect_between_the_differences_and_the_yes_is_looked_at_again(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text((ROOT / "config" / "providers.yaml").read_text().replace("max_open: 25", "max_open: 24"))
    context, tomorrow = sqlite_installation.context(), utc_now() + dt.timedelta(days=1)
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        publish(unit, [fitting("a")], tomorrow)

    def its_time_comes(*_: object, **__: object) -> None:
        versions = ProviderVersion.table()
        (later,) = [row for row in table(context.database, versions) if row.provider_id == "a"]
        with context.database.write() as connection:
            sooner = {**later._mapping, "id": uuid7(), "version": 2, "effective_at": utc_now()}
            connection.execute(insert(versions), sooner)

    monkeypatch.setattr("typer.confirm", its_time_comes)
    result = careroute("providers", "import", str(draft))
    assert (result.exit_code, "look at the differences again" in result.stderr) == (1, True)
    with context.database.read() as connection:
        assert set(context.networks.current(connection, tomorrow).by_provider) == {"a"}


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
