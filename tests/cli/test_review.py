import json
import sqlite3
import uuid

import pytest
from sqlalchemy.exc import DatabaseError

from pipeline.models import ProviderMatch
from tests.cli.conftest import Careroute
from tests.pipeline.operations.reviewing import CONTRADICTION, in_review
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.submissions import answers, submit
from tests.support.work import actions_about, drain, emails, status_of, table

OFFER = ("--candidate", "--reason", "It fits.", "--yes")


def test_the_queue_is_listed_without_an_answer(careroute: Careroute, sqlite_installation: Installation) -> None:
    assert careroute("review", "list").stdout == "Nothing waits for review.\n"
    assert careroute("review", "list", "--json").stdout == "[]\n"
    kept = in_review(sqlite_installation.context(), **CONTRADICTION)
    listed = careroute("review", "list")
    assert listed.exit_code == 0
    assert kept.reference in listed.stdout
    assert "contradict" in listed.stdout
    (each,) = json.loads(careroute("review", "list", "--json", "--reason", "contradiction").stdout)
    assert set(each) == {"id", "reference", "source", "reasons", "waits_for", "queued_at", "waiting_seconds"}
    assert (each["id"], each["source"], each["reasons"]) == (
        str(kept.submission_id),
        "network-site",
        ["contradiction"],
    )
    assert each["waiting_seconds"] >= 0
    assert careroute("review", "list", "--reason", "information_missing").stdout == "Nothing waits for review.\n"
    for said in (listed.output, json.dumps(each)):
        assert "pregnan" not in said.casefold()
        assert "fibromyalgia" not in said.casefold()


def test_a_case_is_shown_in_words_and_that_is_on_record(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    shown = careroute("review", "show", kept.reference.lower())
    assert shown.exit_code == 0
    for expected in ("Fibromyalgia", "alpha/clinic", "beta/second", "needs information", "onset_months", "since"):
        assert expected in shown.stdout
    assert "gamma" not in shown.stdout
    assert actions_about(context, kept.submission_id)[-1] == "facts:disclosed"
    document = json.loads(careroute("review", "show", str(kept.submission_id), "--json").stdout)
    assert document["obstacles"] == {"alpha/clinic": None, "beta/first": None, "beta/second": None}
    assert [each["program_id"] for each in document["found"]["programs"]] == ["clinic", "first", "second"]
    assert actions_about(context, kept.submission_id).count("facts:disclosed") == 2
    assert (document["joined"], "later forms" in shown.stdout) == ([], False)
    later = submit(context, answers(**CONTRADICTION, severity=8))
    drain(context)
    again = careroute("review", "show", kept.reference).stdout
    (line,) = [line for line in again.splitlines() if "later forms of the same person" in line]
    assert later.reference in line
    assert json.loads(careroute("review", "show", kept.reference, "--json").stdout)["joined"] == [later.reference]


def test_nothing_is_shown_that_could_not_be_put_on_record(
    careroute: Careroute, sqlite_installation: Installation, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = in_review(sqlite_installation.context(), **CONTRADICTION)
    with sqlite3.connect(sqlite_installation.folder / SQLITE_FILE) as connection:
        connection.execute(
            "CREATE TRIGGER no_record BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'no record'); END"
        )
    with pytest.raises(DatabaseError):
        careroute("review", "show", kept.reference)
    assert capfd.readouterr().out == ""


def test_a_decision_goes_on_to_providers_and_the_person(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    assert json.loads(careroute("status", "--json").stdout)["in_review"] == 1
    decided = careroute("review", "decide", kept.reference, "--program", "alpha / clinic", *OFFER)
    assert (decided.exit_code, decided.stdout) == (0, "")
    assert "alpha/clinic" in decided.stderr
    assert json.loads(careroute("status", "--json").stdout)["in_review"] == 0
    drain(context)
    assert status_of(context, kept.submission_id) == "candidate"
    assert [row.provider_id for row in table(context.database, ProviderMatch.table())] == ["alpha"]
    assert ("recommendation", "person", "handed_over") in emails(context, kept.submission_id)
    step = json.loads(careroute("show", kept.reference, "--json").stdout)["timeline"]
    (reviewed,) = [each for each in step if each["action"] == "submission:reviewed"]
    assert reviewed["actor"].startswith("staff:")
    assert reviewed["sealed"]
    assert "It fits." not in careroute("show", kept.reference).output
    assert careroute("audit", "verify").exit_code == 0


def test_no_match_is_asked_about_and_its_reason_may_come_from_a_file(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    asked = careroute("review", "decide", kept.reference, "--no-match", "--reason", "None fits.", typed="n\n")
    assert (asked.exit_code, status_of(context, kept.submission_id)) == (1, "needs_review")
    told = ("review", "decide", kept.reference, "--no-match", "--reason", "-")
    assert careroute(*told, typed="None fits.\nNot one.\n").exit_code == 2
    assert careroute(*told, "--yes", typed=" \n").exit_code == 2
    assert careroute(*told, "--yes", typed="None fits.\nNot one.\n").exit_code == 0
    drain(context)
    assert ("no-match", "person", "handed_over") in emails(context, kept.submission_id)


def test_what_cannot_be_decided_is_a_finding_and_changes_nothing(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    refused = careroute("review", "decide", kept.reference, "--program", "gamma/clinic", *OFFER)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "cannot be offered: gamma/clinic: does not fit; nothing was changed" in refused.stderr
    assert status_of(context, kept.submission_id) == "needs_review"

    assert careroute("review", "decide", kept.reference, *OFFER).exit_code == 0
    for again in (("decide", kept.reference, *OFFER), ("show", kept.reference)):
        result = careroute("review", *again)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "not in review (its status is candidate)" in result.stderr
    absent = careroute("review", "decide", str(uuid.uuid4()), *OFFER)
    assert (absent.exit_code, "there is no submission" in absent.stderr) == (1, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--candidate",),
        ("--candidate", "--reason", ""),
        ("--candidate", "--reason", " \t"),
        ("--candidate", "--reason", "caf\udce9"),
        ("--reason", "x"),
        ("--candidate", "--no-match", "--reason", "x"),
        ("--no-match", "--program", "alpha/clinic", "--reason", "x"),
        ("--candidate", "--program", "alpha", "--reason", "x"),
        ("--candidate", "--program", "alpha/", "--reason", "x"),
        ("--candidate", "--program", "a/b/c", "--reason", "x"),
    ],
)
def test_wrong_use_changes_nothing(
    careroute: Careroute, sqlite_installation: Installation, options: tuple[str, ...]
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    before = actions_about(context, kept.submission_id)
    result = careroute("review", "decide", kept.reference, "--yes", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert actions_about(context, kept.submission_id) == before


def test_a_reason_to_list_by_that_does_not_exist_is_wrong_use(careroute: Careroute) -> None:
    assert careroute("review", "list", "--reason", "because").exit_code == 2
