"""Gives criteria their meaning: each leaf becomes a function from facts to a verdict, each tree one over verdicts.

Leaves are judged one by one and never cut short, because the explanation names every one of them.
"""

from collections.abc import Callable, Iterator, Sequence

from config.conditions import OTHER
from config.criteria import (
    AgeRange,
    All,
    AnyOf,
    Budget,
    Distance,
    Equals,
    Group,
    Leaf,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    SpokenLanguage,
    children,
)
from pipeline.scoring.facts import Answer, Facts
from pipeline.scoring.geography import KM_PER_MILE, Place, within_miles, within_travel
from pipeline.scoring.verdict import NEGATED, Verdict, decided

Check = Callable[[Facts], Verdict]
Combination = Callable[[Sequence[Verdict]], Verdict]


def compile_leaf(leaf: Leaf, languages: frozenset[str], locations: tuple[Place, ...]) -> Check:
    """One leaf of a provider with these languages and locations, as a function of a submission's facts."""
    match leaf:
        case Equals():
            return _accepts(leaf.question, frozenset({leaf.equals}), _open_answers(leaf.question, ()))
        case OneOf():
            return _accepts(leaf.question, frozenset(leaf.one_of), _open_answers(leaf.question, leaf.unknown))
        case Budget():
            return _accepts("budget", frozenset(leaf.budget), frozenset(leaf.unknown))
        case Overlaps():
            return _accepts(leaf.question, frozenset(leaf.overlaps), _open_answers(leaf.question, leaf.unknown))
        case NoneOf():
            return _refuses(leaf.question, frozenset(leaf.none_of), _open_answers(leaf.question, leaf.unknown))
        case NumberRange():
            return _number_within(leaf.question, leaf.at_least, leaf.at_most)
        case AgeRange():
            return _age_within(leaf.age.at_least, leaf.age.at_most)
        case Distance():
            return _near_enough(leaf.distance, locations)
        case SpokenLanguage():
            return _accepts("language", languages, frozenset())


def compile_tree(criterion: Leaf | Group, positions: Iterator[int]) -> Combination:
    """A criterion as a function of the verdicts of all leaves, which `positions` numbers in the order written."""
    if not isinstance(criterion, Group):
        position = next(positions)
        return lambda verdicts: verdicts[position]
    join = joined(criterion)
    parts = tuple(compile_tree(part, positions) for part in children(criterion)[1])
    return lambda verdicts: join([part(verdicts) for part in parts])


def joined(group: Group) -> Callable[[Sequence[Verdict]], Verdict]:
    """How a group's verdict follows from its parts' verdicts."""
    if isinstance(group, All):
        return min
    if isinstance(group, AnyOf):
        return max
    return lambda verdicts: NEGATED[max(verdicts)]


def _open_answers(question: str, unknown: tuple[str, ...]) -> frozenset[str]:
    """Answers that leave a criterion open. A condition in the person's own words may be any condition."""
    return frozenset((*unknown, OTHER) if question == "condition" else unknown)


def _chosen(answer: Answer) -> Sequence[str | int]:
    return answer if isinstance(answer, list) else (answer,)


def _accepts(question: str, wanted: frozenset[str | int] | frozenset[str], unknown: frozenset[str]) -> Check:
    def check(facts: Facts) -> Verdict:
        answer = facts.answers.get(question)
        if answer is None:
            return Verdict.UNKNOWN
        chosen = _chosen(answer)
        if not wanted.isdisjoint(chosen):
            return Verdict.MET
        return Verdict.NOT_MET if unknown.isdisjoint(chosen) else Verdict.UNKNOWN

    return check


def _refuses(question: str, refused: frozenset[str], unknown: frozenset[str]) -> Check:
    accepts = _accepts(question, refused, unknown)
    return lambda facts: NEGATED[accepts(facts)]


def _number_within(question: str, at_least: int | None, at_most: int | None) -> Check:
    low = float("-inf") if at_least is None else at_least
    high = float("inf") if at_most is None else at_most

    def check(facts: Facts) -> Verdict:
        answer = facts.answers.get(question)
        return decided(low <= answer <= high) if isinstance(answer, int) else Verdict.UNKNOWN

    return check


def _age_within(at_least: int | None, at_most: int | None) -> Check:
    low = float("-inf") if at_least is None else at_least
    high = float("inf") if at_most is None else at_most
    return lambda facts: Verdict.UNKNOWN if facts.age is None else decided(low <= facts.age <= high)


def _near_enough(distance: str, locations: tuple[Place, ...]) -> Check:
    if distance == "travel":
        return lambda facts: within_travel(facts.place, locations, facts.travel)
    number, unit = distance.split(" ")
    miles = int(number) / (KM_PER_MILE if unit == "km" else 1)
    return lambda facts: within_miles(facts.place, locations, miles)
