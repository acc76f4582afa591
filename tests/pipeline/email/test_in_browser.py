"""Every email in a real browser, on a narrow phone and a wide screen, in light and dark."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page as Tab

from pipeline.email.kinds import EmailKind
from pipeline.email.message import Sender
from pipeline.email.preview import previews, write_gallery
from tests.journeys import browser

LOOK = (Path(__file__).parent / "looking.js").read_text(encoding="utf-8")
SENDER = Sender("care@careroute.example", "Careroute")
NARROW, WIDE = 320, 680
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"color-contrast": {"enabled": False}},  # its costliest, and measured here anyway
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    if browser.CHROMIUM is None:
        pytest.skip(browser.MISSING)
    with browser.chromium() as chromium:
        yield chromium.new_page()


def problems(seen: dict[str, Any], marks: tuple[str, ...]) -> list[str]:
    found = ["scrolls sideways"] if seen["sideways"] else []
    for text in seen["texts"]:
        found += [f"{mark} {text[mark]:.2f}: {text['text']}" for mark in marks if text[mark] < 4.5]
        found += [f"{text['size']} px: {text['text']}"] if text["size"] < 16 else []
    return found + [f"{link['height']} px: {link['text']}" for link in seen["links"] if link["height"] < 44]


@pytest.mark.parametrize(("scheme", "marks"), [("light", ("shown", "allTurned", "lightTurned")), ("dark", ("shown",))])
def test_everyone_can_read_and_use_every_email(
    tab: Tab, scheme: Literal["light", "dark"], marks: tuple[str, ...]
) -> None:
    """Text is large and stands out, links are easy to hit, nothing scrolls sideways, and axe finds nothing.

    A program that makes a light email dark has no dark scheme: what it turns over is the light one.
    """
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.emulate_media(color_scheme=scheme)
    tab.evaluate(AXE_SCRIPT)  # stays when the content is replaced
    found, measured = [], 0
    for email in previews(SENDER):
        if email.number > 1 and email.message.language == "en":
            continue
        tab.set_content(email.message.html)
        for width in (WIDE, NARROW):
            tab.set_viewport_size({"width": width, "height": 800})
            seen = tab.evaluate(LOOK)
            measured += len(seen["texts"])
            found += [f"{email.name} at {width}: {problem}" for problem in problems(seen, marks)]
        if scheme == "light" and email.message.language == "es":
            results = tab.evaluate("rules => axe.run(rules)", RULES)
            assert results["passes"]
            found += [f"{email.name}: {each['id']}" for each in results["violations"]]
    assert found == []
    assert measured > 500
    assert requests == []


def test_the_gallery_shows_every_email_in_both_schemes_and_loads_nothing_from_elsewhere(
    tab: Tab, tmp_path: Path
) -> None:
    count = write_gallery(tmp_path, SENDER)
    emails = list(previews(SENDER))
    assert count == len(emails)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.emulate_media(color_scheme="light")
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'thumb" href="([^"]+)"', index) == [f"{email.name}.html" for email in emails]
    sources = re.findall(r'(?:src|href)="([^"#]+)"', index)
    assert [source for source in sources if not (tmp_path / source).exists()] == []
    painted_at_once = re.findall(
        r'<iframe srcdoc="[^"]+" title="[^"]+" sandbox="allow-same-origin" tabindex="-1">', index
    )
    assert len(painted_at_once) == 2 * count, "a picture of the whole page shows every email"
    light = tmp_path / "without-frames.html"
    light.write_text(re.sub(r' srcdoc="[^"]+"', "", index), encoding="utf-8")
    open_kinds = {}
    for width in (1280, 375):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.goto(f"{light.as_uri()}?{width}#no-match")
        open_kinds[width] = tab.locator(".kind[open]").evaluate_all("kinds => kinds.map(kind => kind.id)")
    assert open_kinds == {1280: list(EmailKind), 375: ["no-match"]}
    chosen = next(email for email in emails if email.rules.mail_class.can_be_unsubscribed)
    tab.goto((tmp_path / f"{chosen.name}.html").as_uri())
    shown = tab.locator("body").inner_text()
    for told in (chosen.preheader, "List-Unsubscribe-Post", "nothing about a person", chosen.message.text[-60:]):
        assert told in shown
    grounds = {}
    for frame in tab.locator("figure iframe").all():
        inside = frame.content_frame
        grounds[str(frame.get_attribute("title"))] = inside.locator("body").evaluate(
            "body => getComputedStyle(body).backgroundColor"
        )
        assert frame.evaluate("frame => frame.clientHeight >= frame.contentDocument.documentElement.offsetHeight")
    assert grounds["320 px, light"] == grounds["680 px, light"] == "rgb(238, 242, 244)"
    assert grounds["320 px, dark"] == grounds["680 px, dark"] == "rgb(17, 24, 29)"
    assert [url for url in requests if not url.startswith(("file:", "about:"))] == []
