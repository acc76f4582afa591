import json

from pipeline.audit.anchors import DIRECTORY, note_problem
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.cli.conftest import Careroute
from tests.pipeline.consent.test_withdrawing import forget_consents
from tests.support.installations import Installation
from tests.support.log import sequence
from tests.support.receipts import report, told
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain


def test_status_as_json_follows_the_work(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    for number in range(3):
        submit(context, person(number))

    before = careroute("status", "--json")
    assert (before.exit_code, before.stderr) == (0, "")
    document = json.loads(before.stdout)
    told = ["at", "lanes", "sources", "sweep_age_seconds", "quarantined", "in_review", "stopped"]
    assert list(document) == [*told, "mail", "log", "privacy"]
    assert list(document["lanes"]) == ["validate", "score", "refer", "email", "receipts", "sequence"]
    assert list(document["lanes"]["validate"]) == ["due", "in_flight", "delayed", "paused", "dead", "oldest_seconds"]
    assert document["lanes"]["validate"]["due"] == 3

    drain(context, "validate")
    lanes = json.loads(careroute("status", "--json").stdout)["lanes"]
    assert (lanes["validate"]["due"], lanes["score"]["due"], lanes["email"]["due"]) == (0, 3, 3)
    assert "validate" in careroute("status").stdout


def test_status_says_how_mail_stands(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    submit(context)
    drain(context, "validate")
    refused = ScriptedTransport([Receipt(SendOutcome.LANE_FAILURE, code="403", retry_after=120)])
    drain(context, "email", transport=refused)
    report(context, [told("delivered"), told("bounce"), told("processed")])
    shown = careroute("status").stdout
    assert "scripted: open since" in shown
    assert ", 403; next try " in shown
    assert "last receipt   0 s ago" in shown
    document = json.loads(careroute("status", "--json").stdout)["mail"]
    assert document["breakers"]["scripted"]["reason"] == "403"
    assert document["events"] == {"sendgrid": {"bounced": 1, "delivered": 1, "processed": 1}}
    assert document["uncertain"] == {"held": 0, "dead_letters": 0}


def test_status_says_how_much_is_proven_and_what_is_wrong(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    assert "0 records, 1 not in it yet; checkpoint none yet" in careroute("status").stdout
    sequence(context)
    shown = careroute("status").stdout
    assert "1 records, 0 not in it yet; checkpoint of 1, 0 s ago" in shown
    assert "anchor         directory: has 1, 0 s ago" in shown
    with context.database.write() as connection:
        note_problem(connection, DIRECTORY, 1, "the log is shorter")
    assert "not signed     directory: has 1, 0 s ago; the log is shorter" in careroute("status").stdout
    document = json.loads(careroute("status", "--json").stdout)["log"]
    assert (document["size"], document["signing_problem"]) == (1, "the log is shorter")


def test_leads_that_are_offered_to_nobody_are_told_with_what_to_do(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    submit(context)
    drain(context, "validate")
    assert "not offered" not in careroute("status").stdout
    forget_consents(context)
    drain(context)
    assert "not offered    1 candidates, for want of a consent or its text" in careroute("status").stdout
    document = json.loads(careroute("status", "--json").stdout)
    assert (document["stopped"], document["lanes"]["refer"]["due"]) == (1, 0)
    assert "1 requests that had ended for want of a consent" in careroute("migrate").stderr
    document = json.loads(careroute("status", "--json").stdout)
    assert (document["stopped"], document["lanes"]["refer"]["due"]) == (0, 1)


def test_show_takes_a_reference_and_tells_the_journey(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    kept = submit(context, last_name="Qwvmarker")
    drain(context)
    shown = careroute("show", kept.reference.lower())
    assert shown.exit_code == 0
    assert "email:handed_over" in shown.stdout
    document = json.loads(careroute("show", str(kept.submission_id), "--json").stdout)
    assert (document["reference"], document["status"]) == (kept.reference, "candidate")
    assert document["timeline"][0]["actor"] == "source:network-site"
    assert "qwvmarker" not in (shown.output + str(document)).casefold()


def test_show_of_nobody_is_a_finding(careroute: Careroute) -> None:
    result = careroute("show", "CR-0000-0000", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no submission CR-0000-0000" in result.stderr
