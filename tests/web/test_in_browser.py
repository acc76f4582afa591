"""The pages in a real browser: usable by keyboard and without scripts, at phone width, and axe finds nothing."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web import fakes, samples
from web.app import create_app
from web.services import Closed, CodeSent, Decision, Gate, LinkKind, Locked, Opened, Responded, Session, WrongFactor
from web.unsubscribe import MailChoice

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on PATH")

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PERSON = Gate(LinkKind.PERSON, "en")
PROVIDER = Gate(LinkKind.PROVIDER, "en")


@pytest.fixture(scope="module")
def links() -> fakes.ScriptedLinks:
    return fakes.ScriptedLinks()


@pytest.fixture(scope="module")
def intake() -> fakes.MemoryIntake:
    return fakes.MemoryIntake()


@pytest.fixture(scope="module")
def unsubscribing() -> fakes.MemoryUnsubscribing:
    return fakes.MemoryUnsubscribing()


@pytest.fixture(scope="module")
def address(
    links: fakes.ScriptedLinks, intake: fakes.MemoryIntake, unsubscribing: fakes.MemoryUnsubscribing
) -> Iterator[str]:
    app = create_app(fakes.services(links=links, intake=intake, unsubscribing=unsubscribing))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, address: str) -> Iterator[Callable[..., Page]]:
    contexts = []

    def opened(path: str, *, width: int = 375, scheme: str = "light", scripts: bool = True) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            base_url=address,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()


def check(page: Page) -> None:
    found = Axe().run(page, options=RULES)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_axe_finds_nothing_on_any_page_and_none_scrolls_sideways(
    open_page: Callable[..., Page], links: fakes.ScriptedLinks, width: int, scheme: str
) -> None:
    page = open_page("/screening", width=width, scheme=scheme)
    check(page)
    page.get_by_role("button", name="Send my request").click()
    assert page.get_by_role("alert").is_visible()
    check(page)
    page.goto("/nothing")
    check(page)
    for looked in (PERSON, PROVIDER, Closed(), Locked(300)):
        links.looked = looked
        page.goto("/s/token")
        check(page)
    links.looked, links.code = PROVIDER, CodeSent(PROVIDER, 10)
    page.goto("/s/token")
    page.get_by_role("button", name="Send me a code").click()
    check(page)
    for page_behind in (samples.recommendations(), samples.open_questions(), samples.referral()):
        links.opened = Opened(page_behind)
        page.goto("/s/token")
        page.get_by_role("button", name="Open the referral").click()
        check(page)
    for opened in (WrongFactor(PROVIDER, 2), Opened(samples.referral())):
        links.opened = opened
        page.goto("/s/token")
        page.get_by_role("button", name="Open the referral").click()
        check(page)
    links.responded = Responded("en", samples.REFERENCE, Decision.ACCEPT)
    page.get_by_role("button", name="Accept the referral").click()
    check(page)


def test_unsubscribing_works_without_scripts_on_a_small_phone(
    open_page: Callable[..., Page], unsubscribing: fakes.MemoryUnsubscribing
) -> None:
    looking = {
        "dark": MailChoice("en", for_provider=False, ended=False),
        "light": MailChoice("es", for_provider=True, ended=False),
    }
    for scheme, unsubscribing.choice in looking.items():
        page = open_page("/u/token", width=320, scheme=scheme)
        check(page)
        plain = open_page("/u/token", width=320, scripts=False)
        plain.locator("main button").click()
        page.reload()
        check(page)
        plain.locator("main button").click()
        assert plain.locator("main button").count() == 0
        assert not unsubscribing.choice.ended


def fill_in_by_keyboard(page: Page) -> None:
    """Goes through the form with Tab, Space and typing only."""
    answers = {
        "first_name": "Ada",
        "last_name": "Example",
        "date_of_birth-year": "1975",
        "date_of_birth-month": "3",
        "date_of_birth-day": "28",
        "email": "ada@example.org",
        "country": "United States",
        "condition": "Fibromyalgia",
    }
    pressed = {"submitter": "self", "diagnosis_confirmed": "yes", "severity": "0", "contraindications": "none"}
    pressed |= {"treatment_interests": "undecided", "consent_contact": "2026-11-01", "consent_share": "2026-11-01"}
    page.locator("#main").focus()
    done: set[str] = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        name, value = page.evaluate("[document.activeElement.name ?? '', document.activeElement.value ?? '']")
        if name in answers and name not in done:
            page.keyboard.type(answers[name])
            done.add(name)
        elif pressed.get(name) == value and name not in done:
            page.keyboard.press("Space")
            done.add(name)
        if done == {*answers, *pressed}:
            return
    pytest.fail(f"not reached by keyboard: {({*answers, *pressed}) - done}")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_form_can_be_sent_by_keyboard_with_and_without_scripts(
    open_page: Callable[..., Page], intake: fakes.MemoryIntake, *, scripts: bool
) -> None:
    page = open_page("/screening", scripts=scripts)
    before = len(intake.bodies)
    fill_in_by_keyboard(page)
    page.locator("#f-first_name").press("Enter")  # sends the form, and does not switch the language
    assert page.get_by_role("heading", level=1).inner_text() == "Thank you! Your submission has been received!"
    assert len(intake.bodies) == before + 1


def test_the_script_hides_what_is_not_asked_and_without_it_the_page_says_so(open_page: Callable[..., Page]) -> None:
    page = open_page("/screening")
    name = page.get_by_label("Your own full name")
    assert not name.is_visible()
    page.get_by_label("I am a parent or legal guardian").check()
    assert name.is_visible()
    page.get_by_label("Blood thinners").check()
    page.get_by_label("None of these").check()
    assert not page.get_by_label("Blood thinners").is_checked()
    plain = open_page("/screening", scripts=False)
    assert plain.get_by_label("Your own full name").is_visible()
    assert plain.locator("#guardian_name-when").is_visible()


def test_the_language_button_keeps_what_was_typed(open_page: Callable[..., Page]) -> None:
    page = open_page("/screening")
    page.get_by_label("First name").fill("Ada")
    page.get_by_role("button", name="Español").click()
    assert page.locator("html").get_attribute("lang") == "es"
    assert page.locator("#f-first_name").input_value() == "Ada"


def test_the_session_cookie_comes_back_with_the_next_step(
    open_page: Callable[..., Page], links: fakes.ScriptedLinks
) -> None:
    links.looked, links.opened = PERSON, Opened(samples.referral(), Session("opaque", 900))
    links.responded = Responded("en", samples.REFERENCE, Decision.ACCEPT)
    page = open_page("/s/token")
    page.get_by_role("button", name="Open the page").click()
    page.get_by_role("button", name="Accept the referral").click()
    name, visit, _ = links.calls[-1]
    assert (name, visit.session) == ("respond", "opaque")
