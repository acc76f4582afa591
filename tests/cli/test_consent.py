import json

from pipeline.audit.actions import Action
from tests.cli.conftest import Careroute
from tests.pipeline.secure_pages.links import PROVIDERS, referred
from tests.support.installations import Installation
from tests.support.work import actions_about, status_of


def test_staff_see_what_was_agreed_to_and_take_it_back_as_the_person_asked(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    case = referred(context)
    id_ = str(case.submission_id)
    before = json.loads(careroute("consent", "show", id_, "--json").stdout)
    assert before["live"] == {"contact": {"organisation": True}, "share": {"providers": True}}
    assert [(line["decision"], line["source"]) for line in before["lines"]] == [("given", "source:network-site")] * 2
    assert actions_about(context, case.submission_id)[-1] != "consent:withdrawn"

    by_letter = ("--reason", "letter")
    one = ("consent", "withdraw", id_, "--purpose", "share", "--provider")
    assert careroute(*one, PROVIDERS[0], *by_letter, typed="n\n").exit_code == 1
    assert "consent:withdrawn" not in actions_about(context, case.submission_id)
    assert careroute(*one, "nobody-at-all", *by_letter, "--yes").exit_code == 1
    assert careroute(*one, PROVIDERS[0], *by_letter, "--yes").exit_code == 0
    assert "taken back before" in careroute(*one, PROVIDERS[0], *by_letter, "--yes").stderr
    shown = careroute("consent", "show", id_).stdout
    assert f"share: live, but not for provider:{PROVIDERS[0]}" in shown

    assert careroute("consent", "withdraw", id_, "--purpose", "share", *by_letter, "--yes").exit_code == 0
    after = json.loads(careroute("consent", "show", id_, "--json").stdout)
    assert after["live"]["share"] == {"providers": False, f"provider:{PROVIDERS[0]}": False}
    assert after["live"]["contact"] == {"organisation": True}
    assert status_of(context, case.submission_id) == "withdrawn"
    withdrawn = [line for line in after["lines"] if line["decision"] == "withdrawn"]
    assert all(line["source"].startswith("staff:") for line in withdrawn)
    recorded = case.recorded(Action.CONSENT_WITHDRAWN)
    assert [row.reason for row in recorded] == ["letter"] * 2


def test_what_makes_no_sense_is_wrong_use(careroute: Careroute, sqlite_installation: Installation) -> None:
    assert careroute("consent", "show", "CR-0000-0000").exit_code == 1
    mixed = ("consent", "withdraw", "CR-0000-0000", "--purpose", "contact", "--provider", "x")
    refused = careroute(*mixed, "--reason", "phone", "--yes")
    assert (refused.exit_code, "goes with --purpose share" in refused.stderr) == (2, True)
    share = ("consent", "withdraw", "CR-0000-0000", "--purpose", "share", "--yes")
    assert careroute(*share, "--reason", "phone").exit_code == 1
    for told in (("--reason", "she has lupus"), ()):
        assert careroute(*share, *told).exit_code == 2, "how is one of a few words, for the record"
