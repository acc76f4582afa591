"""A person on a phone, without a pointer and without scripts: from the empty form to the results."""

import re
from collections.abc import Callable

import pytest

from tests.config.shipped import SCREENING
from tests.journeys.installation import Careroute
from tests.journeys.keyboard import Keyboard
from tests.journeys.people import condition, english, told_about
from tests.journeys.steps import GATE, NO_PAGE, READY, RECEIVED, RESULTS
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.timeout(600)

FORM = "Find providers whose published criteria fit your answers"
NEW_LINK = "Get a new link"
AGAIN = "Here is the link to your request"
THANKS = "Thank you! Your submission has been received!"

PERSON = english("Marguerite", "Quintero-Hale")
MISTAKES = {"email": "marguerite.example.org", "date_of_birth": "1968-02-31"}
MISSING = {"last_name", "severity", "consent_share"}
TYPED = "[...new FormData(document.getElementById('screening'))]"


def correct_by_keyboard(keyboard: Keyboard) -> None:
    """From the summary to the first mistake by its link, and on from there."""
    keyboard.press("Tab")
    keyboard.press("Enter")
    assert keyboard.focused["id"] == "f-last_name"
    keyboard.page.keyboard.type(PERSON["last_name"])
    for name in ("date_of_birth", "email", "severity", "consent_share"):
        keyboard.answer(SCREENING.question(name), PERSON[name], "en")


def check_mistakes(person: Visitor) -> None:
    """Each is named at the top, where the focus is, and once more beside its field."""
    page = person.page
    assert page.get_by_role("alert").evaluate("alert => alert === document.activeElement")
    wrong = MISSING | set(MISTAKES)
    for name in wrong:
        field = page.locator(f".field:has(#{name}-error)")
        assert field.locator(f"[name^={name}]").count() >= 1
        assert field.locator(f"[aria-describedby~={name}-error]").count() == 1
        assert page.locator(f"#{name}-error").is_visible()
    summary = page.get_by_role("alert").get_by_role("link").all()
    labels = {SCREENING.question(name).label.en for name in wrong}
    assert {link.inner_text() for link in summary} == labels
    assert page.locator(".error").count() == len(wrong)
    assert all(page.locator(link.get_attribute("href") or "").is_visible() for link in summary)


def check_results(person: Visitor) -> None:
    """Ranked, each with reasons and the notice its product needs; what is known and what is not comes first."""
    page = person.page
    cards = page.locator("ol.providers > li")
    assert person.text("h1").startswith(f"{cards.count()} ")
    assert cards.count() > 3
    assert [text.split()[-1] for text in person.texts(".rank")] == [str(n + 1) for n in range(cards.count())]
    assert all(cards.nth(n).locator(".reasons li").count() for n in range(cards.count()))
    assert "not medical advice" in person.text(".lead").lower()
    evidence = page.get_by_role("region", name=condition(PERSON, "en"))
    assert "not been established" in evidence.inner_text()
    clinic = cards.filter(has_text="Cypress Bay Integrative Pain Center").inner_text()
    assert "has not been approved by the U.S. Food and Drug Administration" in clinic
    study = cards.filter(has_text="Northstar Pain Research Group").inner_text()
    assert "This is research." in study
    assert "FLRB-2026-0417" in study
    assert page.get_by_text("This provider may see your answers").count() == 3
    chosen = page.get_by_role("region", name="How providers are chosen").inner_text()
    assert "at most 3 at one time and 5 in all" in chosen
    assert "Money plays no part in the order" in chosen


def lose_the_email(person: Visitor, keyboard: Keyboard) -> None:
    """From a link that does not work to the page that sends another one."""
    person.open(f"/s/{'A' * 43}", NO_PAGE, status=404)
    with person.reaching(NEW_LINK):
        person.page.get_by_role("link", name=NEW_LINK).click()
    person.page.get_by_label("Email address given in the form").fill("marguerite.example.org")
    with person.reaching(NEW_LINK, status=422):
        keyboard.press("Enter")
    assert person.page.get_by_label("Email address").evaluate("field => field === document.activeElement")
    person.page.get_by_label("Email address given in the form").fill(PERSON["email"])
    with person.reaching("Look for our email"):
        keyboard.press("Enter")
    assert PERSON["email"] not in person.page.url


def test_a_person_on_a_phone_gets_from_the_form_to_the_results(
    careroute: Careroute, visit: Callable[..., Visitor]
) -> None:
    person = visit(scripts=False)
    keyboard = Keyboard(person.page)

    person.open("/screening", FORM)
    keyboard.fill_in({name: answer for name, answer in (PERSON | MISTAKES).items() if name not in MISSING}, "en")
    before = person.page.evaluate(TYPED)
    with person.reaching(FORM, status=422):
        keyboard.press("Enter")  # in the last field, the agreement to be contacted
    assert person.page.evaluate(TYPED) == before
    check_mistakes(person)
    correct_by_keyboard(keyboard)
    with person.reaching(THANKS):
        keyboard.press("Enter")
    reference = person.text(".reference")
    assert re.fullmatch(r"CR-\w{4}-\w{4}", reference)

    confirmation = careroute.mailbox.wait_for(RECEIVED, reference)[0]
    assert (confirmation.recipient, confirmation.language) == (PERSON["email"], "en")
    person.open(confirmation.link, GATE)
    assert told_about(PERSON, person.page.content()) == []
    person.type_birth_date("1968-04-20")
    with person.reaching(GATE, status=422):
        keyboard.press("Enter")
    assert "This date does not match" in person.text("[role=alert]")
    assert told_about(PERSON, person.page.content()) == []
    careroute.mailbox.wait_for(READY, reference)
    person.type_birth_date(PERSON["date_of_birth"])
    with person.reaching(RESULTS):
        keyboard.press("Enter")
    assert reference in person.text()

    results = careroute.mailbox.wait_for(READY, reference)[0]
    person.open(results.link, GATE)  # the other link's session does not open this one
    person.type_birth_date(PERSON["date_of_birth"])
    with person.reaching(RESULTS):
        keyboard.press("Enter")
    check_results(person)

    lose_the_email(person, keyboard)
    again = careroute.mailbox.wait_for(AGAIN, reference)[0]
    assert (again.recipient, again.language) == (PERSON["email"], "en")
    person.open(again.link, GATE)
