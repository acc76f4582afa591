"""`erase`, `holds`, `retention` and `audit archive` at the command line."""

import json
from pathlib import Path

import pytest

from embedded.stack import ERASED_AGAIN
from pipeline.context import Context
from pipeline.status import SubmissionStatus
from tests.cli.conftest import Careroute
from tests.config.shipped import ANSWERS
from tests.pipeline.erasure.cases import erase
from tests.support.installations import Installation
from tests.support.log import sequence
from tests.support.submissions import person, submit
from tests.support.work import drain, status_of

WHO = f"{ANSWERS['email']}\n{ANSWERS['date_of_birth']}\n{ANSWERS['first_name']}\n"
ERASED = SubmissionStatus.ERASED


def test_one_is_erased_unless_it_is_held(careroute: Careroute, sqlite_installation: Installation) -> None:
    kept = submit(sqlite_installation.context())
    assert careroute("erase", kept.reference, typed="n\n").exit_code == 1
    assert careroute("holds", "place", kept.reference, "--matter", "case-2026-14").exit_code == 0
    assert "legal holds    1 submission\n" in careroute("status").stdout
    refused = careroute("erase", kept.reference, "--yes")
    assert (refused.exit_code, "case-2026-14" in refused.stderr, refused.stdout) == (1, True, "")
    assert careroute("holds", "lift", kept.reference, "--matter", "case-2026-14").exit_code == 0
    done = careroute("erase", kept.reference, "--cause", "order", "--yes", "--json")
    assert (done.exit_code, json.loads(done.stdout)["erased"][0]["id"]) == (0, str(kept.submission_id))
    assert "erased before" in careroute("erase", kept.reference, "--yes").stderr


def test_holds_are_listed_and_lifted_by_their_matter(careroute: Careroute, sqlite_installation: Installation) -> None:
    kept = submit(sqlite_installation.context())
    assert careroute("holds", "place", kept.reference, "--matter", "Mrs Jones").exit_code == 2
    for _ in range(2):
        assert careroute("holds", "place", kept.reference, "--matter", "case-2026-14").exit_code == 0
    (hold,) = json.loads(careroute("holds", "list", "--json").stdout)
    assert (hold["id"], hold["matter"]) == (str(kept.submission_id), "case-2026-14")
    assert careroute("holds", "lift", kept.reference, "--matter", "case-2026-1").exit_code == 1
    assert careroute("holds", "lift", kept.reference, "--matter", "case-2026-14").exit_code == 0
    assert careroute("holds", "list").stdout == "Nothing is held.\n"


def test_all_of_a_person_by_standard_input(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    kept = [submit(context) for _ in range(2)]
    drain(context, "validate")
    assert careroute("erase", "--person", typed=f"{WHO}n\n").exit_code == 1
    result = careroute("erase", "--person", typed=f"{WHO}y\n")
    assert result.exit_code == 0
    assert all(each.reference in result.stdout for each in kept)
    assert {status_of(context, each.submission_id) for each in kept} == {ERASED}
    assert str(ANSWERS["email"]) not in result.output
    none = careroute("erase", "--person", "--json", typed=WHO)
    assert (none.exit_code, json.loads(none.stdout)["erased"]) == (1, [])
    assert careroute("erase", "--person", typed="nobody\n\n\n").exit_code == 2


def test_a_restored_backup_is_told_by_status_and_doctor(
    careroute: Careroute, sqlite_installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = sqlite_installation.context()
    kept = submit(context)
    sqlite_installation.close()
    database = sqlite_installation.folder / "careroute.db"
    backup = tmp_path_factory.mktemp("backup") / "careroute.db"
    backup.write_bytes(database.read_bytes())
    context = sqlite_installation.context()
    erase(context, kept.submission_id)
    sqlite_installation.close()
    database.write_bytes(backup.read_bytes())

    assert json.loads(careroute("status", "--json").stdout)["privacy"]["returned"] == 1
    assert "erase --replay" in careroute("status").stdout
    checks = {each["check"]: each for each in json.loads(careroute("doctor", "--json").stdout)}
    assert checks["erasures"]["outcome"] == "failed"
    done = json.loads(careroute("erase", "--replay", "--json").stdout)
    assert (done["named"], len(done["erased"])) == (1, 1)
    checks = {each["check"]: each for each in json.loads(careroute("doctor", "--json").stdout)}
    assert checks["erasures"]["outcome"] == "good"

    database.write_bytes(backup.read_bytes())
    migrated = careroute("migrate")
    assert (migrated.exit_code, ERASED_AGAIN in migrated.stderr) == (0, True)
    assert json.loads(careroute("status", "--json").stdout)["privacy"]["returned"] == 0
    with (sqlite_installation.folder / "erasures.jsonl").open("a") as file:
        file.write('{"cause":"req')
    again = careroute("erase", "--replay")
    assert (again.exit_code, "never finished" in again.stderr) == (0, True)
    assert careroute("migrate").exit_code == 0
    (sqlite_installation.folder / "erasures.jsonl").write_text("{}\n")
    assert careroute("erase", "--replay").exit_code == 1
    refused = careroute("migrate")
    assert (refused.exit_code, "lines 1." in refused.stderr) == (1, True)


def test_a_file_that_cannot_be_deleted_is_told(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    kept = submit(context)
    drain(context)
    file = next(context.settings.effective_mailbox_dir.iterdir())
    file.unlink()
    file.mkdir()
    for _ in range(2):
        done = careroute("erase", kept.reference, "--yes")
        assert (done.exit_code, file.name in done.stderr) == (1, True)
    assert status_of(context, kept.submission_id) is ERASED
    file.rmdir()
    assert careroute("erase", kept.reference, "--yes").exit_code == 0


def test_retention_is_shown_and_run(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    kept = submit(context, person(1, consent_share=None))
    drain(context)
    shown = json.loads(careroute("retention", "show", "--json").stdout)
    assert shown["classes"]["unread"] == {"days": 365, "due": 0, "held": 0}
    assert "past that" in careroute("retention", "show").stdout
    assert json.loads(careroute("retention", "run", "--dry-run", "--json").stdout)["unread"]["due"] == 0
    assert "nothing was past its time" in careroute("retention", "run", "--yes").stderr
    assert status_of(context, kept.submission_id) is SubmissionStatus.REJECTED


def test_the_audit_record_is_kept_for_its_years(careroute: Careroute, sqlite_context: Context, tmp_path: Path) -> None:
    result = careroute("audit", "archive", "--before", "2026-01-01", "--output", str(tmp_path / "archive"))
    assert (result.exit_code, "kept for 6 years" in result.stderr) == (2, True)
    result = careroute("audit", "archive", "--before", "2019-01-01", "--output", str(tmp_path / "archive"), "--json")
    assert (result.exit_code, "no log yet" in result.stderr) == (1, True)
    sequence(sqlite_context)
    result = careroute("audit", "archive", "--before", "2019-01-01", "--output", str(tmp_path / "archive"))
    assert (result.exit_code, result.stderr) == (0, "nothing to archive: no whole tile is older than that\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase",),
        ("erase", "CR-0000-0000", "--person"),
        ("erase", "CR-0000-0000", "--cause", "retention"),
        ("erase", "CR-0000-0000", "--cause", "knee"),
        ("holds", "place", "CR-0000-0000"),
        ("audit", "archive", "--output", "x"),
    ],
)
def test_wrong_use_is_2(careroute: Careroute, arguments: tuple[str, ...]) -> None:
    result = careroute(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
