"""Planes: leaves of one kind, at most one of each program, judged for all programs at once.

A plane about answers knows for each answer the set of programs whose leaf it meets, and the set whose leaf it leaves
open. A plane about a number knows both sets between any two limits. A plane about distance compares arrays.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from config.conditions import OTHER
from config.criteria import (
    TRAVEL,
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Equals,
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
)
from config.providers import ProviderDocument
from pipeline.scoring.bits import Bits, bits_of, bits_where
from pipeline.scoring.facts import Facts
from pipeline.scoring.geography import KM_PER_MILE, TRAVEL_MILES, squared_reach
from pipeline.scoring.surroundings import View


@dataclass(frozen=True, slots=True)
class Member:
    """A leaf of the program with this number."""

    program: int
    leaf: Leaf
    provider: ProviderDocument


class Plane(Protocol):
    """Judges its members' leaves; programs without a leaf in it are in neither set."""

    def judge(self, facts: Facts, view: View) -> Bits: ...


def kind_of_plane(leaf: Leaf) -> Hashable:
    """Leaves of equal kind, of different programs, can share a plane."""
    match leaf:
        case NoneOf():
            return "refuses", leaf.question
        case NumberRange():
            return "number", leaf.question
        case Equals() | OneOf() | Overlaps():
            return "accepts", leaf.question
        case Budget():
            return "accepts", "budget"
        case SpokenLanguage():
            return "accepts", "language"
        case Distance():
            return "travel" if leaf.distance == TRAVEL else "distance"
        case AgeRange():
            return "age"
        case AgeInMonths():
            return "age_months"
        case Region():
            return "region"


def build_plane(members: Sequence[Member], size: int) -> Plane:
    """The plane of leaves of one kind, for a network of `size` programs."""
    match members[0].leaf:
        case Distance(distance=distance):
            return TravelPlane(members, size) if distance == TRAVEL else DistancePlane(members, size)
        case NumberRange(question=question):
            return RangePlane(members, size, question)
        case AgeRange():
            return RangePlane(members, size, "age")
        case AgeInMonths():
            return RangePlane(members, size, "age_months")
        case Region():
            return RegionPlane(members, size)
        case Budget():
            return ChoicePlane(members, size, "budget")
        case SpokenLanguage():
            return ChoicePlane(members, size, "language")
        case NoneOf(question=question):
            return RefusalPlane(members, size, question)
        case Equals(question=question) | OneOf(question=question) | Overlaps(question=question):
            return ChoicePlane(members, size, question)


class ChoicePlane:
    """Leaves met by certain answers to one question."""

    def __init__(self, members: Sequence[Member], size: int, question: str) -> None:
        self.question = question
        self.members = bits_of((member.program for member in members), size)
        wanted: dict[str | int, list[int]] = defaultdict(list)
        unknown: dict[str | int, list[int]] = defaultdict(list)
        for member in members:
            for answer in _wanted(member):
                wanted[answer].append(member.program)
            for answer in _left_open(member.leaf):
                unknown[answer].append(member.program)
        self._met = {answer: bits_of(programs, size) for answer, programs in wanted.items()}
        self._open = {answer: bits_of(programs, size) for answer, programs in unknown.items()}

    def judge(self, facts: Facts, view: View) -> Bits:
        del view
        answer = facts.answers.get(self.question)
        if answer is None:
            return Bits(0, self.members)
        met = unknown = 0
        for chosen in answer if isinstance(answer, list) else (answer,):
            met |= self._met.get(chosen, 0)
            unknown |= self._open.get(chosen, 0)
        return Bits(met, met | unknown)


class RefusalPlane(ChoicePlane):
    """Leaves met by all but certain answers to one question."""

    def judge(self, facts: Facts, view: View) -> Bits:
        refused, possibly_refused = super().judge(facts, view)
        return Bits(self.members ^ possibly_refused, self.members ^ refused)


class RegionPlane:
    """Leaves met by living in certain countries and US states."""

    def __init__(self, members: Sequence[Member], size: int) -> None:
        self.members = bits_of((member.program for member in members), size)
        wanted: dict[str, list[int]] = defaultdict(list)
        for member in members:
            if isinstance(member.leaf, Region):
                for region in regions_of(member.leaf, member.provider):
                    wanted[region].append(member.program)
        self._met = {region: bits_of(programs, size) for region, programs in wanted.items()}
        states = (programs for region, programs in wanted.items() if region.startswith("US-"))
        self._some_state = bits_of((program for programs in states for program in programs), size)

    def judge(self, facts: Facts, view: View) -> Bits:
        del view
        place = facts.place
        if place.country is None:
            return Bits(0, self.members)
        met = self._met.get(place.country, 0)
        if place.region is None:
            return Bits(met, met | self._some_state)
        met |= self._met.get(place.region, 0)
        return Bits(met, met)


class RangePlane:
    """Leaves about a number within limits; a number just outside of them may be borderline."""

    def __init__(self, members: Sequence[Member], size: int, about: str) -> None:
        self.about = about
        self.members = bits_of((member.program for member in members), size)
        met: dict[float, list[int]] = defaultdict(list)
        possible: dict[float, list[int]] = defaultdict(list)
        for member in members:
            low, high, margin = _limits(member.leaf)
            _switch(met, member.program, low, high)
            _switch(possible, member.program, low - margin, high + margin)
        self._starts = sorted(met.keys() | possible.keys())
        self._met = _running(met, self._starts, size)
        self._possible = _running(possible, self._starts, size)

    def judge(self, facts: Facts, view: View) -> Bits:
        del view
        number = self._number(facts)
        if not isinstance(number, int):
            return Bits(0, self.members)
        span = bisect_right(self._starts, number)
        return Bits(self._met[span], self._possible[span])

    def _number(self, facts: Facts) -> object:
        match self.about:
            case "age":
                return facts.age
            case "age_months":
                return facts.age_months
            case question:
                return facts.answers.get(question)


class DistancePlane:
    """Leaves met by a location within a distance."""

    def __init__(self, members: Sequence[Member], size: int) -> None:
        self.members = bits_of((member.program for member in members), size)
        self._near = np.full(size, -1.0)
        self._borderline = np.full(size, -1.0)
        for member in members:
            if isinstance(member.leaf, Distance):
                near, borderline = reach_of(member.leaf)
                self._near[member.program] = squared_reach(near)
                self._borderline[member.program] = squared_reach(borderline)

    def judge(self, facts: Facts, view: View) -> Bits:
        del facts
        if view.country is None:
            return Bits(0, self.members)
        chords = view.squared_chords
        if chords is None:
            return Bits(0, self.members & view.in_country)
        met = bits_where(chords <= self._near)
        return Bits(met, met | bits_where(chords <= self._borderline) | (self.members & view.unlocated))


class TravelPlane:
    """Leaves met by a location as near as the person will travel."""

    def __init__(self, members: Sequence[Member], size: int) -> None:
        self.members = bits_of((member.program for member in members), size)
        self._reach = {travel: squared_reach(miles) for travel, miles in TRAVEL_MILES.items()}

    def judge(self, facts: Facts, view: View) -> Bits:
        match facts.travel:
            case None:
                return Bits(0, self.members)
            case Travel.NONE:
                return Bits(0, 0)
            case Travel.INTERNATIONAL:
                return Bits(self.members, self.members)
        if view.country is None:
            return Bits(0, self.members)
        here = self.members & view.in_country
        if facts.travel is Travel.NATIONAL:
            return Bits(here, here)
        chords = view.squared_chords
        if chords is None:
            return Bits(0, here)
        met = self.members & bits_where(chords <= self._reach[facts.travel])
        return Bits(met, met | (self.members & view.unlocated))


def reach_of(leaf: Distance) -> tuple[float, float]:
    """How far it may be, and how far it may be for an expert to look at it, in miles."""
    number, unit = leaf.distance.split(" ")
    per_mile = KM_PER_MILE if unit == "km" else 1
    return int(number) / per_mile, (int(number) + (leaf.borderline or 0)) / per_mile


def regions_of(leaf: Region, provider: ProviderDocument) -> tuple[str, ...]:
    """The countries and US states that a leaf names, or that its provider is licensed in."""
    return provider.licensed_in if isinstance(leaf.region, str) else leaf.region


def _wanted(member: Member) -> Iterable[str | int]:
    match member.leaf:
        case Equals(equals=answer):
            return (answer,)
        case OneOf(one_of=answers) | NoneOf(none_of=answers) | Overlaps(overlaps=answers) | Budget(budget=answers):
            return set(answers)
        case SpokenLanguage():
            return set(member.provider.languages)
        case leaf:
            raise TypeError(type(leaf).__name__)


def _left_open(leaf: Leaf) -> Iterable[str]:
    """Answers that leave a criterion open. A condition in the person's own words may be any condition."""
    listed = set(leaf.unknown) if isinstance(leaf, OneOf | NoneOf | Overlaps | Budget) else set()
    own_words = isinstance(leaf, Equals | OneOf | NoneOf | Overlaps) and leaf.question == "condition"
    return listed | {OTHER} if own_words else listed


def _limits(leaf: Leaf) -> tuple[float, float, int]:
    """The lower and the upper limit, both included, and the margin around them."""
    match leaf:
        case (
            NumberRange(at_least=at_least, at_most=at_most)
            | AgeRange(age=Years(at_least=at_least, at_most=at_most))
            | AgeInMonths(age_months=Months(at_least=at_least, at_most=at_most))
        ):
            pass
        case _:
            raise TypeError(type(leaf).__name__)
    low = float("-inf") if at_least is None else at_least
    high = float("inf") if at_most is None else at_most
    return low, high, leaf.borderline or 0


def _switch(switches: dict[float, list[int]], program: int, low: float, high: float) -> None:
    """A program's leaf holds from `low` until before `high + 1`."""
    switches[low].append(program)
    switches[high + 1].append(program)


def _running(switches: dict[float, list[int]], starts: Sequence[float], size: int) -> tuple[int, ...]:
    """The set that holds before the first start and from each start on."""
    held, sets = 0, [0]
    for start in starts:
        held ^= bits_of(switches.get(start, ()), size)
        sets.append(held)
    return tuple(sets)
