"""Comparing names that people typed with names on a list."""

import re
import unicodedata


def plain_name(name: str) -> str:
    """The words of `name` without case, accents and punctuation: the same for `Sjögren's` and `sjogren s`."""
    letters = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return " ".join(re.findall(r"[^\W_]+", letters.casefold()))
