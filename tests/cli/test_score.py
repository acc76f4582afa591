"""`score`, as an operator uses it: exit codes, one JSON document on stdout, and nothing of an answer in an error."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yaml
from sqlalchemy import update

from config.settings import ROOT
from pipeline.models import Assessment
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import answers, body, submit
from tests.support.work import actions_about, drain

SHIPPED = ROOT / "config" / "providers.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What a complete valid person says, without any consent."""
    path = tmp_path / "answers.json"
    path.write_bytes(body(answers(consent_contact=None, consent_share=None)))
    return path


def test_a_file_is_scored_for_people_and_for_programs(careroute: Careroute, file: Path) -> None:
    plain = careroute("score", str(file))
    document = json.loads(careroute("score", str(file), "--json").stdout)
    assert plain.exit_code == 0
    outcome, *matches = plain.stdout.splitlines()
    assert (outcome, document["outcome"]) == ("candidate", "candidate")
    assert matches == [f"  {each['score']:>3}  {each['provider']} / {each['program']}" for each in document["matches"]]
    assert len(matches) >= 3
    assert (document["network"]["revision"], document["explanation"]["n"]) == (1, 1)
    assert "network revision 1" in plain.stderr

    told = careroute("score", str(file), "--explain").stdout
    assert all(f"{each['provider']} / {each['program']}" in told for each in document["matches"])
    assert "required" in told
    explained = json.loads(careroute("score", str(file), "--json", "--explain").stdout)
    assert {program["program_id"] for program in explained["told"]["programs"]} >= {
        each["program"] for each in document["matches"]
    }


def test_as_of_a_time_repeats_a_verdict_bit_for_bit_whatever_was_published_since(
    careroute: Careroute, file: Path, sqlite_installation: Installation
) -> None:
    before = careroute("score", str(file), "--json")
    at = json.loads(before.stdout)["as_of"]
    put_in_force(sqlite_installation.context(), fitting("a"))
    assert [each["provider"] for each in json.loads(careroute("score", str(file), "--json").stdout)["matches"]] == ["a"]
    assert careroute("score", str(file), "--json", "--as-of", at).stdout == before.stdout

    publication = str(json.loads(before.stdout)["network"]["revision"])
    pinned = careroute("score", str(file), "--json", "--as-of", at, "--revision", publication)
    assert pinned.stdout == before.stdout

    nobody = careroute("score", str(file), "--json", "--as-of", "2001-02-03")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
    assert "no provider was published by 2001-02-03" in nobody.stderr


def test_a_time_without_a_zone_is_asked_about(careroute: Careroute, file: Path) -> None:
    for time_ in ("2026-12-01T09:00", "tomorrow"):
        result = careroute("score", str(file), "--as-of", time_)
        assert (result.exit_code, result.stdout) == (2, "")
    zoned = careroute("score", str(file), "--providers", str(SHIPPED), "--as-of", "2026-12-01T20:00-06:00", "--json")
    assert json.loads(zoned.stdout)["as_of"] == "2026-12-02T02:00:00+00:00"
    day = careroute("score", str(file), "--providers", str(SHIPPED), "--as-of", "2026-12-01", "--json")
    assert json.loads(day.stdout)["as_of"] == "2026-12-01T00:00:00+00:00"


def test_a_moment_to_come_is_judged_only_by_what_cannot_change_until_then(
    careroute: Careroute, file: Path, sqlite_installation: Installation
) -> None:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    to_come = ("score", str(file), "--as-of", day.isoformat(), "--json")
    early = careroute(*to_come)
    assert (early.exit_code, early.stdout, f"{day} 00:00 UTC is to come" in early.stderr) == (2, "", True)
    by_file, by_revision = careroute(*to_come, "--providers", str(SHIPPED)), careroute(*to_come, "--revision", "1")
    assert (by_file.exit_code, by_revision.exit_code) == (0, 0)
    put_in_force(sqlite_installation.context(), fitting("a"))
    assert careroute(*to_come, "--revision", "1").stdout == by_revision.stdout
    assert [each["provider"] for each in json.loads(careroute(*to_come, "--revision", "2").stdout)["matches"]] == ["a"]
    unknown = careroute(*to_come, "--revision", "3")
    assert (unknown.exit_code, unknown.stdout, "at revision 2" in unknown.stderr) == (2, "", True)


def test_a_provider_file_is_tried_without_any_database(
    careroute: Careroute, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREROUTE_DATA_DIR", str(tmp_path / "nowhere"))
    draft = yaml.load(SHIPPED.read_text(), yaml.BaseLoader)  # noqa: S506 - reads everything as text
    path = tmp_path / "draft.yaml"
    path.write_text(SHIPPED.read_text().replace(f"  - id: {draft['providers'][0]['id']}\n", "  - id: renamed-one\n"))
    result = careroute("score", str(file), "--providers", str(path), "--explain")
    assert (result.exit_code, "renamed-one / " in result.stdout) == (0, True)
    without = careroute("score", str(file))
    assert (without.exit_code, "there is no database" in without.stderr) == (1, True)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_answers_that_intake_would_refuse_are_named_by_field_and_rule_only(
    careroute: Careroute, file: Path, as_json: tuple[str, ...]
) -> None:
    file.write_bytes(body(answers(severity=77, condition="qwvmarker", email=None)))
    result = careroute("score", str(file), *as_json)
    assert result.exit_code == 1
    expected = {"email": "required", "condition": "unknown_condition", "severity": "out_of_range"}
    assert all(f"  {field}: {rule}: " in result.stderr for field, rule in expected.items())
    if as_json:
        problems = json.loads(result.stdout)["problems"]
        assert {each["field"]: each["rule"] for each in problems} == expected
    assert "qwvmarker" not in result.output
    assert "77" not in result.output


@pytest.mark.parametrize("content", [b"{", b'{"answers": []}', b'{"qwvmarker": 1}', b"\xff"])
def test_a_file_that_is_no_submission_is_a_finding(careroute: Careroute, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    result = careroute("score", str(file), "--json")
    assert (result.exit_code, result.stdout, "qwvmarker" in result.stderr) == (1, "", False)
    assert str(file) in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("answers.json", "--submission", "CR-0000-0000"),
        ("--submission", "CR-0000-0000", "--as-of", "2026-12-01"),
        ("--submission", "CR-0000-0000", "--providers", str(SHIPPED)),
        ("--submission", "CR-0000-0000", "--revision", "1"),
        ("answers.json", "--providers", str(SHIPPED), "--revision", "1"),
        ("no-such-file.json",),
    ],
)
def test_what_cannot_be_meant_is_wrong_use(careroute: Careroute, arguments: tuple[str, ...]) -> None:
    result = careroute("score", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_stored_submission_comes_out_as_stored_on_record(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept = submit(context)
    early = careroute("score", "--submission", kept.reference)
    assert (early.exit_code, early.stdout, "not scored yet" in early.stderr) == (1, "", True)
    drain(context)
    put_in_force(context, fitting("a"))

    result = careroute("score", "--submission", kept.reference.lower())
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "candidate")
    assert result.stdout.splitlines()[-1] == f"{kept.reference}: as stored, bit for bit"
    assert actions_about(context, kept.submission_id)[-1] == "facts:disclosed"
    document = json.loads(careroute("score", "--submission", str(kept.submission_id), "--json").stdout)
    assert (document["submission"], document["as_stored"], document["differences"]) == (kept.reference, True, [])
    assert document["network"]["revision"] == 1

    with context.database.write() as connection:
        connection.execute(update(Assessment).values(network_revision=2, judged_at=dt.datetime.now(dt.UTC)))
    for as_json in ((), ("--json",)):
        other = careroute("score", "--submission", kept.reference, *as_json)
        assert (other.exit_code, "does not come out as stored" in other.stderr) == (1, True)
        assert "explanation: not the same bytes" in other.stdout
    assert json.loads(other.stdout)["as_stored"] is False


def test_nobodys_submission_is_a_finding(careroute: Careroute) -> None:
    result = careroute("score", "--submission", "CR-0000-0000", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no submission CR-0000-0000" in result.stderr
