import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import AuditEvent, PersonIndex, Submission, Suppression
from pipeline.operations.metrics import to_text
from pipeline.operations.status_report import read_status
from pipeline.status import SubmissionStatus
from pipeline.suppression import address_index
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, table

ADDRESS = "ana.1@example.org"
WHY = ("--reason", "letter of today")
NO_MAILBOX = Receipt(SendOutcome.REJECTED, None, "5.1.1", bad_address=True)


@pytest.fixture
def context(sqlite_installation: Installation) -> Context:
    return sqlite_installation.context()


def document(careroute: Careroute, *arguments: str, typed: str | None = None) -> Any:
    return json.loads(careroute("suppressions", *arguments, "--json", typed=typed).stdout)


def test_a_bounce_is_listed_with_what_led_to_it_and_lifted_so_that_mail_goes_out_again(
    careroute: Careroute, context: Context
) -> None:
    kept = submit(context, person(1))
    drain(context, "validate")
    drain(context, "email", transport=ScriptedTransport([NO_MAILBOX]))
    shown = careroute("suppressions", "list").stdout
    assert (kept.reference in shown, "all mail" in shown, "promotional" in shown) == (True, True, False)
    (listed,) = document(careroute, "list")
    assert (listed["reason"], listed["reference"], listed["recipient"]) == ("bounced", kept.reference, "person")
    assert listed["classes"] == ["promotional", "requested", "transactional"]
    assert document(careroute, "list", "--as", "complained") == []
    assert document(careroute, "show", typed=f" {ADDRESS.upper()}\n") == [listed]
    assert ADDRESS not in careroute("suppressions", "show", typed=ADDRESS).output.lower()

    lifted = careroute("suppressions", "lift", *WHY, typed=ADDRESS)
    assert (lifted.exit_code, "lifted: bounced" in lifted.stderr) == (0, True)
    assert careroute("suppressions", "list").stdout == "Nobody is on the list.\n"
    assert careroute("suppressions", "show", typed=ADDRESS).stdout == "Not on the list.\n"
    told = [row for row in table(context.database, AuditEvent.table()) if row.action == "suppression:lifted"]
    assert {(row.submission_id, row.reason) for row in told} == {(kept.submission_id, WHY[1])}
    assert all(row.actor.startswith("staff:") for row in told)
    drain(context)
    assert ("recommendation", "person", "handed_over") in emails(context, kept.submission_id)
    assert careroute("audit", "verify").exit_code == 0


def test_requests_whose_person_cannot_be_written_to_are_counted_and_named(
    careroute: Careroute, context: Context
) -> None:
    reached, lost, old, ended = (submit(context, person(number)) for number in range(4))
    drain(context)
    with context.database.write() as connection:
        month = {"received_at": utc_now() - dt.timedelta(days=31)}
        connection.execute(update(PersonIndex).where(PersonIndex.submission_id == old.submission_id).values(month))
        withdrawn = update(Submission).where(Submission.id == ended.submission_id)
        connection.execute(withdrawn.values(status=SubmissionStatus.WITHDRAWN.value))
    assert "unreachable" not in careroute("status").stdout
    assert "can be written to" in careroute("suppressions", "unreachable").stdout
    careroute("suppressions", "add", "--as", "unsubscribed", *WHY, typed="ana.0@example.org")
    for number in (1, 2, 3):
        careroute("suppressions", "add", "--as", "bounced", *WHY, typed=f"ana.{number}@example.org")
    careroute("suppressions", "add", "--as", "complained", *WHY, typed=ADDRESS)

    (named,) = document(careroute, "unreachable")
    assert (named["reference"], named["status"], named["reason"]) == (lost.reference, "candidate", "bounced")
    shown = careroute("suppressions", "unreachable").stdout
    assert (lost.reference in shown, reached.reference in shown) == (True, False)
    assert "unreachable    1 of the last 30 days" in careroute("status").stdout
    assert json.loads(careroute("status", "--json").stdout)["mail"]["unreachable"] == 1
    with context.database.read() as connection:
        report = read_status(connection)
    assert to_text(report, context.settings).count("\ncareroute_mail_unreachable 1\n") == 1


def test_what_its_owner_said_is_lifted_only_when_that_is_meant(careroute: Careroute, context: Context) -> None:
    added = careroute("suppressions", "add", "--as", "unsubscribed", *WHY, typed=ADDRESS)
    assert (added.exit_code, added.stdout) == (0, "")
    assert "no promotional, requested mail" in added.stderr
    assert careroute("suppressions", "add", *WHY, typed=ADDRESS).exit_code == 0
    assert "was on the list" in careroute("suppressions", "add", *WHY, typed=ADDRESS).stderr

    lifted = careroute("suppressions", "lift", *WHY, typed=ADDRESS)
    assert (lifted.exit_code, "--as unsubscribed lifts it" in lifted.stderr) == (1, True)
    assert {entry["reason"] for entry in document(careroute, "show", typed=ADDRESS)} == {"unsubscribed"}
    some = careroute("suppressions", "lift", "--as", "unsubscribed", "--class", "requested", *WHY, typed=ADDRESS)
    assert some.exit_code == 1
    assert careroute("suppressions", "lift", "--as", "unsubscribed", *WHY, typed=ADDRESS).exit_code == 0
    assert "was not on the list" in careroute("suppressions", "lift", *WHY, typed=ADDRESS).stderr
    assert set(actions_about(context, None)) >= {"suppression:added", "suppression:lifted", "suppression:looked_up"}


def test_a_list_that_a_mail_provider_exported_is_taken_over(
    careroute: Careroute, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.operations.suppressions._ADDRESSES_AT_A_TIME", 2)
    many = [f"person{number}@example.org" for number in range(5)]
    lines = ["status,reason,Email,created", *(f'5.1.1,"550, no",{each},1700000000' for each in many)]
    file = tmp_path / "bounces.csv"
    file.write_text("\ufeff" + "\r\n".join([*lines, "5.1.1,x,nobody,1", "", f"5.1.1,x,{many[0].upper()},1"]))
    done = careroute("suppressions", "import", str(file), "--as", "bounced", *WHY)
    assert done.exit_code == 1
    assert done.stderr == f"{len(many)} added, 1 were on the list as bounced\nno address in line {len(many) + 2}\n"
    listed = {bytes(row.address_index) for row in table(context.database, Suppression.table())}
    assert listed == {address_index(context.vault, each) for each in many}
    again = careroute("suppressions", "import", str(file), "--as", "bounced", *WHY)
    assert again.stderr.startswith("0 added")


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("add", "--reason", " "), ADDRESS),
        (("add", "--reason", "wrote from ana@example.org"), ADDRESS),
        (("add", *WHY), "nobody"),
        (("add", *WHY), ""),
        (("add", ADDRESS, *WHY), ""),
        (("add", "--as", "bored", *WHY), ADDRESS),
        (("show",), "a@b@c"),
        (("lift", "--class", "all", *WHY), ADDRESS),
        (("import", "/nowhere.csv", "--as", "bounced", *WHY), None),
        (("import", __file__, "--as", "bounced", *WHY), None),
        (("import", "/bin/true", "--as", "bounced", *WHY), None),
    ],
)
def test_wrong_use_is_2_and_changes_nothing(
    careroute: Careroute, context: Context, arguments: tuple[str, ...], typed: str | None
) -> None:
    result = careroute("suppressions", *arguments, typed=typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert not table(context.database, Suppression.table())
