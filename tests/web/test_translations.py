"""Every text of the pages exists in Spanish, and none says what the product must not say."""

import re
from collections.abc import Iterator

from babel.messages import Catalog
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from config.settings import ROOT
from web.pages import TEMPLATES

CATALOGUE = ROOT / "templates" / "locale" / "es" / "LC_MESSAGES" / "web.po"
FORBIDDEN = re.compile(
    r"hipaa|\beligib|\belegib|treatment recommended|tratamiento recomendado|guarantee|cure\b", re.IGNORECASE
)


def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="es", abort_invalid=True)


def texts_of_templates() -> Iterator[tuple[str, str]]:
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true", "silent": "false"}
    for template in sorted(TEMPLATES.glob("*.html")):
        with template.open("rb") as file:
            for _, function, message, _ in babel_extract(file, ["gettext", "ngettext"], [], options):
                assert function in {"gettext", "ngettext"}
                yield template.name, str(message[0] if isinstance(message, tuple) else message)


def test_every_text_of_a_template_is_translated_and_no_translation_is_left_over() -> None:
    translated = catalogue()
    ids = {text for _, text in texts_of_templates()}
    missing = [
        (name, text) for name, text in texts_of_templates() if not (text in translated and translated[text].string)
    ]
    assert missing == []
    left_over = {message.id if isinstance(message.id, str) else message.id[0] for message in translated if message.id}
    assert left_over - ids == {"Please enter a date that exists. The year has four digits."}


def placeholders(text: object) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", str(text)))


def test_placeholders_are_the_same_in_both_languages() -> None:
    for message in catalogue():
        if not message.id:
            continue
        assert placeholders(message.string) == placeholders(message.id), message.id


def test_no_text_promises_what_the_product_must_not_promise() -> None:
    spanish = [str(message.string) for message in catalogue()]
    assert [text for text in [*(text for _, text in texts_of_templates()), *spanish] if FORBIDDEN.search(text)] == []
