"""Nothing is used that a great mail program does not take, unless it is known what the reader then gets."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from pipeline.email.message import Sender
from pipeline.email.preview import previews
from tests.pipeline.email.compatibility import ATTRIBUTES, ELEMENTS, PROPERTIES, STYLE_SHEET, Support

TABLES: dict[str, dict[str, Support]] = {
    "element": ELEMENTS,
    "attribute": ATTRIBUTES,
    "property": PROPERTIES,
    "style sheet": STYLE_SHEET,
}
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


class Used(HTMLParser):
    """Collects what a page is made of; what stands in conditional comments is read by Outlook on Windows alone."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self._in_style_sheet = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(("element", tag))
        self.found |= {("attribute", name) for name, _ in attrs}
        self.found |= {("property", name) for name in declared(dict(attrs).get("style") or "")}
        self._in_style_sheet = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._in_style_sheet:
            self.found |= set(used_by_style_sheet(data))


def declared(declarations: str) -> Iterator[str]:
    for declaration in declarations.split(";"):
        if declaration.strip():
            yield declaration.partition(":")[0].strip()


def used_by_style_sheet(css: str) -> Iterator[tuple[str, str]]:
    for query in re.findall(r"@(\S+[^{]*)\{", css):
        conditions = {"screen": "screen", "-width:": "width", "prefers-color-scheme": "prefers-color-scheme"}
        named = [name for sign, name in conditions.items() if sign in query]
        yield from (("style sheet", f"@media {name}") for name in named or [query])
    for selectors, declarations in _RULE.findall(re.sub(r"@[^{]+\{", "", css)):
        yield from (("property", name) for name in declared(declarations))
        if "!important" in declarations:
            assert " !important" in declarations, "Outlook on Windows wants a space before"
            yield "style sheet", "!important"
        yield from (("style sheet", kind) for selector in selectors.split(",") for kind in kinds_of(selector))


def kinds_of(selector: str) -> Iterator[str]:
    signs = {".": "class", "#": "id", "[": "attribute", ":root": ":root", ">": "child"}
    yield from (kind for sign, kind in signs.items() if sign in selector)
    if re.search(r"\w\]? +[.\w]", selector):
        yield "descendant"
    if re.search(r"(^|[ >])[a-z]", selector):
        yield "type"
    assert not re.search(r"[+~*]|::|:(?!root)", selector), selector


def test_all_that_is_used_has_been_judged_and_all_that_was_judged_is_used() -> None:
    used: set[tuple[str, str]] = set()
    for email in previews(Sender("care@careroute.example", "Careroute")):
        used |= Used(email.message.html).found
    judged = {(table, name) for table, entries in TABLES.items() for name in entries}
    assert used - judged == set(), "not judged"
    assert judged - used == set(), "no longer used"


def test_whatever_is_not_taken_everywhere_says_what_the_reader_gets_instead() -> None:
    entries = [(table, name, support) for table, found in TABLES.items() for name, support in found.items()]
    assert [(table, name) for table, name, support in entries if not support.everywhere and not support.instead] == []
    assert [(table, name) for table, name, support in entries if support.everywhere and support.instead] == []
