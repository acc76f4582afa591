import json

from pipeline.transports.receipt import Receipt, SendOutcome
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
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
    assert list(document) == ["at", "lanes", "sources", "sweep_age_seconds", "quarantined", "in_review", "mail"]
    assert list(document["lanes"]) == ["validate", "score", "refer", "email", "receipts"]
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
