import csv
import hashlib
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.models import ActivityReview, AuditEvent
from pipeline.operations.opening import operator
from tests.cli.conftest import Careroute
from tests.pipeline.reports.history import OPENED, opened_by_one_provider
from tests.pipeline.secure_pages.links import PROVIDERS, Referred
from tests.support.submissions import submit
from tests.support.work import table

WHO = "maria.lopez@example.org\n1975-03-28\nmaria  JOSÉ\n"
PERIOD = ("--from", "2020-01-01", "--to", "2020-02-01")
NOW = ("--from", "2026-01-01", "--to", "2999-01-01")
UNKNOWN = "01a204d1-ddf4-7399-8695-7f2eade8f3ab"


@pytest.fixture
def case(sqlite_context: Context) -> Referred:
    return opened_by_one_provider(sqlite_context)


def made(case: Referred) -> list[Any]:
    """The records of reports, oldest first."""
    rows = table(case.context.database, AuditEvent.table())
    return [row for row in rows if row.action == Action.REPORT_MADE]


def test_an_accounting_is_on_record_and_its_digest_is_that_of_the_file(
    careroute: Careroute, case: Referred, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    shown = careroute("audit", "disclosures", str(case.submission_id), "--format", "json", "--output", str(file))
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hashlib.sha256(file.read_bytes()).hexdigest() in shown.stderr
    document = json.loads(file.read_bytes())
    assert document["summary"]["disclosures"] == 1
    assert document["made_by"] == str(operator())
    (record,) = made(case)
    assert (record.submission_id, record.actor) == (case.submission_id, str(operator()))
    assert record.occurred_at.isoformat() < document["made_at"]
    assert json.loads(record.details)["report"] == "disclosures"

    again = careroute("audit", "disclosures", str(case.submission_id), "--output", str(file))
    assert again.exit_code == 2, "a report that is there is not written over"
    assert len(made(case)) == 1


def test_a_person_is_named_on_standard_input(careroute: Careroute, case: Referred) -> None:
    shown = careroute("audit", "access", "--person", "--format", "csv", typed=WHO)
    assert shown.exit_code == 0, shown.stderr
    header, *rows = csv.reader(io.StringIO(shown.stdout.lstrip("\ufeff"), newline=""))
    assert header[:3] == ["at", "reference", "actor"]
    assert rows
    for typed, problem in (
        ("nobody@example.org\n1975-03-28\nMaría José\n", 1),
        ("nobody\n1975-03-28\nMaría José\n", 2),
        ("nobody@example.org\n28.3.1975\nMaría José\n", 2),
        ("nobody@example.org\n1975-03-28\n\n", 2),
    ):
        refused = careroute("audit", "access", "--person", typed=typed)
        assert (refused.exit_code, refused.stdout) == (problem, "")
        assert "nobody" not in refused.stderr
    looked = [row for row in table(case.context.database, AuditEvent.table()) if row.action == Action.PERSON_LOOKED_UP]
    assert [row.submission_id for row in looked] == [case.submission_id, None], "in vain is on record as well"


@pytest.mark.parametrize("report", ["access", "disclosures"])
def test_what_was_never_read_is_reported_with_the_rest_of_a_person(
    careroute: Careroute, case: Referred, report: str
) -> None:
    unread = submit(case.context)
    shown = careroute("audit", report, "--person", "--format", "json", typed=WHO)
    assert shown.exit_code == 0, shown.stderr
    assert unread.reference in json.loads(shown.stdout)["about"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("disclosures",),
        ("disclosures", "CR-7K4M-2QXD", "--person"),
        ("disclosures", "CR-7K4M-2QXD", "--table", "disclosures"),
        ("access", "CR-7K4M-2QXD", "--by", "staff:ana"),
        ("access", "--by", "ana"),
        ("access", "--by", "staff:"),
        ("activity", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("activity", "--from", "2026-01-01", "--to", "2999-01-01", "--sign-off", "nothing_unusual", "--yes"),
        ("activity", *PERIOD, "--sign-off", "followed_up", "--yes"),
        ("activity", *PERIOD, "--sign-off", "followed_up", "--reason", "asked Maria about her migraine", "--yes"),
        ("activity", *PERIOD, "--sign-off", "nothing_unusual", "--reason", "asked", "--yes"),
        ("activity", *PERIOD, "--reason", "asked"),
        ("breach", *PERIOD, "--actor", "ana"),
        ("breach", *PERIOD, "--output", "/nowhere/at/all"),
        ("breach", *PERIOD, "--format", "csv", "--table", "nothing"),
    ],
)
def test_wrong_use_prints_no_report(careroute: Careroute, arguments: tuple[str, ...]) -> None:
    refused = careroute("audit", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("breach", *NOW, "--provider", "nope"), "provider nope"),
        (("breach", *NOW, "--actor", "staff:nobody"), "no record names staff:nobody"),
        (("breach", *NOW, "--link", UNKNOWN), f"link {UNKNOWN}"),
        (("access", "--by", "staff:nobody"), "no record names staff:nobody"),
        (("access", "--by", OPENED.upper().replace("PROVIDER", "provider")), "no record names provider:"),
    ],
)
def test_a_slip_in_a_name_does_not_pass_for_good_news(
    careroute: Careroute, case: Referred, arguments: tuple[str, ...], named: str
) -> None:
    refused = careroute("audit", *arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert named in refused.stderr
    assert made(case) == []


def test_who_and_what_is_known_is_reported_though_it_may_be_nothing(careroute: Careroute, case: Referred) -> None:
    link = str(case.link(case.provider_token(PROVIDERS[0])).id)
    for narrowed in (("--provider", PROVIDERS[1]), ("--actor", OPENED), ("--link", link)):
        shown = careroute("audit", "breach", *NOW, *narrowed)
        assert shown.exit_code == 0, shown.stderr
    assert careroute("audit", "access", "--by", OPENED).exit_code == 0


def test_the_notice_of_a_csv_file_says_which_table_it_is(careroute: Careroute, case: Referred) -> None:
    for chosen, told in (
        ((), "this is table affected; --table gives thresholds"),
        (("--table", "thresholds"), "this is table thresholds; --table gives affected"),
    ):
        assert told in careroute("audit", "breach", *NOW, "--format", "csv", *chosen).stderr


def test_what_was_signed_off_is_what_was_shown(careroute: Careroute, case: Referred) -> None:
    signed = careroute("audit", "activity", *PERIOD, "--format", "json", "--sign-off", "nothing_unusual", "--yes")
    assert signed.exit_code == 0, signed.stderr
    (row,) = table(case.context.database, ActivityReview.table())
    assert row.report_digest == hashlib.sha256(signed.stdout.encode()).hexdigest()
    assert (row.reviewer, row.finding) == (str(operator()), "nothing_unusual")
    shown = careroute("audit", "activity", *PERIOD)
    assert row.report_digest in shown.stdout
    again = careroute("audit", "activity", *PERIOD, "--sign-off", "followed_up", "--reason", "mended", "--yes")
    assert again.exit_code == 0, again.stderr
    (record,) = (
        each
        for each in table(case.context.database, AuditEvent.table())
        if each.action == Action.ACTIVITY_REVIEWED and each.reason is not None
    )
    assert (record.reason, json.loads(record.details)["finding"]) == ("mended", "followed_up")
    declined = careroute("audit", "activity", *PERIOD, "--sign-off", "nothing_unusual", typed="n\n")
    assert declined.exit_code != 0
    assert len(table(case.context.database, ActivityReview.table())) == 2


def test_a_breach_report_opens_answers_only_when_told_to(careroute: Careroute, case: Referred, tmp_path: Path) -> None:
    page = tmp_path / "breach.html"
    assert careroute("audit", "breach", *NOW, "--format", "html", "--output", str(page)).exit_code == 0
    assert "maria.lopez" not in page.read_text("utf-8")
    shown = careroute("audit", "breach", *NOW, "--format", "csv", "--table", "contacts", "--with-contacts")
    assert shown.exit_code == 0, shown.stderr
    (row,) = csv.DictReader(io.StringIO(shown.stdout.lstrip("\ufeff"), newline=""))
    assert (row["email"], row["phone"]) == ("maria.lopez@example.org", "'+14155550132")
    shown_to = [each for each in case.recorded(Action.FACTS_DISCLOSED) if each.actor == str(operator())]
    assert [json.loads(each.details)["purpose"] for each in shown_to] == ["breach"]
    assert [json.loads(each.details)["report"] for each in made(case)] == ["breach", "breach"]
