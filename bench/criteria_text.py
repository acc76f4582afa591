"""The criteria of a program as an expression of zen-engine's language, and the facts it is given.

It is given more than it would have: age and place are worked out beforehand, and so is the distance of every provider,
which Careroute works out within the time that is taken. Its language knows yes and no only, so nobody's answers may be
missing, and a number just outside of limits with a margin is simply outside.
"""

import json
import math
from typing import Any

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
from config.providers import Program, ProviderDocument
from pipeline.scoring.facts import Facts
from pipeline.scoring.geography import EARTH_RADIUS_MILES, KM_PER_MILE, TRAVEL_MILES
from pipeline.scoring.surroundings import Surroundings

_ANYWHERE = 100_000.0
_NOWHERE = -1.0


def facts_for_zen(facts: Facts, surroundings: Surroundings) -> dict[str, Any]:
    """Everything that expressions ask about; `miles` to the nearest location of each of `surroundings`."""
    point = facts.place.point
    if point is None or facts.travel is None:
        raise ValueError("only people who answered everything can be judged")
    reach = {Travel.NONE: _NOWHERE, **TRAVEL_MILES}.get(facts.travel, _ANYWHERE)
    miles = [
        2 * EARTH_RADIUS_MILES * math.asin(min(1.0, math.sqrt(chord) / 2))
        for chord in surroundings.squared_chords(point).tolist()
    ]
    return {
        **facts.answers,
        "age": facts.age,
        "age_months": facts.age_months,
        "country": facts.place.country,
        "region": facts.place.region,
        "reach": reach,
        "miles": miles,
    }


def expression_of(program: Program, provider: ProviderDocument, distance: str) -> str:
    """All of what has to be met; `distance` is the expression of how far the provider is."""
    return " and ".join(_expression(each, provider, distance) for each in program.eligibility)


def _expression(criterion: Leaf | Group, provider: ProviderDocument, distance: str) -> str:
    if not isinstance(criterion, Group):
        return _leaf(criterion, provider, distance)
    kind, parts = children(criterion)
    joint = " and " if kind == "all" else " or "
    joined = joint.join(f"({_expression(part, provider, distance)})" for part in parts)
    return f"not ({joined})" if kind == "none" else f"({joined})"


def _leaf(  # noqa: C901 - one short case a kind of leaf
    leaf: Leaf, provider: ProviderDocument, distance: str
) -> str:
    match leaf:
        case Equals(question=question, equals=answer):
            return f"{question} == {json.dumps(answer)}"
        case OneOf(question=question, one_of=answers):
            return f"{question} in {_listed(answers)}"
        case NoneOf(question=question, none_of=answers):
            return f"none({question}, # in {_listed(answers)})"
        case Overlaps(question=question, overlaps=answers):
            return f"some({question}, # in {_listed(answers)})"
        case NumberRange(question=question):
            return _within(question, leaf.at_least, leaf.at_most)
        case AgeRange(age=years):
            return _within("age", years.at_least, years.at_most)
        case AgeInMonths(age_months=months):
            return _within("age_months", months.at_least, months.at_most)
        case Region(region=regions):
            listed = _listed(provider.licensed_in if regions == LICENSED else tuple(regions))
            return f"(country in {listed} or region in {listed})"
        case Budget(budget=answers):
            return f"budget in {_listed(answers)}"
        case SpokenLanguage():
            return f"language in {_listed(provider.languages)}"
        case Distance():
            return f"{distance} <= {_reach(leaf)}"


def _within(name: str, at_least: int | None, at_most: int | None) -> str:
    limits = [f"{name} >= {at_least}"] * (at_least is not None) + [f"{name} <= {at_most}"] * (at_most is not None)
    return " and ".join(limits)


def _reach(leaf: Distance) -> str:
    if leaf.distance == TRAVEL:
        return "reach"
    number, unit = leaf.distance.split(" ")
    return str(int(number) / (KM_PER_MILE if unit == "km" else 1))


def _listed(answers: tuple[str, ...]) -> str:
    return json.dumps(list(answers))
