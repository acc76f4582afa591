"""Comparing names that people typed with names on a list."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def plain_name(name: str) -> str:
    """The words of `name` without case, accents and punctuation: the same for `Sjögren's` and `sjogren s`."""
    letters = name if name.isascii() else _without_accents(name)
    return " ".join(_WORD.findall(letters.casefold()))


def _without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
