"""The phrases that no text for people may hold, read from `claims.yaml`, and where a text holds one.

A phrase is found by its letters: case, accents, look-alikes, invisible characters, tags, hyphens and line breaks make
no difference, nor does what stands around it. What lets it pass is one of the wordings under `unless`, word for word
and with its punctuation; nothing is inferred from a "not" nearby. So a list finds words, not meanings: it does not
stand in for somebody who reads what a provider wants to publish.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.plain_characters import Letters, folded, folded_readings, readings, row_of, strict_line
from config.screening import QuestionId
from config.yaml_file import Location, load, refuse

CLAIMS_FILE = Path(__file__).resolve().parent / "claims.yaml"
NUMBER = "#"
"""Stands for any number in a phrase: `#% success`."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_MOST_FORMS = 400
_KEY = 4
"""Phrases are looked up by so many first letters, so each has at least as many."""


class ClaimKind(StrEnum):
    """What a phrase is about. `product`: what Careroute itself is said to be or do; holds for documents and code too.

    `decision`: words for what providers decide, so that nobody is told that they are taken.
    """

    OUTCOME = "outcome"
    SAFETY = "safety"
    APPROVAL = "approval"
    TESTIMONIAL = "testimonial"
    DECISION = "decision"
    PRODUCT = "product"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phrase(_Part):
    """One claim in its wordings. `cure[/s/d]` is short for cure, cures and cured; `#` for a number."""

    id: QuestionId
    language: Literal["en", "es"]
    kind: ClaimKind
    words: Annotated[tuple[Line, ...], Field(min_length=1)]
    why: Line
    source: Line
    unless: tuple[Line, ...] = ()

    @cached_property
    def wordings(self) -> tuple[str, ...]:
        """`words`, written out."""
        return tuple(dict.fromkeys(form for words in self.words for form in _written_out(words)))

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """Every wording as a row of letters, with `#` for a number."""
        return tuple(dict.fromkeys(NUMBER.join(map(row_of, form.split(NUMBER))) for form in self.wordings))

    @model_validator(mode="after")
    def _can_be_looked_for(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[tuple[Location, str]]:
        for index, words in enumerate(self.words):
            if set("[]") & set(_ALTERNATIVES.sub("", words)):
                yield ("words", index), "expected brackets in pairs and not inside others, such as cure[/s/d]"
            elif len(forms := list(_written_out(words))) > _MOST_FORMS:
                yield ("words", index), f"expected at most {_MOST_FORMS} wordings; found {len(forms)}: write it as two"
            elif NUMBER in words and not words.startswith(NUMBER):
                yield ("words", index), f"expected {NUMBER} at the beginning, such as #% success"
            elif any(len(row_of(form.replace(NUMBER, ""))) < _KEY for form in forms):
                yield ("words", index), f"expected at least {_KEY} letters in each wording"
        if not self.words or next(iter(_bad_words(self.words)), None):
            return
        finder = Finder([self], honour_unless=False)
        for index, allowed in enumerate(self.unless):
            if not finder.find(allowed):
                yield ("unless", index), "expected a wording that holds one of the words, as it lets nothing pass else"


class Claims(_Part):
    """All phrases. `reviewed_on`: the day on which somebody last went through them."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    reviewed_on: date
    phrases: Annotated[tuple[Phrase, ...], Field(min_length=1)]

    # As for Screening: equal lists have equal versions.
    def __hash__(self) -> int:
        return hash(self.version)

    @cached_property
    def finder(self) -> "Finder":
        return Finder(self.phrases)

    @model_validator(mode="after")
    def _phrases_differ(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[tuple[Location, str]]:
        ids: set[str] = set()
        taken: dict[tuple[str, str], str] = {}
        for index, phrase in enumerate(self.phrases):
            if phrase.id in ids:
                yield ("phrases", index, "id"), f"expected each phrase once; found {phrase.id!r} again"
            ids.add(phrase.id)
            for row in phrase.rows:
                first = taken.setdefault((phrase.language, row), phrase.id)
                if first != phrase.id:
                    yield ("phrases", index, "words"), f"expected wordings of this phrase only; {row!r} is in {first}"


_Index = dict[str, list[tuple[str, Phrase]]]
"""Phrases as rows of letters, by the first letters."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A phrase in a text: from `start` to before `end`, as it stands there in `words`."""

    start: int
    end: int
    words: str
    phrase: Phrase

    @property
    def message(self) -> str:
        """In one line: what is said, and why it must not be."""
        return f"says “{' '.join(self.words.split())}”: {self.phrase.why} ({self.phrase.source})"


class Finder:
    """Looks for phrases. It holds no state but what it remembers of texts it was asked about, so one may be shared."""

    def __init__(self, phrases: Iterable[Phrase], *, honour_unless: bool = True) -> None:
        phrases = tuple(phrases)
        self._plain: _Index = {}
        self._folded: _Index = {}
        self._numbered: list[tuple[re.Pattern[str], Phrase]] = []
        for phrase in phrases:
            for row in phrase.rows:
                if row.startswith(NUMBER):
                    pattern = re.compile("[0-9]+".join(map(re.escape, row.split(NUMBER))))
                    self._numbered.append((pattern, phrase))
                    continue
                self._plain.setdefault(row[:_KEY], []).append((row, phrase))
                if not re.search("[0-9]", row):
                    self._folded.setdefault(folded(row)[:_KEY], []).append((folded(row), phrase))
        allowed = [wording for phrase in phrases for wording in phrase.unless] if honour_unless else []
        self._allowed = [strict_line(wording)[0].strip() for wording in allowed]
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, text: str) -> tuple[Claim, ...]:
        """The claims of `text` in its order; one that lies wholly in an allowed wording is none."""
        found = {Claim(*part, text[slice(*part)], phrase) for part, phrase in self._parts(text)}
        allowed = list(self._allowed_parts(text)) if found else []
        return tuple(
            claim
            for claim in _longest(found)
            if not any(first <= claim.start and claim.end <= last for first, last in allowed)
        )

    def _parts(self, text: str) -> Iterator[tuple[tuple[int, int], Phrase]]:
        plain = tuple(readings(text))
        for letters in plain:
            yield from _standing(letters, self._plain)
            for gap in letters.gaps:
                if letters.row[gap : gap + 1].isdigit():
                    for pattern, phrase in self._numbered:
                        found = pattern.match(letters.row, gap)
                        if found and found.end() in letters.gaps:
                            yield letters.part(*found.span()), phrase
        for letters in folded_readings(text, plain):
            yield from _standing(letters, self._folded)

    def _allowed_parts(self, text: str) -> Iterator[tuple[int, int]]:
        line, starts, ends = strict_line(text)
        for wording in self._allowed:
            at = line.find(wording)
            while at >= 0:
                after = at + len(wording)
                if not line[at - 1 : at].isalnum() and not line[after : after + 1].isalnum():
                    yield starts[at], ends[after - 1]
                at = line.find(wording, at + 1)


def _longest(claims: Iterable[Claim]) -> Iterator[Claim]:
    """In the order of the text, without those that a longer wording of the same phrase has in it."""
    reached: dict[str, int] = {}
    for claim in sorted(claims, key=lambda each: (each.start, -each.end, each.phrase.id)):
        if claim.end > reached.get(claim.phrase.id, 0):
            reached[claim.phrase.id] = claim.end
            yield claim


def _standing(letters: Letters, phrases: "_Index") -> Iterator[tuple[tuple[int, int], Phrase]]:
    """Where phrases stand as whole words."""
    for gap in letters.gaps:
        for row, phrase in phrases.get(letters.row[gap : gap + _KEY], ()):
            if letters.row.startswith(row, gap) and gap + len(row) in letters.gaps:
                yield letters.part(gap, gap + len(row)), phrase


def load_claims(path: Path = CLAIMS_FILE) -> Claims:
    """Read the phrases.

    Raises:
        ConfigurationMistake: naming line and column of everything that is wrong.
    """
    return load(path, Claims)


@cache
def reviewed_claims() -> Claims:
    """The phrases that Careroute holds its own texts and those of providers to, read once per process."""
    return load_claims()


def claims_in(text: str) -> tuple[Claim, ...]:
    """The claims of `text` by the reviewed phrases of both languages, whatever language it is in."""
    return reviewed_claims().finder.find(text)


def texts_of(model: object, here: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text of a configuration model with its location. Ids, which nobody reads, and addresses are none."""
    if isinstance(model, BaseModel):
        for name in type(model).model_fields:
            yield from texts_of(getattr(model, name), (*here, name))
    elif isinstance(model, tuple):
        for index, part in enumerate(model):
            yield from texts_of(part, (*here, index))
    elif isinstance(model, str) and not isinstance(model, StrEnum):
        key = next(part for part in reversed(here) if isinstance(part, str))
        if key in _WORDS or not (key == "email" or re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)*", model)):
            yield here, model


_WORDS = frozenset({"en", "es", "name", "city", "synonyms"})
"""Keys under which even a single small word is a text."""


def claims_in_model(model: object, here: Location = ()) -> Iterator[tuple[Location, str]]:
    """(location, message) of every claim in the texts of a configuration model."""
    for location, text in texts_of(model, here):
        for claim in claims_in(text):
            yield location, claim.message


def _bad_words(words: Iterable[str]) -> Iterator[str]:
    return (each for each in words if set("[]") & set(_ALTERNATIVES.sub("", each)))


def _written_out(words: str) -> Iterator[str]:
    parts = _ALTERNATIVES.split(words)
    choices = [part.split("/") if position % 2 else [part] for position, part in enumerate(parts)]
    return ("".join(chosen) for chosen in product(*choices))
