"""Somebody's browser. It looks at every page it comes to as a careful person would who sees and reads everything."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, ConsoleMessage, Page, Response

PHONE, DESKTOP = 375, 1280
HEIGHT = 812
_PATIENCE_MS = 60_000
_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_ENGLISH = re.compile(r"\b(the|this|your|you|with|please|of|is|are)\b", re.IGNORECASE)
_NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
_ADDRESSES = itertools.count(1)


class Visitor:
    """One browser profile, from an address of its own. `leave` says whether every page it came to was checked."""

    def __init__(
        self,
        chromium: Browser,
        url: str,
        *,
        width: int = PHONE,
        scripts: bool = True,
        language: str = "en",
        scale: float = 1,
    ) -> None:
        self._url, self._width, self._language = url, width, language
        self._context = chromium.new_context(
            base_url=url,
            viewport={"width": width, "height": HEIGHT},
            device_scale_factor=scale,
            locale={"en": "en-US", "es": "es-MX"}[language],
            extra_http_headers={"X-Forwarded-For": f"198.51.100.{next(_ADDRESSES)}"},
        )
        self._context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self._context.new_page()
        self._scripts = scripts
        # Not by the context's own switch: axe is a script too, and has to be let in for as long as it looks.
        self._devtools = self._context.new_cdp_session(self.page)
        self._let_scripts_run(allowed=scripts)
        self._requests: list[str] = []
        self._documents: list[Response] = []
        self._complaints: list[str] = []
        self._checked = 0
        self.page.on("request", lambda request: self._requests.append(request.url))
        self.page.on("response", self._note_document)
        self.page.on("console", self._note_complaint)
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))

    def open(self, link: str, heading: str | re.Pattern[str], *, status: int = 200) -> None:
        """Follow a link, and arrive."""
        self.page.goto(link)
        self._arrive(heading, status)

    @contextmanager
    def reaching(self, heading: str | re.Pattern[str], *, status: int = 200) -> Iterator[None]:
        """What is done inside leads to another page."""
        with self.page.expect_navigation():
            yield
        self._arrive(heading, status)

    def press(self, button: str) -> None:
        """Use a button."""
        self.page.get_by_role("button", name=button).click()

    def text(self, selector: str = "main") -> str:
        """The visible text."""
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        """The visible texts of all that match."""
        return self.page.locator(selector).all_inner_texts()

    def type_birth_date(self, date: str) -> None:
        """Type a date into the gate of a person's page, and leave its button to the caller."""
        for part, value in zip(("year", "month", "day"), date.split("-"), strict=True):
            self.page.locator(f"[name=date_of_birth-{part}]").fill(value)

    def leave(self) -> None:
        """Close the browser. AssertionError if it came to a page that nobody looked at."""
        unseen = [document.url for document in self._documents[self._checked :]]
        self._context.close()
        assert not unseen, unseen

    def _arrive(self, heading: str | re.Pattern[str], status: int) -> None:
        self._checked += 1
        found = self.text("h1")
        assert re.fullmatch(heading, found) if isinstance(heading, re.Pattern) else found == heading, found
        document = self._documents[-1]
        assert document.status == status
        assert len(self._documents) == self._checked
        _check_headers(document.headers)
        elsewhere = [url for url in self._requests if not url.startswith(f"{self._url}/")]
        assert elsewhere == []
        assert self._complaints == []
        assert self.page.locator("html").get_attribute("lang") == self._language
        if self._language != "en":
            text = f"{self.page.title()}\n{self.text('body')}"
            assert [text[max(0, word.start() - 40) : word.end() + 40] for word in _ENGLISH.finditer(text)] == []
        self._check_layout()

    def _check_layout(self) -> None:
        """At the other width first, so that the page is left as the visitor has it."""
        self._let_scripts_run(allowed=True)
        self.page.evaluate(AXE_SCRIPT)
        for width in sorted((PHONE, DESKTOP), key=lambda each: each == self._width):
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            assert self.page.evaluate(_NO_SIDEWAYS), f"scrolls sideways at {width}"
            found = AxeResults(self.page.evaluate("rules => axe.run(rules)", _RULES))
            assert found.response["passes"]
            assert found.violations_count == 0, found.generate_report()
        self._let_scripts_run(allowed=self._scripts)

    def _let_scripts_run(self, *, allowed: bool) -> None:
        self._devtools.send("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def _note_document(self, response: Response) -> None:
        if response.request.is_navigation_request() and not 300 <= response.status < 400:
            self._documents.append(response)

    def _note_complaint(self, message: ConsoleMessage) -> None:
        # A page that says what has to be corrected is an answer 4xx; the browser mentions that.
        its_own = self._documents and message.location["url"] == self._documents[-1].url
        if message.type in {"error", "warning"} and not (
            its_own and message.text.startswith("Failed to load resource")
        ):
            self._complaints.append(message.text)


def _check_headers(headers: dict[str, str]) -> None:
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
