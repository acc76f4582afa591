"""A person whose request cannot be decided is asked what is missing, answers, and gets the results."""

import re
from collections.abc import Callable

import pytest

from tests.config.shipped import SCREENING
from tests.journeys.installation import Careroute
from tests.journeys.keyboard import Keyboard
from tests.journeys.people import english, told_about
from tests.journeys.steps import GATE, READY, open_results
from tests.journeys.visitor import DESKTOP, PHONE, Visitor

pytestmark = pytest.mark.timeout(600)

ASKED = "A few more answers would help"
THANKS = "Thank you, we received your answers"
ADDED = "60611"
UNDECIDED = {"condition": "diabetic_neuropathy", "postal_code": None, "travel": None}


def fields(person: Visitor) -> set[str]:
    """The names of the fields that the page asks to fill in."""
    names = person.page.locator("form[action*='/answers'] [name]")
    return {str(names.nth(number).get_attribute("name")) for number in range(names.count())}


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_person_answers_what_was_missing_and_gets_the_results(
    careroute: Careroute, visit: Callable[..., Visitor], width: int
) -> None:
    asked = english("Ottoline", f"Brandt{width}", **UNDECIDED)
    reference = careroute.submit(asked)
    mail = careroute.mailbox.wait_for(ASKED, reference)[0]
    assert not re.search("travel|postal|ZIP|neuropathy", mail.text, re.IGNORECASE)

    person = visit(width=width, scripts=width == DESKTOP)
    keyboard = Keyboard(person.page)
    person.open(mail.link, GATE)
    person.type_birth_date(asked["date_of_birth"])
    with person.reaching(ASKED):
        person.press("Open the page")
    assert fields(person) == {"postal_code", "travel"}
    with person.reaching(ASKED, status=422):
        person.press("Send my answers")
    assert "There was nothing new" in person.text("[role=alert]")

    keyboard.answer(SCREENING.question("postal_code"), "nowhere", "en")
    keyboard.answer(SCREENING.question("travel"), "national", "en")
    with person.reaching(ASKED, status=422):
        keyboard.press("Enter")
    assert person.page.get_by_role("alert").evaluate("alert => alert === document.activeElement")
    assert person.page.locator("#postal_code-error").is_visible()
    assert person.page.locator("[name=travel]:checked").get_attribute("value") == "national"
    keyboard.press("Tab")
    keyboard.press("Enter")  # the summary's link
    assert keyboard.focused["id"] == "f-postal_code"
    keyboard.press("ControlOrMeta+a")
    person.page.keyboard.type(ADDED)
    with person.reaching(THANKS):
        keyboard.press("Enter")
    assert told_about({**asked, "postal_code": ADDED}, person.page.content()) == []

    results = careroute.mailbox.wait_for(READY, reference)[0]
    open_results(person, results, asked["date_of_birth"])
