"""Sets of submissions: unions of boxes, each of which limits some facts and leaves all others open."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

MOST_BOXES = 2_000


class TooManyCases(Exception):
    """Criteria are too entangled to say anything certain about them in reasonable time."""


@dataclass(frozen=True, slots=True)
class Values:
    """Some of the values of a fact that has one value at a time, a bit each."""

    bits: int

    def __bool__(self) -> bool:
        return bool(self.bits)

    def __and__(self, other: "Values") -> "Values":
        return Values(self.bits & other.bits)


@dataclass(frozen=True, slots=True)
class Choices:
    """Some of the answers to a question that takes several options.

    An answer shares an option with each set of `touches` and none with `avoids`. Whether leaving the question
    unanswered is among them too says `unanswered`.
    """

    options: frozenset[str]
    touches: frozenset[frozenset[str]] = frozenset()
    avoids: frozenset[str] = frozenset()
    unanswered: bool = False

    def __bool__(self) -> bool:
        # Choosing everything that is not avoided touches all that can be touched.
        left = self.options - self.avoids
        return self.unanswered or (bool(left) and all(left & touched for touched in self.touches))

    def __and__(self, other: "Choices") -> "Choices":
        return Choices(
            self.options,
            self.touches | other.touches,
            self.avoids | other.avoids,
            self.unanswered and other.unanswered,
        )


Answers = Values | Choices
Box = Mapping[str, Answers]
Region = tuple[Box, ...]

EVERYTHING: Region = ({},)
NOTHING: Region = ()


def box(fact: str, answers: Answers) -> Region:
    """All submissions in which one fact is among `answers`."""
    return ({fact: answers},) if answers else NOTHING


def union(regions: Iterable[Region]) -> Region:
    """Raises TooManyCases."""
    return _checked(tuple(each for region in regions for each in region))


def intersection(regions: Iterable[Region]) -> Region:
    """Raises TooManyCases."""
    common = EVERYTHING
    # The smallest first: an empty one ends it, and boxes that die early are not multiplied.
    for region in sorted(regions, key=len):
        common = _checked(tuple(both for one in common for other in region if (both := _both(one, other)) is not None))
    return common


def _both(one: Box, other: Box) -> Box | None:
    """What two boxes share, or `None` if that is nothing."""
    joined = dict(one)
    for fact, answers in other.items():
        held = joined.get(fact)
        common = answers if held is None else _common(held, answers)
        if not common:
            return None
        joined[fact] = common
    return joined


def _common(one: Answers, other: Answers) -> Answers:
    if isinstance(one, Values) and isinstance(other, Values):
        return one & other
    if isinstance(one, Choices) and isinstance(other, Choices):
        return one & other
    raise TypeError("a fact has either one value or several options")


def _checked(region: Region) -> Region:
    if len(region) > MOST_BOXES:
        raise TooManyCases
    return region


def clash(regions: Sequence[Region]) -> tuple[int, ...]:
    """The indices of as few regions as possible that have nothing in common; none if all of them have.

    Two, if two do; else none of the regions named can be left out.

    Raises:
        TooManyCases: that would take too long to find.
    """
    for one, other in combinations(range(len(regions)), 2):
        if not intersection([regions[one], regions[other]]):
            return (one, other)
    if intersection(regions):
        return ()
    kept = list(range(len(regions)))
    for index in range(len(regions)):
        fewer = [other for other in kept if other != index]
        if not intersection([regions[other] for other in fewer]):
            kept = fewer
    return tuple(kept)
