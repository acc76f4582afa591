"""What somebody may have meant by a code that does not exist: a time zone, a language."""

import re
from collections.abc import Collection
from difflib import get_close_matches

import pycountry

_ZONES = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "atlantic": "America/Puerto_Rico",
    "arizona": "America/Phoenix",
    "est": "America/New_York",
    "edt": "America/New_York",
    "et": "America/New_York",
    "cst": "America/Chicago",
    "cdt": "America/Chicago",
    "ct": "America/Chicago",
    "mst": "America/Denver",
    "mdt": "America/Denver",
    "mt": "America/Denver",
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
    "pt": "America/Los_Angeles",
}
_LONGEST_CODE = 3


def time_zone_like(name: str, zones: Collection[str]) -> str | None:
    """The IANA time zone that `Central`, `CST`, `Chicago` or a misspelt name may stand for."""
    plain = re.sub(r"^us/|\b(standard|daylight|time|zone)\b", "", name.casefold()).strip().replace(" ", "_")
    if plain in _ZONES:
        return _ZONES[plain]
    cities = {zone.rsplit("/", 1)[-1].casefold(): zone for zone in sorted(zones)}
    if plain in cities:
        return cities[plain]
    near = get_close_matches(name, sorted(zones), n=1, cutoff=0.8)
    return near[0] if near else None


def language_like(name: str) -> str | None:
    """The two-letter code that `Spanish`, `spa`, `ES` or `esp` may stand for."""
    short = name[:2].lower() if len(name) <= _LONGEST_CODE else ""
    by_code = getattr(pycountry.languages.get(alpha_2=short), "alpha_2", None)
    if len(name) <= len(short):
        return by_code
    try:
        found = pycountry.languages.lookup(name)
    except LookupError:
        return by_code
    return getattr(found, "alpha_2", None)
