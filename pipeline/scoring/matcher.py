"""All programs' criteria, compiled once, judged together.

The nodes of all trees are laid on planes: no plane holds two nodes of one program, so a plane's verdicts are two sets
of programs (`Bits`), and joining the parts of a group is one operation on sets for all programs that have such a group.
Kleene's logic in sets: `all` is the intersection, `any` the union, and "not" swaps "met" with "not possible".
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.criteria import All, AnyOf, Group, Leaf, children
from config.providers import Program, ProviderDocument
from pipeline.scoring.bits import Bits, bits_of, levels_at
from pipeline.scoring.facts import Facts
from pipeline.scoring.geography import place
from pipeline.scoring.planes import Member, Plane, build_plane, kind_of_plane
from pipeline.scoring.surroundings import Surroundings
from pipeline.scoring.verdict import LETTERS

NEUTRAL_SCORE = 50
"""The score of a program that prefers nobody: neither ahead of those with preferences nor behind them."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How one submission stands to all programs. `planes` holds the verdicts of every plane, by its number."""

    planes: Sequence[Bits]
    required: Bits
    """What the programs require altogether."""
    review: int
    """Programs with a criterion that asks for an expert and is met, or may be."""

    @property
    def eligible(self) -> int:
        return self.required.met

    @property
    def unclear(self) -> int:
        """Programs that need information, or an expert's eye: neither eligible nor not."""
        return self.required.met ^ self.required.possible


class Outlook(NamedTuple):
    """How one submission stands to one program, with verdicts by their letters.

    `leaves` are those of all its leaves, in the order of `named_leaves`. `score`: 0 to 100, the share of preferred
    weight that is met; what is not known counts half. `asks_for_expert`: a rule for that is met, or may be.
    """

    verdict: str
    leaves: tuple[str, ...]
    score: int
    asks_for_expert: bool


class Matcher:
    """The programs of a network, in its order."""

    def __init__(self, programs: Sequence[tuple[ProviderDocument, Program]]) -> None:
        self.size = len(programs)
        layout = _Layout()
        for number, (provider, program) in enumerate(programs):
            layout.add(number, provider, program)
        self._leaf_planes = tuple(layout.leaf_planes)
        own_places = {
            id(provider): tuple(place(each.country, each.postal_code) for each in provider.locations)
            for provider, _ in programs
        }
        self._surroundings = Surroundings([own_places[id(provider)] for provider, _ in programs])
        self._count = layout.count
        self._leaves: list[tuple[int, Plane]] = [
            (number, build_plane(members, self.size)) for number, members in layout.leaves.items()
        ]
        self._groups = [(number, _JoinedPlane(join, self.size)) for number, join in layout.groups_in_order()]
        self._eligibility = _JoinedPlane(layout.required, self.size)
        self._review = _JoinedPlane(layout.reviewed, self.size)
        self._preferences = _Preferences(layout.preferred, self.size)

    def look(self, facts: Facts) -> Sight:
        """Judge all programs."""
        view = self._surroundings.seen_from(facts.place)
        planes = [_NOTHING] * self._count
        for number, plane in self._leaves:
            planes[number] = plane.judge(facts, view)
        for number, group in self._groups:
            planes[number] = group.judge(planes)
        return Sight(planes, self._eligibility.judge(planes), self._review.judge(planes).possible)

    def outlooks(self, sight: Sight, programs: Sequence[int]) -> list[Outlook]:
        """How the submission stands to each of these programs."""
        if not programs:
            return []
        numbers = np.array(programs, dtype=np.intp)
        review = Bits(sight.review, sight.review)
        levels = levels_at([*sight.planes, sight.required, review], numbers, self.size)
        scores = self._preferences.scores(levels[self._preferences.planes], numbers).tolist()
        letters, width = _LETTERS[levels.T].tobytes().decode("ascii"), len(levels)
        outlooks = []
        for index, (program, score) in enumerate(zip(programs, scores, strict=True)):
            own = letters[index * width : (index + 1) * width]
            leaves = tuple(map(own.__getitem__, self._leaf_planes[program]))
            outlooks.append(Outlook(own[-2], leaves, score, own[-1] != _NOT_MET))
        return outlooks

    def scores(self, sight: Sight, programs: Sequence[int]) -> NDArray[np.int64]:
        """Of these programs, the `score` of their outlooks."""
        if not programs:
            return np.zeros(0, dtype=np.int64)
        numbers = np.array(programs, dtype=np.intp)
        preferred = [sight.planes[plane] for plane in self._preferences.planes]
        return self._preferences.scores(levels_at(preferred, numbers, self.size), numbers)


_NOTHING = Bits(0, 0)
_NOT_MET = LETTERS[0]
_LETTERS = np.frombuffer("".join(LETTERS).encode(), dtype=np.uint8)


@dataclass(slots=True)
class _Join:
    """The groups of one kind, at most one of each program: on which planes their parts lie."""

    kind: type[Group]
    parts: dict[int, list[int]] = field(default_factory=dict)

    def add(self, plane: int, program: int) -> None:
        self.parts.setdefault(plane, []).append(program)


class _JoinedPlane:
    """Groups of one kind, judged from the planes of their parts."""

    def __init__(self, join: _Join, size: int) -> None:
        parts = {plane: bits_of(programs, size) for plane, programs in join.parts.items()}
        self._members = 0
        for programs in parts.values():
            self._members |= programs
        self._kind = join.kind
        self._parts = tuple((plane, programs, self._members ^ programs) for plane, programs in parts.items())

    def judge(self, planes: Sequence[Bits]) -> Bits:
        if self._kind is All:
            met = possible = self._members
            for plane, _, without in self._parts:
                part = planes[plane]
                met &= part.met | without
                possible &= part.possible | without
            return Bits(met, possible)
        met = possible = 0
        for plane, programs, _ in self._parts:
            part = planes[plane]
            met |= part.met & programs
            possible |= part.possible & programs
        return Bits(met, possible) if self._kind is AnyOf else Bits(self._members ^ possible, self._members ^ met)


class _Preferences:
    """What the programs would rather have, with its weight. `planes` are the numbers of the planes this lies on."""

    def __init__(self, preferred: Mapping[int, Sequence[tuple[int, int]]], size: int) -> None:
        """`preferred`: for each plane the programs whose preference lies on it, each with the weight."""
        self.planes = list(preferred)
        weights = np.zeros((len(preferred), size), dtype=np.int64)
        for row, weighed in enumerate(preferred.values()):
            for program, weight in weighed:
                weights[row, program] = weight
        totals: NDArray[np.int64] = weights.sum(axis=0)
        self._hundredfold = 100 * weights
        # What is halved is rounded up. A program without preferences has (0 + NEUTRAL_SCORE) // 1.
        self._added = np.where(totals > 0, totals, NEUTRAL_SCORE)
        self._divisors = np.maximum(2 * totals, 1)

    def scores(self, levels: NDArray[np.uint8], programs: NDArray[np.intp]) -> NDArray[np.int64]:
        """Of these programs; `levels` are those of `planes`, a row each."""
        weighed = (self._hundredfold.take(programs, axis=1) * levels).sum(axis=0)
        scored: NDArray[np.int64] = (weighed + self._added.take(programs)) // self._divisors.take(programs)
        return scored


class _Layout:
    """Gives every node of every program's trees a plane. Planes are numbered as they are first needed."""

    def __init__(self) -> None:
        self.leaves: dict[int, list[Member]] = {}
        self.required = _Join(All)
        self.reviewed = _Join(AnyOf)
        self.preferred: dict[int, list[tuple[int, int]]] = {}
        self.leaf_planes: list[tuple[int, ...]] = []
        self._joins: dict[int, _Join] = {}
        self._heights: dict[int, int] = {}
        self._numbers: dict[Hashable, int] = {}

    @property
    def count(self) -> int:
        return len(self._numbers)

    def groups_in_order(self) -> list[tuple[int, _Join]]:
        """Parts before the groups they are part of."""
        return sorted(self._joins.items(), key=lambda item: self._heights[item[0]])

    def add(self, program: int, provider: ProviderDocument, offered: Program) -> None:
        sprout = _Sprout(self, program, provider)
        for criterion in offered.eligibility:
            self.required.add(sprout.place(criterion), program)
        for criterion in offered.prefer:
            self.preferred.setdefault(sprout.place(criterion), []).append((program, criterion.weight or 1))
        for criterion in offered.review_if:
            self.reviewed.add(sprout.place(criterion), program)
        self.leaf_planes.append(tuple(sprout.leaf_planes))

    def number(self, kind: Hashable, height: int) -> int:
        """Of the plane of this kind."""
        number = self._numbers.setdefault(kind, len(self._numbers))
        self._heights[number] = height
        return number

    def height(self, plane: int) -> int:
        return self._heights[plane]

    def join(self, plane: int, kind: type[Group]) -> _Join:
        return self._joins.setdefault(plane, _Join(kind))


class _Sprout:
    """Lays the trees of one program on planes: its second node of a kind goes to that kind's second plane."""

    def __init__(self, layout: _Layout, program: int, provider: ProviderDocument) -> None:
        self.leaf_planes: list[int] = []
        self._layout = layout
        self._program = program
        self._provider = provider
        self._laid: Counter[Hashable] = Counter()

    def place(self, criterion: Leaf | Group) -> int:
        """The number of the plane that the criterion itself lies on."""
        if not isinstance(criterion, Group):
            plane = self._number(kind_of_plane(criterion), 0)
            self._layout.leaves.setdefault(plane, []).append(Member(self._program, criterion, self._provider))
            self.leaf_planes.append(plane)
            return plane
        parts = [self.place(part) for part in children(criterion)[1]]
        height = 1 + max(self._layout.height(part) for part in parts)
        plane = self._number((type(criterion), height), height)
        join = self._layout.join(plane, type(criterion))
        for part in parts:
            join.add(part, self._program)
        return plane

    def _number(self, kind: Hashable, height: int) -> int:
        self._laid[kind] += 1
        return self._layout.number((kind, self._laid[kind]), height)
