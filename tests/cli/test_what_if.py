import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from config.providers import ProviderDocument, load_providers
from pipeline.context import Context
from pipeline.models import AuditEvent
from pipeline.providers import draft_network
from tests.cli.conftest import Careroute
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.network_files import program, provider
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.networks import put_in_force
from tests.support.submissions import person, submit
from tests.support.work import actions_about, drain, table

ONLY_UP_TO_40 = ("{age: {at_least: 18, at_most: 65}}", "{age: {at_least: 18, at_most: 40}}")


def draft(folder: Path) -> Path:
    """The shipped network, with one study that takes people up to 40 only."""
    path = folder / "draft.yaml"
    text = (FOLDER / "providers.yaml").read_text(encoding="utf-8")
    assert text.count(ONLY_UP_TO_40[0]) == 1
    path.write_text(text.replace(*ONLY_UP_TO_40), encoding="utf-8")
    return path


def study_people(context: Context) -> None:
    """People who fit the shipped network's fibromyalgia study, but for their age under the draft."""
    fitting = {"condition": "fibromyalgia", "severity": 6, "onset_months": 24, "diagnosis_confirmed": "yes"}
    for number in range(1, 4):
        answers = {**fitting, "contraindications": ["none"], "prior_treatments": ["medication"], "travel": "national"}
        submit(context, person(number, **answers))
    drain(context)


def test_the_table_tells_who_loses_and_the_run_is_on_record(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path
) -> None:
    context = sqlite_installation.context()
    study_people(context)
    told = careroute("providers", "what-if", str(draft(tmp_path)))
    assert told.exit_code == 0
    [line] = [line for line in told.stdout.splitlines() if "northstar-research" in line]
    assert "-3" in line
    assert "second-compass" not in told.stdout
    assert "second-compass" in careroute("providers", "what-if", str(draft(tmp_path)), "--all").stdout
    assert actions_about(context, None).count("providers:rehearsed") == 2


def test_json_holds_every_provider_and_no_answer(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path
) -> None:
    study_people(sqlite_installation.context())
    told = careroute("providers", "what-if", str(draft(tmp_path)), "--last", "2", "--json")
    document = json.loads(told.stdout)
    assert document["compared"] == 2
    found = {each["provider"]: each for each in document["providers"]}
    assert (found["northstar-research"]["loses"], found["northstar-research"]["then"]["fits"]) == (2, 0)
    assert found["second-compass"]["now"] == found["second-compass"]["then"]
    assert "fibromyalgia" not in told.stdout


def taking(at_least: int) -> ProviderDocument:
    """A provider that takes people by `severity` alone."""
    return provider(program([{"question": "severity", "at_least": at_least}]), id="one")


def asking_for_severity(context: Context, folder: Path) -> tuple[str, list[str]]:
    """A draft that takes only those whose severity is 5 or more; the references of people with 3, 4 and 8."""
    put_in_force(context, taking(0))
    references = [submit(context, person(number, severity=number)).reference for number in (3, 4, 8)]
    drain(context)
    path = folder / "oracle.yaml"
    text = taking(5).model_dump_json(exclude_defaults=True)
    path.write_text(f'{{"providers": [{text}]}}', encoding="utf-8")
    return str(path), references


def disclosures(context: Context) -> list[tuple[str, str]]:
    rows = [row for row in table(context.database, AuditEvent.table()) if row.action == "facts:disclosed"]
    return sorted((str(row.submission_id), row.details) for row in rows)


def ids_of(careroute: Careroute, references: list[str]) -> list[str]:
    return [json.loads(careroute("show", each, "--json").stdout)["id"] for each in references]


def test_who_is_moved_by_a_draft_is_only_counted(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.providers_what_if.FEWEST_COUNTED", 3)
    context = sqlite_installation.context()
    path, references = asking_for_severity(context, tmp_path)
    plain = careroute("providers", "what-if", path)
    assert "newly unmatched: 2\n" in plain.stdout
    document = careroute("providers", "what-if", path, "--json")
    assert json.loads(document.stdout)["newly_unmatched"] == 2
    assert not any(each in plain.output + document.output for each in references)
    assert disclosures(context) == []
    events = table(context.database, AuditEvent.table())
    [*_, rehearsed] = [json.loads(row.details) for row in events if row.action == "providers:rehearsed"]
    draft_digest = draft_network(load_providers(Path(path), SCREENING, CONDITIONS).providers).digest
    assert rehearsed == {"submissions": 3, "network": draft_digest}


def test_a_count_of_a_few_is_on_record_with_each_as_if_they_were_named(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.providers_what_if.FEWEST_COUNTED", 3)
    context = sqlite_installation.context()
    path, [_, four, eight] = asking_for_severity(context, tmp_path)
    assert "newly unmatched: 1\n" in careroute("providers", "what-if", path, "--last", "2").stdout
    assert [submission_id for submission_id, _ in disclosures(context)] == sorted(ids_of(careroute, [four, eight]))


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_who_is_moved_is_named_if_asked_for_and_that_is_on_record_with_each(
    careroute: Careroute,
    sqlite_installation: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_json: tuple[str, ...],
) -> None:
    monkeypatch.setattr("cli.providers_what_if.FEWEST_COUNTED", 3)
    context = sqlite_installation.context()
    path, [three, four, eight] = asking_for_severity(context, tmp_path)
    told = careroute("providers", "what-if", path, "--list", *as_json)
    assert told.exit_code == 0
    if as_json:
        assert json.loads(told.stdout)["submissions"] == {
            "newly_unmatched": [three, four],
            "newly_matched": [],
            "newly_in_review": [],
        }
    assert (three in told.stdout, four in told.stdout, eight in told.output) == (True, True, False)
    named = [(each, '{"purpose":"what_if"}') for each in ids_of(careroute, [three, four])]
    assert disclosures(context) == sorted(named)
    assert careroute("audit", "verify").exit_code == 0


def test_nobody_is_named_who_could_not_be_put_on_record(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, _ = asking_for_severity(sqlite_installation.context(), tmp_path)
    with sqlite3.connect(sqlite_installation.folder / SQLITE_FILE) as connection:
        connection.execute(
            "CREATE TRIGGER no_record BEFORE INSERT ON audit_event WHEN new.action = 'facts:disclosed' "
            "BEGIN SELECT RAISE(ABORT, 'no record'); END"
        )
    with pytest.raises(DatabaseError):
        careroute("providers", "what-if", path, "--list")
    assert "CR-" not in capfd.readouterr().out


def test_without_submissions_or_with_a_broken_draft_it_says_so(careroute: Careroute, tmp_path: Path) -> None:
    shutil.copyfile(FOLDER / "providers.yaml", tmp_path / "same.yaml")
    told = careroute("providers", "what-if", str(tmp_path / "same.yaml"))
    assert (told.exit_code, told.stdout) == (1, "")
    assert "no submission was scored yet" in told.stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text("providers: []\n", encoding="utf-8")
    assert careroute("providers", "what-if", str(broken)).exit_code == 1
