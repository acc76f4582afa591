"""What is wrong with a text that is not YAML, and where, for somebody who edits it and does not program.

A parser notices a mistake where it can't go on, which is often lines after the place to mend: a quote or a bracket
that was never closed. So the place is looked for again here.
"""

import re
import unicodedata
from dataclasses import dataclass

import yaml

ODD_SPACE = "a space that is not an ordinary one, as word processors make it: type it again"
CURLY_QUOTES = "curly quotes: use straight ones"
NEEDS_QUOTES = "a text with a colon and a space needs quotes"

_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ODD = "".join(
    character
    for character in map(chr, range(0x80, 0x10000))
    if unicodedata.category(character) in {"Zs", "Zl", "Zp"} or character in "\x85\u200b\u2060\ufeff"
)
_NOT_CLEAR = "this line does not go on from the one before it: compare both with the lines around them"
_CURLY = "“”„‟‘’‚‛«»"
_CLOSING = {"[": "]", "{": "}"}
_STRUCTURE = re.compile(r"\s*(?:- |-$|[\w-]+:(?: |$))")
_ENTRY_INSIDE = re.compile(r"(?:,|\n)\s*(?:- )?[\w-]+: ")

Mistake = tuple[int, int, str]
"""Line and column, from 1, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the text; both count from 0."""

    line: int
    column: int


def odd_space_in(written: str) -> bool:
    """Whether a text without quotes holds a space where only an ordinary one can be meant."""
    return re.search(f"^[{_ODD}]|[{_ODD}]$|[:,][{_ODD}]|^-[{_ODD}]", written) is not None


def has_odd_space(written: str) -> bool:
    """Whether there is a space of any other kind than the ordinary one."""
    return any(character in _ODD for character in written)


def in_curly_quotes(written: str) -> bool:
    """Whether a text without straight quotes is put in curly ones, or begins with one that never ends."""
    return written[:1] in tuple(_CURLY) and (written[-1] in _CURLY or not any(each in _CURLY for each in written[1:]))


def syntax_mistake(text: str, error: yaml.YAMLError) -> Mistake:
    """The place to mend and what is wrong there, as far as can be told from where the parser stopped."""
    if (character := _NOT_ALLOWED.search(text)) is not None:
        before = text[: character.start()]
        return before.count("\n") + 1, len(before) - before.rfind("\n"), "a character that cannot be seen: remove it"
    found = getattr(error, "problem_mark", None)
    if found is None:
        return 1, 1, "expected YAML"
    return _Text(text, error, _Mark(found.line, found.column)).mistake()


class _Text:
    """A text in which the parser stopped at `at`."""

    def __init__(self, text: str, error: yaml.YAMLError, at: _Mark) -> None:
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        self._problem = str(getattr(error, "problem", "") or "")
        self._context = str(getattr(error, "context", "") or "")
        begun = getattr(error, "context_mark", None)
        self._begun = _Mark(begun.line, begun.column) if begun else at
        self._at = at
        self._open, self._quoted = _before(text, at)

    def mistake(self) -> Mistake:
        found = self._odd_characters() or self._quotes() or self._brackets() or self._colon() or self._character()
        return found or self._indentation() or self._told(self._at, _NOT_CLEAR)

    def _told(self, mark: _Mark, message: str) -> Mistake:
        return mark.line + 1, mark.column + 1, message

    def _line(self, number: int) -> str:
        return self._lines[number] if 0 <= number < len(self._lines) else ""

    @property
    def _here(self) -> str:
        return self._line(self._at.line)[self._at.column : self._at.column + 1]

    def _odd_characters(self) -> Mistake | None:
        # A line that is not a line of its own is read as the end of the one before it.
        for number in range(max(0, self._at.line - 1), self._at.line + 1):
            for pattern, message in (
                (r"^[ -]*(\t)", "a tab: indent with spaces only"),
                (rf"(?:^[ ]*|[:,\[{{]|^[ ]*-)([{_ODD}])", ODD_SPACE),
                (rf"(?:[:,\[{{]|^[ ]*-)[ ]*([{_CURLY}])", CURLY_QUOTES),
            ):
                if (match := re.search(pattern, self._line(number))) is not None:
                    return self._told(_Mark(number, match.start(1)), message)
        return None

    def _quotes(self) -> Mistake | None:
        if "quoted scalar" in self._context:
            if "end of stream" in self._problem or "document indicator" in self._problem:
                return self._told(self._begun, "this quote is never closed")
            told = "a backslash means something else between double quotes: use single quotes, or write it twice"
            return self._told(self._at, told)
        if self._quoted is None:
            return None
        begun, ended, inside = self._quoted
        if ended.line != self._at.line or self._line(ended.line)[ended.column : self._at.column].strip():
            return None
        if _ENTRY_INSIDE.search(inside):
            return self._told(begun, "this quote is never closed")
        if self._here and self._here not in "]}:":
            told = "this text stands after the closing quote: put all of it between double quotes"
            return self._told(self._at, told)
        return None

    def _brackets(self) -> Mistake | None:
        if not self._open:
            if self._here and self._here in "]}":
                return self._told(self._at, f"there is one {self._here} too many: remove it")
            if self._here == ",":
                told = "a comma joins only what is within { } or [ ]: put braces around all of it, or begin a new line"
                return self._told(self._at, told)
            return None
        bracket, mark = self._open[-1]
        closing = _CLOSING[bracket]
        line = self._line(self._at.line)
        ends = not "".join(self._lines[self._at.line :]).strip() or self._at.line >= len(self._lines)
        begins_anew = self._at.line > mark.line and _STRUCTURE.match(line) is not None
        if ends or begins_anew or (self._here in tuple("]}") and self._here != closing):
            return self._told(mark, f"{bracket} is not closed: {closing} is missing")
        if self._here == ",":
            return self._told(self._at, "there is one comma too many: remove it")
        if self._here == ":":
            return self._colon_in_brackets(line)
        if "did not find expected ','" in self._problem:
            return self._told(self._at, "a comma is missing before this")
        return None

    def _colon_in_brackets(self, line: str) -> Mistake:
        before = line[: self._at.column]
        begins = max(before.rfind(": ") + 2, before.rfind(", ") + 2, before.rfind("[") + 1, before.rfind("{") + 1)
        words = before[begins:].split()
        told = NEEDS_QUOTES
        if len(words) > 1:
            told = f"a comma is missing before {words[-1]}, or this is one text: {NEEDS_QUOTES}"
        return self._told(_Mark(self._at.line, begins), told)

    def _colon(self) -> Mistake | None:
        if "could not find expected ':'" in self._problem:
            return self._tight_colon(self._begun.line) or self._told(self._begun, "a colon is missing in this line")
        if "mapping values are not allowed" not in self._problem:
            return None
        before = self._line(self._at.line)[: self._at.column]
        if (value := re.search(r":\s+(?=\S)", before)) is not None:
            return self._told(_Mark(self._at.line, value.end()), NEEDS_QUOTES)
        above = self._above()
        return self._tight_colon(above) if above is not None else None

    def _tight_colon(self, number: int) -> Mistake | None:
        tight = re.match(r"\s*(?:- )?[\w-]+:(?=\S)", self._line(number))
        return self._told(_Mark(number, tight.end()), "a space is missing after the colon") if tight else None

    def _above(self) -> int | None:
        """The nearest line above that says something."""
        said = (number for number in range(self._at.line - 1, -1, -1) if _says_something(self._line(number)))
        return next(said, None)

    def _character(self) -> Mistake | None:
        for number in (self._at.line, self._above()):
            if number is not None and (dash := re.match(r"\s*-(?=[\w{\[\"'])", self._line(number))) is not None:
                return self._told(_Mark(number, dash.end()), "a space is missing after the dash")
        if "cannot start any token" in self._problem or "undefined alias" in self._problem:
            return self._told(self._at, f"a text that begins with {self._here} needs quotes")
        if "block sequence entries" in self._problem:
            return self._told(self._at, "a list begins on a line of its own: begin a new line before this dash")
        if "alphabetic or numeric" in self._problem:
            begins = self._line(self._begun.line)[self._begun.column]
            return self._told(self._begun, f"a text that begins with {begins} needs quotes")
        if "block scalar" in self._context:
            begins = self._line(self._begun.line)[self._begun.column]
            return self._told(self._begun, f"a text that begins with {begins} needs quotes")
        return None

    def _indentation(self) -> Mistake | None:
        line = self._line(self._at.line)
        column = len(line) - len(line.lstrip())
        if not line.strip():
            return None
        is_item = line[column:].startswith("-")
        above = self._above()
        if above is not None and is_item and re.match(rf" {{{column}}}(?: {{0,2}}\{{|[^ -])", self._line(above)):
            begins = len(self._line(above)) - len(self._line(above).lstrip())
            return self._told(_Mark(above, begins), "a dash is missing, as the line below has one")
        columns = _columns_above(self._lines[: self._at.line], is_item=is_item)
        if not columns or column in columns:
            return None
        nearest = min(abs(each - column) for each in columns)
        likely = " or ".join(str(each + 1) for each in sorted(columns) if abs(each - column) == nearest)
        what = "lines of one list" if is_item else "keys that belong together"
        told = f"this line begins in column {column + 1}, the lines before it in column {likely}"
        return self._told(_Mark(self._at.line, column), f"{told}: {what} begin in the same column")


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _columns_above(lines: list[str], *, is_item: bool) -> set[int]:
    """Where the lists (or the keys) begin that a next line could go on with."""
    found: set[int] = set()
    least: int | None = None
    for line in filter(_says_something, reversed(lines)):
        dashes = re.match(r"\s*((?:- +)*)", line)
        column = len(line) - len(line.lstrip())
        if least is not None and column > least:
            continue
        least = column
        if is_item and line[column:].startswith("-"):
            found.add(column)
        elif not is_item and dashes is not None:
            found.add(dashes.end())
    return found


def _before(text: str, at: _Mark) -> tuple[list[tuple[str, _Mark]], tuple[_Mark, _Mark, str] | None]:
    """Before a place: the brackets that are open there, and the last text in quotes."""
    opened: list[tuple[str, _Mark]] = []
    quoted: tuple[_Mark, _Mark, str] | None = None
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            begun = _Mark(token.start_mark.line, token.start_mark.column)
            if (begun.line, begun.column) >= (at.line, at.column):
                break
            if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                opened.append(("[" if isinstance(token, yaml.FlowSequenceStartToken) else "{", begun))
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) and opened:
                opened.pop()
            elif isinstance(token, yaml.ScalarToken) and not token.plain and token.style in {"'", '"'}:
                ended = _Mark(token.end_mark.line, token.end_mark.column)
                quoted = begun, ended, text[token.start_mark.index : token.end_mark.index]
    except yaml.YAMLError:
        pass  # what was read until then is what is known
    return opened, quoted
