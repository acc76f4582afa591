"""The page on the law: every safeguard has its place there, and every file and test that it names exists."""

import re
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.docs.named import missing, referred_tests

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXT = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")
PARTS = ("Asked", "Here", "Shown by", "Yours")
TECHNICAL = (
    *("(a)(1)", "(a)(2)(i)", "(a)(2)(ii)", "(a)(2)(iii)", "(a)(2)(iv)"),
    *("(b)", "(c)(1)", "(c)(2)", "(d)", "(e)(1)", "(e)(2)(i)", "(e)(2)(ii)"),
)
"""Every standard and implementation specification of 45 CFR 164.312."""
SECTIONS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_every_test_that_a_page_names_is_there(page: Path) -> None:
    assert missing(page) == []


@pytest.mark.parametrize("paragraph", TECHNICAL)
def test_every_technical_safeguard_has_a_test_that_shows_it(paragraph: str) -> None:
    (section,) = (text for heading, text in SECTIONS.items() if heading.startswith(f"164.312{paragraph} "))
    assert referred_tests(section.partition("*Shown by.*")[2])


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_section_says_what_is_asked_where_it_is_what_shows_it_and_what_is_left_to_do(heading: str) -> None:
    assert tuple(re.findall(r"^- \*(.+?)\.\*", SECTIONS[heading], re.MULTILINE)) == PARTS
