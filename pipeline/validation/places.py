"""Countries and postal codes as people write them."""

import re
from functools import cache

import pycountry
from babel import Locale

from config.plain_name import plain_name
from config.screening import LANGUAGES

_COUNTRIES_BY_HABIT = {"uk": "GB", "u s": "US", "u s a": "US", "eeuu": "US", "ee uu": "US", "eua": "US"}

# What is kept of a postal code: the part that says where somebody lives roughly, so five digits of a ZIP+4.
_POSTAL_CODES = {
    "US": re.compile(r"(\d{5})(?:[- ]?\d{4})?"),
    "CA": re.compile(r"([A-Z]\d[A-Z]) ?(\d[A-Z]\d)"),
    "GB": re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})"),
    **{country: re.compile(r"(\d{5})") for country in ("DE", "ES", "FR", "IT", "MX")},
}
_ANY_POSTAL_CODE = re.compile(r"([A-Z\d](?:[A-Z\d -]{0,10}[A-Z\d])?)", re.ASCII)


def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code for a code or a name in English or Spanish; None for anything else."""
    codes = _country_codes()
    return codes.get(text.casefold()) or codes.get(plain_name(text))


def postal_code(text: str, country: str | None) -> str | None:
    """`text` in the country's usual spelling, or None if it is no postal code there."""
    pattern = _POSTAL_CODES.get(country or "", _ANY_POSTAL_CODE)
    match = pattern.fullmatch(re.sub(r"\s+", " ", text).upper())
    return " ".join(match.groups()) if match and text.isascii() else None


@cache
def _country_codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    names = [Locale(language).territories for language in LANGUAGES]
    for country in pycountry.countries:
        code = country.alpha_2
        spellings = [code, country.alpha_3, country.name, *(territories.get(code, code) for territories in names)]
        spellings += [getattr(country, "common_name", code), getattr(country, "official_name", code)]
        codes |= {plain_name(spelling): code for spelling in spellings}
    return codes | _COUNTRIES_BY_HABIT
