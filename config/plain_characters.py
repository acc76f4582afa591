"""What a text looks like to a reader: bare letters, whatever characters, marks and separators they are made with.

`CURE`, `cure` with a soft hyphen or with a Cyrillic letter in it, `c.u.r.e` and `<b>cu</b>re` are the same word to a
reader, and so they are here. Look-alikes follow Unicode Technical Standard 39, as far as letters of English and Spanish
are concerned. Each letter knows its place in the text it was taken from.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

_LOOK_ALIKES = {
    "АаΑαɑᴀ": "a", "ВвΒβʙь": "b", "СсϹϲςᴄ": "c", "Ԁԁᴅđ": "d", "ЕеΕεᴇэ€": "e", "Ғғꜰ": "f", "ɡɢԌ": "g",
    "НнΗһʜħ": "h", "ІіΙιıɩɪӀӏ": "i", "ЈјᴊϳͿ": "j", "КкΚκᴋ": "k", "ʟⅼłƖ": "l", "МмΜΜᴍ": "m", "ΝηпɴИи": "n",
    "ОоΟοσᴏøӨө": "o", "РрΡρᴘ": "p", "ԚԛΦ": "q", "Ггʀ": "r", "Ѕѕꜱƽ": "s", "ТтΤτᴛŧ": "t", "υᴜцս": "u", "Ѵѵνᴠ": "v",
    "ԜԝωᴡШш": "w", "ХхΧχ": "x", "УуΥγүʏ": "y", "Ζᴢʐ": "z", "٪": "%",
}  # fmt: skip
_LETTERS = {lookalike: letter for lookalikes, letter in _LOOK_ALIKES.items() for lookalike in lookalikes}
_LETTERS.update({chr(first + n): chr(97 + n) for first in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing."""
_STRUCK_OUT = frozenset("\u0335\u0336\u0337\u0338")
"""Combining strokes: a word struck out is not there for a reader."""
_RIGHT_TO_LEFT = frozenset("\u202e\u2067")
_INSTEAD_OF_LETTERS = str.maketrans({
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i", "|": "i", "l": "i"
})  # fmt: skip
_SYMBOLS = frozenset("@$!|")
_SIGN_IN_WORD = re.compile(r"[@$!|]\w")
_MARKUP = re.compile(r"<[A-Za-z/!?][^<>]*>|&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")
_NOTHING, _GAP = "", " "

Piece = tuple[str, int, int]
"""One character as it reads, and the part of the text it stands for."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters, digits and percent signs of a text in a row; gaps between words are known, not written.

    `starts` and `ends` are the part of the text that each letter stands for; `gaps` has the positions where a word may
    begin or end, 0 and the length among them.
    """

    row: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    gaps: frozenset[int]

    def part(self, start: int, end: int) -> tuple[int, int]:
        """The part of the text that the letters from `start` to before `end` stand for."""
        return min(self.starts[start], self.starts[end - 1]), max(self.ends[start], self.ends[end - 1])


def row_of(words: str) -> str:
    """Just the row of `words`."""
    return "".join(reads for char in words for reads in _reads_as(char) if _counts(reads))


def folded(row: str) -> str:
    """A row in which digits and signs stand for the letters they are taken for, and l for i."""
    return row.translate(_INSTEAD_OF_LETTERS)


def readings(text: str) -> Iterator[Letters]:
    """The ways in which `text` is read: as it is written, as a browser shows it, and backwards if it asks for that."""
    written = list(_as_written(text))
    yield _letters(written)
    if _MARKUP.search(text):
        written = list(_as_shown(text))
        yield _letters(written)
    if not _RIGHT_TO_LEFT.isdisjoint(text):
        yield _letters(reversed(written))


def folded_readings(text: str, plain: Iterable[Letters]) -> Iterator[Letters]:
    """The `plain` readings of a text with digits read as the letters that they are taken for, and signs if it has any.

    More gaps than there are words in it do no harm: they only let more be found.
    """
    for letters in plain:
        yield Letters(folded(letters.row), letters.starts, letters.ends, letters.gaps)
    if _SIGN_IN_WORD.search(text):
        yield _letters(_signs_as_letters(list(_as_written(text))))
        if _MARKUP.search(text):
            yield _letters(_signs_as_letters(list(_as_shown(text))))


def strict_line(text: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """The words of `text` with their punctuation, one space between: a row, and the part each character stands for.

    Only case, accents, look-alikes and what is invisible are evened out.
    """
    row: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for place, char in enumerate(text):
        reads = "\0" if char in _STRUCK_OUT else _STRAIGHT.get(char) or _reads_as(char)
        if reads == _GAP and not char.isspace():
            reads = char
        if reads == _GAP and row and row[-1] == _GAP:
            continue
        for each in reads:
            row.append(each)
            starts.append(place)
            ends.append(place + 1)
    return "".join(row), tuple(starts), tuple(ends)


_STRAIGHT = {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"'}


def _as_written(text: str) -> Iterator[Piece]:
    earlier = ""
    for place, char in enumerate(text):
        if char.isupper() and earlier.islower():  # provenResults
            yield _GAP, place, place
        for each in _reads_as(char):
            yield (char if char in _SYMBOLS else each), place, place + 1
        earlier = char


def _as_shown(text: str) -> Iterator[Piece]:
    """Without tags, and with entities as what they stand for."""
    done = 0
    for found in _MARKUP.finditer(text):
        yield from _moved(_as_written(text[done : found.start()]), done)
        if found[0].startswith("&"):
            shown = html.unescape(found[0])
            yield from ((reads, *found.span()) for reads, _, _ in _as_written(shown))
        done = found.end()
    yield from _moved(_as_written(text[done:]), done)


def _moved(pieces: Iterable[Piece], by: int) -> Iterator[Piece]:
    return ((reads, start + by, end + by) for reads, start, end in pieces)


def _signs_as_letters(pieces: list[Piece]) -> Iterator[Piece]:
    for position, (reads, start, end) in enumerate(pieces):
        follows = pieces[position + 1][0] if position + 1 < len(pieces) else _GAP
        if reads in _SYMBOLS and not follows.isalnum():
            yield _GAP, start, end
        else:
            yield folded(reads), start, end


def _letters(pieces: Iterable[Piece]) -> Letters:
    row: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    gaps = {0}
    for reads, start, end in pieces:
        if not _counts(reads):
            gaps.add(len(row))
            continue
        if row and (reads == "%" or row[-1] == "%" or reads.isdigit() != row[-1].isdigit()):
            gaps.add(len(row))
        row.append(reads)
        starts.append(min(start, end))
        ends.append(end)
    gaps.add(len(row))
    return Letters("".join(row), tuple(starts), tuple(ends), frozenset(gaps))


def _counts(reads: str) -> bool:
    return reads.isalnum() or reads == "%"


@cache
def _reads_as(char: str) -> str:
    """Lower-case letters, digits and `%`; nothing for what is not seen; a space for anything else."""
    if char.isascii() and (char.isalnum() or char == "%"):
        return char.lower()
    if char in _LETTERS:
        return _LETTERS[char]
    if char in _FILLERS or unicodedata.category(char) in {"Cf", "Mn", "Me"}:
        return _NOTHING
    if unicodedata.category(char) == "Cc" and not char.isspace():
        return _NOTHING
    if char.isdecimal():  # of another script
        return str(unicodedata.decimal(char))
    parts = unicodedata.normalize("NFKD", char)
    if parts != char:
        return "".join(_reads_as(part) for part in parts)
    lower = char.casefold()
    return lower if lower.isalnum() else _GAP
