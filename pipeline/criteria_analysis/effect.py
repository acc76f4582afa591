"""Settings of one criterion that change nothing: a margin, a limit, an answer left open, a question never asked."""

from collections.abc import Iterator

from config.conditions import OTHER
from config.criteria import (
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Leaf,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
)
from config.screening import Screening
from config.yaml_file import Location
from pipeline.criteria_analysis.findings import Finding, without_effect
from pipeline.criteria_analysis.space import MET, NOT_MET, OLDEST_MONTHS, Space, fact_of, limits


def settings_without_effect(leaf: Leaf, here: Location, space: Space, *, decides: bool) -> Iterator[Finding]:
    """Each setting that changes nothing. `decides`: the leaf is about whom the program takes."""
    if not space.region(leaf, MET) or not space.answered(space.region(leaf, NOT_MET)):
        return  # the whole leaf is told as odd
    if isinstance(leaf, NumberRange | AgeRange | AgeInMonths):
        yield from _limits_beyond(leaf, here, space.screening)
        yield from _margin_beyond(leaf, here, space.screening)
    if isinstance(leaf, OneOf | NoneOf | Overlaps | Budget):
        yield from _answers_not_left_open(leaf, here)
    if leaf.ask is not None:
        yield from _question_never_asked(leaf, (*here, "ask"), space.screening, decides=decides)


def _limits_beyond(
    leaf: NumberRange | AgeRange | AgeInMonths, here: Location, screening: Screening
) -> Iterator[Finding]:
    at_least, at_most = limits(leaf)
    lowest, highest = _range_of(leaf, screening)
    place = (*here, "age") if isinstance(leaf, AgeRange) else (*here, "age_months")
    place = here if isinstance(leaf, NumberRange) else place
    about = "ages go" if not isinstance(leaf, NumberRange) else f"{leaf.question} goes"
    told = f"{about} from {lowest} to {highest}, so this limit excludes nobody: change or remove it"
    if at_least is not None and at_least < lowest:
        yield without_effect((*place, "at_least"), told)
    if at_most is not None and at_most > highest:
        yield without_effect((*place, "at_most"), told)


def _margin_beyond(
    leaf: NumberRange | AgeRange | AgeInMonths, here: Location, screening: Screening
) -> Iterator[Finding]:
    at_least, at_most = limits(leaf)
    lowest, highest = _range_of(leaf, screening)
    below = at_least is not None and at_least > lowest
    above = at_most is not None and at_most < highest
    if leaf.borderline is not None and not below and not above:
        told = "no answer lies outside of the limits, so nobody is ever borderline: change the limits, or remove this"
        yield without_effect((*here, "borderline"), told)


def _range_of(leaf: NumberRange | AgeRange | AgeInMonths, screening: Screening) -> tuple[int, int]:
    """The least and the greatest number there can be, in the leaf's unit."""
    if isinstance(leaf, NumberRange):
        question = screening.question(leaf.question)
        return question.minimum or 0, question.maximum or 0
    return 0, OLDEST_MONTHS // 12 if isinstance(leaf, AgeRange) else OLDEST_MONTHS


def _answers_not_left_open(leaf: OneOf | NoneOf | Overlaps | Budget, here: Location) -> Iterator[Finding]:
    key = next(key for key in ("one_of", "none_of", "overlaps", "budget") if hasattr(leaf, key))
    decided = getattr(leaf, key)
    for index, answer in enumerate(leaf.unknown):
        place = (*here, "unknown", index)
        if answer in decided:
            told = f"{answer} is listed under {key} too, so it is not left open: remove it from one of the two"
            yield without_effect(place, told)
        elif answer == OTHER and not isinstance(leaf, Budget) and leaf.question == "condition":
            yield without_effect(place, "a condition in the person's own words is always left open: remove this")


def _question_never_asked(leaf: Leaf, here: Location, screening: Screening, *, decides: bool) -> Iterator[Finding]:
    if not decides:
        told = "only what decides whom the program takes is asked for, so this question is never put: remove it"
        yield without_effect(here, told)
    elif not _can_be_open(leaf, screening):
        told = "the form always has an answer to this, so this question is never put: remove it"
        yield without_effect(here, told)


def _can_be_open(leaf: Leaf, screening: Screening) -> bool:
    """Whether there can be something to ask the person about."""
    if isinstance(leaf, Distance | Region):
        return True
    if isinstance(leaf, OneOf | NoneOf | Overlaps | Budget) and leaf.unknown:
        return True
    question = screening.question(fact_of(leaf))
    return not question.required or question.when is not None
