"""Somebody's address was used by somebody else: one button on the page behind any email stops everything."""

from collections.abc import Callable

import pytest

from tests.journeys.installation import Careroute
from tests.journeys.people import english
from tests.journeys.steps import (
    GATE,
    INVITATION,
    NO_PAGE,
    READY,
    RECEIVED,
    RESULTS,
    ask_for_code,
    open_referral,
    open_results,
)
from tests.journeys.visitor import DESKTOP, Visitor

pytestmark = pytest.mark.timeout(600)


def test_this_was_not_me_closes_every_page_about_the_request(
    careroute: Careroute, visit: Callable[..., Visitor]
) -> None:
    reference = careroute.submit(english("Ottoline", "Brandywine", date_of_birth="1982-07-23"))
    reader, other, _ = careroute.mailbox.wait_for(INVITATION, reference, number=3)
    provider = visit(width=DESKTOP)
    open_referral(provider, ask_for_code(provider, careroute, reader, reference))

    stranger = visit()
    stranger.open(careroute.mailbox.wait_for(RECEIVED, reference)[0].link, GATE)
    stop = stranger.page.locator("details.not-me button")
    assert not stop.is_visible()  # nobody presses it by accident
    stranger.page.locator("details.not-me summary").click()
    with stranger.reaching("Everything is stopped"):
        stop.click()

    with provider.reaching(NO_PAGE, status=404):  # the page with the facts was still open
        provider.press("Accept the referral")
    provider.open(reader.link, NO_PAGE, status=404)
    provider.open(other.link, NO_PAGE, status=404)
    stranger.open(careroute.mailbox.wait_for(READY, reference)[0].link, NO_PAGE, status=404)


def test_a_consent_is_taken_back_from_one_provider_by_keyboard_without_scripts(
    careroute: Careroute, visit: Callable[..., Visitor]
) -> None:
    born = "1979-11-02"
    reference = careroute.submit(english("Leocadia", "Fernsby", date_of_birth=born))
    invited = careroute.mailbox.wait_for(INVITATION, reference, number=3)
    person = visit(scripts=False)
    open_results(person, careroute.mailbox.wait_for(READY, reference)[0], born)
    person.page.locator("summary", has_text="Withdraw my consent").focus()
    person.page.keyboard.press("Enter")
    person.page.keyboard.press("Tab")
    name = person.page.evaluate("document.activeElement.textContent").removeprefix("Stop sharing with ").strip()
    with person.reaching(f"Stop sharing with {name}?"):
        person.page.keyboard.press("Enter")
    with person.reaching("Your consent is withdrawn"):
        person.press(f"Stop sharing with {name}")
    with person.reaching("Your request"):
        person.page.get_by_role("link", name="Back to the page").click()
    with person.reaching(RESULTS):
        person.press("Show it again")
    closed = visit(width=DESKTOP)
    (told,) = careroute.mailbox.wait_for("A referral was withdrawn", reference)
    mine, *others = sorted(invited, key=lambda mail: mail.recipient != told.recipient)
    closed.open(mine.link, NO_PAGE, status=404)
    closed.open(others[0].link, GATE)
