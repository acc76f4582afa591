"""A gallery of every email as a folder of pages, for designers and reviewers. It loads nothing from elsewhere.

A browser shows one colour scheme at a time, so the scheme is chosen in a copy of the email's style sheet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import groupby, zip_longest
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config.screening import LANGUAGES
from pipeline.email.compiling import TEMPLATES
from pipeline.email.kinds import RULES, EmailKind, Form, KindRules
from pipeline.email.message import Outgoing, Sender, compose, to_bytes
from pipeline.email.render import forms, render
from pipeline.email.samples import samples

_NOBODY = "somebody@careroute.example"
_PHONE, _WIDER_PHONE, _DESKTOP = 320, 375, 680
_SCHEME_QUERY = re.compile(r"\(prefers-color-scheme:\s*dark\)")
_STYLE_SHEETS = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """One email as it would be sent."""

    kind: EmailKind
    form: Form
    number: int
    """Which of the kind's samples, from 1."""
    message: Outgoing

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.form}-{self.number}-{self.message.language}"

    @property
    def title(self) -> str:
        return f"{self.form}, sample {self.number}, {self.message.language}"

    @property
    def rules(self) -> KindRules:
        return RULES[self.kind]

    @property
    def holds(self) -> str:
        held = self.rules.full_form_holds
        return f"data of class {held}" if self.form is Form.FULL and held else "nothing about a person"

    @property
    def light(self) -> str:
        return in_scheme(self.message.html, dark=False)

    @property
    def dark(self) -> str:
        return in_scheme(self.message.html, dark=True)

    @property
    def preheader(self) -> str:
        return _Reader(self.message.html).preheader

    @property
    def links(self) -> list[str]:
        return _Reader(self.message.html).links

    @property
    def kilobytes(self) -> str:
        return f"{len(self.message.html.encode()) / 1000:.1f}"

    @property
    def message_kilobytes(self) -> str:
        return f"{len(to_bytes(self.message)) / 1000:.1f}"


class _View(NamedTuple):
    caption: str
    width: int
    html: str
    inverted: bool = False


def previews(sender: Sender) -> Iterator[EmailPreview]:
    """Every kind, form, sample and language."""
    for kind in EmailKind:
        for form in forms(kind):
            for language in LANGUAGES:
                for number, context in enumerate(samples(kind, language, form), start=1):
                    message = compose(
                        render(kind, language, context, form),
                        UUID(int=1),
                        _NOBODY,
                        sender,
                        attempt_id=UUID(int=2),
                        date=datetime(2026, 1, 1, tzinfo=UTC),
                        unsubscribe_url=getattr(context, "unsubscribe_link", None),
                    )
                    yield EmailPreview(kind, form, number, message)


def write_gallery(folder: Path, sender: Sender) -> int:
    """Write the gallery, replacing its pages where they exist. Returns the number of emails in it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES.parent / "preview"), autoescape=True, undefined=StrictUndefined
    )
    folder.mkdir(parents=True, exist_ok=True)
    emails = list(previews(sender))
    groups = [(kind, list(group)) for kind, group in groupby(emails, key=lambda email: email.kind)]
    by_kind = dict(groups)
    _write(folder / "index.html", environment.get_template("index.html").render(emails=emails, groups=groups))
    page = environment.get_template("email.html")
    for email, before, after in zip_longest(emails, [None, *emails[:-1]], emails[1:]):
        shown = {"group": by_kind[email.kind], "before": before, "after": after, "shelves": _shelves(email)}
        _write(folder / f"{email.name}.html", page.render(email=email, **shown))
    return len(emails)


def in_scheme(html: str, *, dark: bool) -> str:
    """The email as a program shows it whose colour scheme is this one."""
    chosen = _SCHEME_QUERY.sub("all" if dark else "not all", html)
    return chosen.replace("color-scheme:light dark", "color-scheme:dark" if dark else "color-scheme:light")


def _shelves(email: EmailPreview) -> list[tuple[str, list[_View]]]:
    schemes = (("light", email.light), ("dark", email.dark))
    plain = _STYLE_SHEETS.sub("", email.message.html)
    return [
        (
            "Phone",
            [_View(f"{width} px, {name}", width, each) for width in (_PHONE, _WIDER_PHONE) for name, each in schemes],
        ),
        ("Desktop", [_View(f"{_DESKTOP} px, {name}", _DESKTOP, each) for name, each in schemes]),
        (
            "Where programs interfere",
            [
                _View("Style sheets dropped", _WIDER_PHONE, plain),
                _View("Light colours inverted by the program", _WIDER_PHONE, email.light, inverted=True),
            ],
        ),
    ]


def _write(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8")


class _Reader(HTMLParser):
    """Finds the hidden line that inboxes show behind the subject, and where links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.preheader = ""
        self.links: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._hidden = "display:none" in (attributes.get("style") or "")
        link = attributes.get("href")
        if tag == "a" and link is not None and link not in self.links:
            self.links.append(link)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - its interface
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if self._hidden:
            self.preheader += data
