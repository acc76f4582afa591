"""Which submissions give a criterion of a provider a certain verdict, as a region over the facts of the form.

Numbers, ages and distances are cut where a criterion of the provider begins or ends, and one value stands for all
between two cuts. The regions hold every submission that can exist, and a few that cannot (a person in Texas who is 10
miles from Boston): what is empty here is certainly empty.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pycountry

from config.conditions import OTHER, Conditions
from config.criteria import (
    LICENSED,
    TRAVEL,
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Equals,
    Group,
    Leaf,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
    SpokenLanguage,
    Travel,
    children,
)
from config.providers import US_ZIP_COUNTRIES, ProviderDocument
from config.screening import LANGUAGES, Question, QuestionType, Screening
from pipeline.criteria_analysis import regions
from pipeline.criteria_analysis.regions import Choices, Values, box, intersection, union
from pipeline.scoring.geography import TRAVEL_MILES
from pipeline.scoring.verdict import NEGATED, Verdict

OLDEST_MONTHS = 121 * 12 - 1
"""Nobody older can submit the form: validation takes a date of birth of 120 completed years, not of 121."""

AGE, HOME, DISTANCE = "date_of_birth", "country", "postal_code"
"""Facts that several questions or kinds of criteria are about, under the name of a question about them."""

Wanted = frozenset[Verdict]
MET: Wanted = frozenset({Verdict.MET})
FAILED: Wanted = frozenset({Verdict.NOT_MET})
NOT_MET: Wanted = frozenset({Verdict.NOT_MET, Verdict.UNKNOWN})
NOT_FAILED: Wanted = frozenset({Verdict.MET, Verdict.UNKNOWN})

_INCHES_PER_UNIT = {"miles": Fraction(63_360), "km": Fraction(10_000_000, 254)}


@dataclass(frozen=True, slots=True)
class Away:
    """How far the nearest location with a known place is, in inches; `None` beyond every limit, or abroad.

    `open`: another location in the person's country might be nearer, but one of the two places is not known.
    """

    inches: Fraction | None
    open: bool


def negated(wanted: Wanted) -> Wanted:
    return frozenset(NEGATED[verdict] for verdict in wanted)


class Space:
    """The facts that the criteria of one provider are about, and the values each can have."""

    def __init__(self, document: ProviderDocument, screening: Screening, conditions: Conditions) -> None:
        self.document = document
        self.screening = screening
        leaves = [leaf for program in document.programs for _, _, leaf in program.named_leaves()]
        self._values = _values(leaves, screening, conditions)
        self._regions: dict[tuple[int, Wanted], regions.Region] = {}
        self._countries = frozenset(_home_country(location.country) for location in document.locations)

    def region(self, criterion: Leaf | Group, wanted: Wanted) -> regions.Region:
        """All submissions that give the criterion a verdict among `wanted`, by Kleene's logic.

        Raises:
            TooManyCases: the criterion is too large a tree.
        """
        key = (id(criterion), wanted)
        if key not in self._regions:
            found = (
                self._of_group(criterion, wanted) if isinstance(criterion, Group) else self._of_leaf(criterion, wanted)
            )
            self._regions[key] = found
        return self._regions[key]

    def answered(self, region: regions.Region) -> regions.Region:
        """The part of a region in which every fact it is about is known."""
        return tuple(
            known for each in region for known in intersection([(each,), *(self._known(fact) for fact in each)])
        )

    def _known(self, fact: str) -> regions.Region:
        if fact not in self._values:
            return box(fact, Choices(self._options(fact)))
        return box(fact, self._where(fact, lambda value: value is not None and not _is_open(value)))

    def _of_group(self, group: Group, wanted: Wanted) -> regions.Region:
        key, parts = children(group)
        wanted = negated(wanted) if key == "none" else wanted
        # `all` is the least of its parts and `any` the greatest: one wants every part up there, or one part down there.
        every = (key == "all") == (Verdict.MET in wanted)
        found = [self.region(part, wanted) for part in parts]
        return intersection(found) if every else union(found)

    def _of_leaf(self, leaf: Leaf, wanted: Wanted) -> regions.Region:
        if isinstance(leaf, Distance) and leaf.distance == TRAVEL:
            return self._of_travel(wanted)
        if isinstance(leaf, Overlaps | NoneOf) and leaf.question not in self._values:
            return box(leaf.question, self._choices(leaf, wanted))
        fact = fact_of(leaf)
        return box(fact, self._where(fact, lambda value: self._verdict(leaf, value) in wanted))

    def _choices(self, leaf: Overlaps | NoneOf, wanted: Wanted) -> Choices:
        options = self._options(leaf.question)
        listed = frozenset(leaf.overlaps if isinstance(leaf, Overlaps) else leaf.none_of)
        possibly = listed | frozenset(leaf.unknown)
        overlapping = wanted if isinstance(leaf, Overlaps) else negated(wanted)
        if overlapping == MET:
            return Choices(options, touches=frozenset({listed}))
        if overlapping == NOT_FAILED:
            return Choices(options, touches=frozenset({possibly}), unanswered=True)
        if overlapping == FAILED:
            return Choices(options, avoids=possibly)
        return Choices(options, avoids=listed, unanswered=True)

    def _of_travel(self, wanted: Wanted) -> regions.Region:
        """Met abroad by who would go abroad, in the same country by who would go anywhere in it, else by distance."""

        def willing(travel: str | None) -> regions.Region:
            return box(TRAVEL, self._where(TRAVEL, lambda value: value == travel))

        def reached(travel: Travel) -> regions.Region:
            if travel is Travel.NONE or travel is Travel.INTERNATIONAL:
                verdict = Verdict.MET if travel is Travel.INTERNATIONAL else Verdict.NOT_MET
                return regions.EVERYTHING if verdict in wanted else regions.NOTHING
            if travel is Travel.NATIONAL:
                return box(HOME, self._where(HOME, lambda value: self._in_country(value) in wanted))
            limit = Fraction(TRAVEL_MILES[travel]) * _INCHES_PER_UNIT["miles"]
            return box(DISTANCE, self._where(DISTANCE, lambda value: _within_reach(value, limit, limit) in wanted))

        cases = [intersection([willing(travel.value), reached(travel)]) for travel in Travel]
        return union([*cases, willing(None)] if Verdict.UNKNOWN in wanted else cases)

    def _where(self, fact: str, holds: Callable[[object], bool]) -> Values:
        return Values(sum(1 << place for place, value in enumerate(self._values[fact]) if holds(value)))

    def _options(self, question: str) -> frozenset[str]:
        return frozenset(self.screening.question(question).option_ids)

    def _in_country(self, home: object) -> Verdict:
        if home is None:
            return Verdict.UNKNOWN
        return Verdict.MET if _home_country(str(home)[:2]) in self._countries else Verdict.NOT_MET

    def _verdict(self, leaf: Leaf, value: object) -> Verdict:
        """Of a leaf about a fact with one value; `None` is not known."""
        if value is None:
            return Verdict.UNKNOWN
        match leaf:
            case Distance():
                return _within_reach(value, *_reach(leaf))
            case Region():
                listed = self.document.licensed_in if leaf.region == LICENSED else leaf.region
                return _lives_in(str(value), listed)
            case NumberRange() | AgeRange() | AgeInMonths():
                number = int(str(value))
                return _within(number // 12 if isinstance(leaf, AgeRange) else number, leaf)
            case SpokenLanguage():
                return Verdict.MET if value in self.document.languages else Verdict.NOT_MET
            case NoneOf():
                return NEGATED[_among(leaf, value)]
            case _:
                return _among(leaf, value)


def fact_of(leaf: Leaf) -> str:
    """The fact a leaf is about."""
    match leaf:
        case AgeRange() | AgeInMonths():
            return AGE
        case Region():
            return HOME
        case Distance():
            return DISTANCE
        case Budget():
            return "budget"
        case SpokenLanguage():
            return "language"
        case _:
            return leaf.question


def limits(leaf: NumberRange | AgeRange | AgeInMonths) -> tuple[int | None, int | None]:
    """Both ends, included, in the leaf's own unit."""
    span = leaf.age if isinstance(leaf, AgeRange) else leaf.age_months if isinstance(leaf, AgeInMonths) else leaf
    return span.at_least, span.at_most


def _within(number: int, leaf: NumberRange | AgeRange | AgeInMonths) -> Verdict:
    at_least, at_most = limits(leaf)
    below = 0 if at_least is None else at_least - number
    above = 0 if at_most is None else number - at_most
    return _by_margin(max(below, above, 0), leaf.borderline or 0)


def _by_margin(outside: int, margin: int) -> Verdict:
    if outside == 0:
        return Verdict.MET
    return Verdict.UNKNOWN if outside <= margin else Verdict.NOT_MET


def _among(leaf: Equals | OneOf | NoneOf | Overlaps | Budget, answer: object) -> Verdict:
    value = str(answer)[:2] if fact_of(leaf) == HOME else answer
    listed, left_open = _listed(leaf)
    if value in listed:
        return Verdict.MET
    return Verdict.UNKNOWN if value in left_open else Verdict.NOT_MET


def _listed(leaf: Equals | OneOf | NoneOf | Overlaps | Budget) -> tuple[frozenset[object], frozenset[object]]:
    """The answers a leaf lists, and those that leave it open: a condition in the person's own words may be any."""
    own_words = frozenset({OTHER} if fact_of(leaf) == "condition" else ())
    match leaf:
        case Equals():
            return frozenset({leaf.equals}), own_words
        case OneOf():
            return frozenset(leaf.one_of), own_words | frozenset(leaf.unknown)
        case NoneOf():
            return frozenset(leaf.none_of), own_words | frozenset(leaf.unknown)
        case Overlaps():
            return frozenset(leaf.overlaps), own_words | frozenset(leaf.unknown)
        case Budget():
            return frozenset(leaf.budget), frozenset(leaf.unknown)


def _lives_in(home: str, listed: Iterable[str]) -> Verdict:
    """`home` is a country, or a US state; `US` alone is a US place whose state is not known."""
    regions_listed = frozenset(listed)
    if _home_country(home[:2]) != "US":
        return Verdict.MET if home in regions_listed else Verdict.NOT_MET
    state = home if home.startswith("US") else f"US-{home}"
    if "US" in regions_listed or state in regions_listed:
        return Verdict.MET
    some_state = any(region.startswith("US-") for region in regions_listed)
    return Verdict.UNKNOWN if state == "US" and some_state else Verdict.NOT_MET


def _home_country(country: str) -> str:
    return "US" if country in US_ZIP_COUNTRIES else country


def _reach(leaf: Distance) -> tuple[Fraction, Fraction]:
    """The limit, and the limit with the margin, in inches."""
    number, unit = leaf.distance.split(" ")
    inches = _INCHES_PER_UNIT[unit]
    return int(number) * inches, (int(number) + (leaf.borderline or 0)) * inches


def _within_reach(away: object, limit: Fraction, with_margin: Fraction) -> Verdict:
    if not isinstance(away, Away):
        return Verdict.UNKNOWN
    if away.inches is not None and away.inches <= limit:
        return Verdict.MET
    if away.open or (away.inches is not None and away.inches <= with_margin):
        return Verdict.UNKNOWN
    return Verdict.NOT_MET


def _is_open(value: object) -> bool:
    return isinstance(value, Away) and value.open


def _values(leaves: Sequence[Leaf], screening: Screening, conditions: Conditions) -> dict[str, tuple[object, ...]]:
    """The values of every fact that has one value at a time; `None` is not known. Several options are not in here."""
    numbers: dict[str, set[int]] = {}
    for leaf in leaves:
        numbers.setdefault(fact_of(leaf), set()).update(_cuts(leaf))
    found: dict[str, tuple[object, ...]] = {
        AGE: (None, *_cut(0, OLDEST_MONTHS, numbers.get(AGE, set()))),
        HOME: (None, *_homes()),
        DISTANCE: (None, *_distances(leaves)),
    }
    for question in screening.questions:
        if question.type is QuestionType.INTEGER:
            low, high = question.minimum or 0, question.maximum or 0
            found[question.id] = (None, *_cut(low, high, numbers.get(question.id, set())))
        elif question.id not in found and (answers := _single_answers(question, conditions)):
            found[question.id] = (None, *answers)
    return found


def _single_answers(question: Question, conditions: Conditions) -> tuple[str, ...]:
    match question.type:
        case QuestionType.CHOICE:
            return question.option_ids
        case QuestionType.CONDITION:
            return tuple(conditions.by_id)
        case QuestionType.LANGUAGE:
            return LANGUAGES
        case _:
            return ()


def _cuts(leaf: Leaf) -> Iterator[int]:
    """The first number of every stretch over which the leaf's verdict is the same."""
    if isinstance(leaf, Equals) and isinstance(leaf.equals, int):
        yield from (leaf.equals, leaf.equals + 1)
    if isinstance(leaf, NumberRange | AgeRange | AgeInMonths):
        at_least, at_most = limits(leaf)
        unit, margin = 12 if isinstance(leaf, AgeRange) else 1, leaf.borderline or 0
        if at_least is not None:
            yield from (unit * at_least, unit * (at_least - margin))
        if at_most is not None:
            yield from (unit * (at_most + 1), unit * (at_most + margin + 1))


def _cut(low: int, high: int, cuts: Iterable[int]) -> list[int]:
    return sorted({low, *(cut for cut in cuts if low < cut <= high)})


def _homes() -> tuple[str, ...]:
    countries = {country.alpha_2 for country in pycountry.countries}
    states = {state.code for state in pycountry.subdivisions.get(country_code="US")}  # type: ignore[no-untyped-call]
    # Three states in free association with the US have US ZIP codes; a home there is in no listed state.
    return tuple(sorted(countries | states | {"US-FM", "US-MH", "US-PW"}))


def _distances(leaves: Sequence[Leaf]) -> Iterator[Away]:
    ends = {Fraction(0)} | {Fraction(miles) * _INCHES_PER_UNIT["miles"] for miles in TRAVEL_MILES.values()}
    for leaf in leaves:
        if isinstance(leaf, Distance) and leaf.distance != TRAVEL:
            ends.update(_reach(leaf))
    ordered = sorted(ends)
    between = [(one + other) / 2 for one, other in pairwise(ordered)]
    for inches in (*ordered, *between, None):
        yield Away(inches, open=False)
        yield Away(inches, open=True)
