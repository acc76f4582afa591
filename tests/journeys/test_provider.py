"""Providers answer referrals: one declines, the next best is asked and accepts, and the person can see who may read."""

from collections.abc import Callable

import pytest

from config.providers import ProviderDocument
from tests.config.shipped import SCREENING
from tests.journeys.installation import Careroute
from tests.journeys.people import condition, english, told_about
from tests.journeys.steps import (
    GATE,
    INVITATION,
    NO_PAGE,
    READY,
    REFERRAL,
    ask_for_code,
    open_referral,
    open_results,
)
from tests.journeys.visitor import DESKTOP, Visitor

pytestmark = pytest.mark.timeout(600)

NOTE = "We would need imaging first. <b>Call us</b> & ask for Ñandú."
PERSON = english("Theodora", "Lindqvist-Moreau", date_of_birth="1979-11-02")


def type_a_wrong_code(provider: Visitor, right: str) -> None:
    """The gate says so and still shows nothing."""
    provider.page.get_by_label("The code from the email").fill("11111111" if right != "11111111" else "22222222")
    with provider.reaching(GATE, status=422):
        provider.press("Open the referral")
    assert "This code does not match" in provider.text("[role=alert]")
    assert told_about(PERSON, provider.page.content()) == []
    provider.page.get_by_label("The code from the email").focus()


def check_facts(provider: Visitor) -> None:
    """What one needs in order to answer and to call, and no more."""
    facts = dict(zip(provider.texts(".facts dt"), provider.texts(".facts dd"), strict=True))

    def label(name: str) -> str:
        return SCREENING.question(name).label.en

    assert facts[label("first_name")] == PERSON["first_name"]
    assert facts[label("last_name")] == PERSON["last_name"]
    assert facts[label("email")] == PERSON["email"]
    assert facts[label("condition")] == condition(PERSON, "en")
    assert facts[label("severity")] == str(PERSON["severity"])
    assert not {label("date_of_birth"), label("budget")} & facts.keys()
    assert "1979" not in provider.text()


def decline(provider: Visitor) -> None:
    """Not without a reason; what was written to go with it is kept."""
    provider.page.get_by_label("Anything to add?").fill(NOTE)
    with provider.reaching(REFERRAL, status=422):
        provider.press("Decline the referral")
    alert = provider.page.get_by_role("alert")
    assert "Please choose a reason" in alert.inner_text()
    assert alert.evaluate("alert => alert === document.activeElement")
    assert provider.page.get_by_label("Anything to add?").input_value() == NOTE
    provider.page.get_by_label("We have no room at the moment").check()
    with provider.reaching("Thank you, you have declined the referral"):
        provider.press("Decline the referral")


def test_a_referral_that_is_declined_goes_to_the_next_best_provider(
    careroute: Careroute, visit: Callable[..., Visitor], network: tuple[ProviderDocument, ...]
) -> None:
    names = {provider.contact.email: provider.name for provider in network}
    reference = careroute.submit(PERSON)
    first_three = careroute.mailbox.wait_for(INVITATION, reference, number=3)

    declining = visit(width=DESKTOP, scripts=False)
    code = ask_for_code(declining, careroute, first_three[0], reference)
    type_a_wrong_code(declining, code)
    open_referral(declining, code)
    check_facts(declining)
    decline(declining)
    declining.open(first_three[0].link, NO_PAGE, status=404)

    fourth = careroute.mailbox.wait_for(INVITATION, reference, number=4)[3]
    assert fourth.recipient not in {mail.recipient for mail in first_three}
    accepting = visit()
    open_referral(accepting, ask_for_code(accepting, careroute, fourth, reference))
    check_facts(accepting)
    with accepting.reaching("Thank you, you have accepted the referral"):
        accepting.press("Accept the referral")
    accepting.open(fourth.link, "Referral")
    with accepting.reaching(REFERRAL):
        accepting.press("Show it again")
    assert "You have accepted this referral." in accepting.text(".lead")
    assert accepting.page.get_by_role("button").count() == 0
    check_facts(accepting)

    colleague = visit(width=DESKTOP)  # who reads the same mail, and has no session
    open_referral(colleague, ask_for_code(colleague, careroute, fourth, reference, number=2))
    check_facts(colleague)

    person = visit()
    open_results(person, careroute.mailbox.wait_for(READY, reference)[0], PERSON["date_of_birth"])
    readers = person.page.locator("ol.providers > li").filter(has_text="This provider may see your answers")
    holding = (*first_three[1:], fourth)
    assert set(readers.locator("h2").all_inner_texts()) == {names[mail.recipient] for mail in holding}
    about_it = [mail for mail in careroute.mailbox.mails() if reference in mail.subject]
    assert [told_about(PERSON, f"{mail.subject}\n{mail.text}") for mail in about_it] == [[]] * len(about_it)
