"""Gettext catalogues, read straight from the `.po` files, so that no compiled catalogue has to be kept in step.

English is the language of the message ids, so it needs no catalogue.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).resolve().parent.parent / "templates" / "locale"
SOURCE_LANGUAGE = "en"


@cache
def translations(language: str, domain: str = "careroute") -> NullTranslations:
    """The catalogue `domain` ("careroute" for emails, "web" for pages) in `language`, compiled once per process.

    Raises FileNotFoundError for a language without a catalogue: falling back to English in silence would hide it.
    """
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = BytesIO()
    with (LOCALE / language / "LC_MESSAGES" / f"{domain}.po").open("rb") as catalogue:
        write_mo(compiled, read_po(catalogue, locale=language, abort_invalid=True))
    compiled.seek(0)
    return GNUTranslations(compiled)
