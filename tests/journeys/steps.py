"""What several journeys do, on the English pages."""

import re

from tests.journeys.installation import Careroute
from tests.journeys.mailbox import Mail
from tests.journeys.visitor import Visitor

GATE = "Confirm that it is you"
NO_PAGE = "This link does not work, or no longer"
RESULTS = re.compile(r"\d+ providers whose published criteria fit your answers")
REFERRAL = re.compile("A person referred for “.+”")
RECEIVED = "We received your request"
READY = "Your results are ready"
INVITATION = "A new referral is waiting"


def open_results(person: Visitor, mail: Mail, born: str) -> None:
    """From a person's email to the page behind its link."""
    person.open(mail.link, GATE)
    person.type_birth_date(born)
    with person.reaching(RESULTS):
        person.press("Open the page")


def ask_for_code(provider: Visitor, careroute: Careroute, mail: Mail, reference: str, number: int = 1) -> str:
    """From a provider's email to the gate; the `number`th code that was sent to the registered address."""
    provider.open(mail.link, GATE)
    with provider.reaching(GATE):
        provider.press("Send me a code")
    return careroute.mailbox.wait_for("Your one-time code", reference, to=mail.recipient, number=number)[-1].code


def open_referral(provider: Visitor, code: str) -> None:
    """Type the code where the focus is, and send it."""
    assert provider.page.get_by_label("The code from the email").evaluate("it => it === document.activeElement")
    provider.page.keyboard.type(code)
    with provider.reaching(REFERRAL):
        provider.page.keyboard.press("Enter")
