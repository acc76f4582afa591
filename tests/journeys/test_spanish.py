"""The whole way in Spanish, for the person and for a provider that speaks only Spanish: no English word is left.

That no English is left is checked on every page that a visitor with this language comes to.
"""

import re
from collections.abc import Callable

import pytest

from tests.journeys.installation import Careroute
from tests.journeys.keyboard import Keyboard
from tests.journeys.people import condition, spanish, told_about
from tests.journeys.visitor import DESKTOP, Visitor

pytestmark = pytest.mark.timeout(600)

FORM = "Encuentre proveedores cuyos criterios publicados correspondan a sus respuestas"
GATE = "Confirme que es usted"
RESULTS = re.compile(r"\d+ proveedores cuyos criterios publicados corresponden a sus respuestas")
REFERRAL = "Una persona remitida a «Consulta por video en español»"

PERSON = spanish("Encarnación", "Ibáñez Güell", email="encarnacion.ibanez@example.org")


def test_a_person_and_a_provider_read_spanish_all_the_way(careroute: Careroute, visit: Callable[..., Visitor]) -> None:
    person = visit(width=DESKTOP, language="es")
    keyboard = Keyboard(person.page)
    person.open("/", FORM)  # the browser's language decides
    with person.reaching(FORM, status=422):
        person.press("Enviar mi solicitud")
    assert person.page.get_by_role("alert").get_by_role("link").count() > 5
    person.page.locator("#main").focus()
    keyboard.fill_in({name: answer for name, answer in PERSON.items() if name != "language"}, "es")
    with person.reaching("¡Gracias! ¡Recibimos su formulario!"):
        keyboard.press("Enter")
    reference = person.text(".reference")

    confirmation = careroute.mailbox.wait_for("Recibimos su solicitud", reference)[0]
    assert (confirmation.recipient, confirmation.language) == (PERSON["email"], "es")
    person.open(confirmation.link, GATE)
    person.type_birth_date("1968-04-20")
    with person.reaching(GATE, status=422):
        person.press("Abrir la página")
    assert "Esta fecha no coincide" in person.text("[role=alert]")
    results = careroute.mailbox.wait_for("Sus resultados están listos", reference)[0]
    person.open(results.link, GATE)
    person.type_birth_date(PERSON["date_of_birth"])
    with person.reaching(RESULTS):
        person.press("Abrir la página")
    assert person.page.get_by_role("region", name=condition(PERSON, "es")).count() == 1
    assert person.text("ol.providers > li h2") == "Puente Voz Telemedicina"

    person.open("/status-link", "Recibir un enlace nuevo")

    provider = visit(language="es")
    referral = careroute.mailbox.wait_for("Le espera una nueva derivación", reference)[0]
    assert (referral.recipient, referral.language) == ("referrals@puente-voz.example", "es")
    provider.open(referral.link, GATE)
    assert told_about(PERSON, provider.page.content()) == []
    with provider.reaching(GATE):
        provider.press("Envíenme un código")
    code = careroute.mailbox.wait_for("Su código de un solo uso", reference, to=referral.recipient)[0]
    assert code.language == "es"
    provider.page.get_by_label("El código del correo").fill(code.code)
    with provider.reaching(REFERRAL):
        provider.press("Abrir la derivación")
    assert condition(PERSON, "es") in provider.text()
    with provider.reaching(REFERRAL, status=422):
        provider.press("Rechazar la derivación")
    assert "Elija un motivo" in provider.text("[role=alert]")
    with provider.reaching("Gracias, aceptó la derivación"):
        provider.press("Aceptar la derivación")
