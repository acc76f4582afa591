"""The same criteria judged the plain way: program by program, node by node, as a textbook interpreter does.

It knows what is not known, so it also judges people who left out answers. `True` is met, `None` unknown.
"""

from collections.abc import Sequence

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
    Months,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
    SpokenLanguage,
    Travel,
    Years,
    children,
)
from config.providers import Program, ProviderDocument
from pipeline.scoring.facts import Answer, Facts
from pipeline.scoring.geography import TRAVEL_MILES, Place, place, squared_chord, squared_reach
from pipeline.scoring.planes import reach_of

Judged = bool | None


class Interpreter:
    def __init__(self, programs: Sequence[tuple[ProviderDocument, Program]]) -> None:
        self._programs = [
            (program, _Asking(document, tuple(place(each.country, each.postal_code) for each in document.locations)))
            for document, program in programs
        ]

    def ask(self, facts: Facts) -> list[int]:
        """The programs that take somebody, in order."""
        return [
            number
            for number, (program, asking) in enumerate(self._programs)
            if all(asking.judge(criterion, facts) for criterion in program.eligibility)
        ]

    def unclear(self, facts: Facts) -> list[int]:
        """The programs of which it depends on what is not known, in order."""
        verdicts = [
            [asking.judge(criterion, facts) for criterion in program.eligibility] for program, asking in self._programs
        ]
        return [number for number, judged in enumerate(verdicts) if None in judged and False not in judged]


class _Asking:
    """The criteria of one provider's programs."""

    def __init__(self, document: ProviderDocument, places: tuple[Place, ...]) -> None:
        self._document = document
        self._places = places

    def judge(self, criterion: Leaf | Group, facts: Facts) -> Judged:
        if not isinstance(criterion, Group):
            return self._leaf(criterion, facts)
        kind, parts = children(criterion)
        judged = [self.judge(part, facts) for part in parts]
        if kind == "all":
            return False if False in judged else None if None in judged else True
        met: Judged = True if True in judged else None if None in judged else False
        return met if kind == "any" or met is None else not met

    def _leaf(self, leaf: Leaf, facts: Facts) -> Judged:  # noqa: C901 - one short case a kind of leaf
        match leaf:
            case Equals(question=question, equals=wanted):
                return _among(facts.answers.get(question), (wanted,))
            case OneOf(question=question, one_of=answers) | Overlaps(question=question, overlaps=answers):
                return _among(facts.answers.get(question), answers, leaf.unknown)
            case NoneOf(question=question, none_of=answers):
                among = _among(facts.answers.get(question), answers, leaf.unknown)
                return None if among is None else not among
            case Budget(budget=answers):
                return _among(facts.answers.get("budget"), answers, leaf.unknown)
            case SpokenLanguage():
                return _among(facts.answers.get("language"), self._document.languages)
            case NumberRange(question=question):
                number = facts.answers.get(question)
                return _within(number if isinstance(number, int) else None, leaf, leaf.borderline)
            case AgeRange(age=years):
                return _within(facts.age, years, leaf.borderline)
            case AgeInMonths(age_months=months):
                return _within(facts.age_months, months, leaf.borderline)
            case Region(region=regions):
                wanted_regions = self._document.licensed_in if regions == LICENSED else tuple(regions)
                return _lives_in(facts.place, wanted_regions)
            case Distance():
                return self._near(leaf, facts)

    def _near(self, leaf: Distance, facts: Facts) -> Judged:
        if leaf.distance == TRAVEL:
            if facts.travel in {None, Travel.NONE, Travel.INTERNATIONAL}:
                return {None: None, Travel.NONE: False, Travel.INTERNATIONAL: True}[facts.travel]
            if facts.travel is Travel.NATIONAL:
                return None if facts.place.country is None else any(self._in_country(facts.place))
            reach = borderline = TRAVEL_MILES[facts.travel] if facts.travel else 0.0
        else:
            reach, borderline = reach_of(leaf)
        if facts.place.country is None:
            return None
        if facts.place.point is None:
            return None if any(self._in_country(facts.place)) else False
        nearest = min(
            (squared_chord(facts.place.point, each.point) for each in self._places if each.point is not None),
            default=float("inf"),
        )
        if nearest <= squared_reach(reach):
            return True
        unlocated = any(each.point is None and each.country == facts.place.country for each in self._places)
        return None if unlocated or nearest <= squared_reach(borderline) else False

    def _in_country(self, home: Place) -> list[bool]:
        return [each.country == home.country for each in self._places]


def _among(answer: Answer | None, wanted: Sequence[str | int], unknown: Sequence[str] = ()) -> Judged:
    if answer is None:
        return None
    given = answer if isinstance(answer, list) else [answer]
    if any(each in wanted for each in given):
        return True
    return None if any(each in unknown for each in given) else False


def _within(number: int | None, limits: NumberRange | Years | Months, margin: int | None) -> Judged:
    if number is None:
        return None
    low, high = limits.at_least, limits.at_most
    short = max(0 if low is None else low - number, 0 if high is None else number - high, 0)
    return True if short == 0 else None if short <= (margin or 0) else False


def _lives_in(home: Place, regions: Sequence[str]) -> Judged:
    if home.country is None:
        return None
    if home.country in regions or home.region in regions:
        return True
    return None if home.region is None and any(each.startswith("US-") for each in regions) else False
