"""Where the programs' locations are, and how near the nearest one of each is to a person."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.bits import bits_of
from pipeline.scoring.geography import Place, Point

_NOWHERE = np.inf


class Surroundings:
    """The locations of `programs`, in their order; several programs of one provider share their places."""

    def __init__(self, places: Sequence[tuple[Place, ...]]) -> None:
        points = {own: [place.point for place in own if place.point is not None] for own in places}
        owners = sorted(points, key=lambda own: -len(points[own]))
        rank = {own: number for number, own in enumerate(owners)}
        self._owner_of_program = np.array([rank[own] for own in places], dtype=np.intp)
        self._owner_count = len(owners)
        # First points side by side, then second ones, and so on: owners with many come first, so each layer of points
        # lies over the first so many owners, and the nearest of each is the least of a few slices.
        layers = list(_layers([points[own] for own in owners]))
        self._layers = [slice(start, end) for start, end in pairwise(accumulate(map(len, layers), initial=0))]
        coordinates = [(point.x, point.y, point.z) for layer in layers for point in layer]
        self._coordinates = np.array(coordinates, dtype=np.float64).reshape(-1, 3).T.copy()
        self.in_country = _by_country(places, located_too=True)
        """Programs with a location in a country."""
        self.unlocated = _by_country(places, located_too=False)
        """Programs with a location in a country whose place on the map is not known."""

    def seen_from(self, person: Place) -> "View":
        return View(self, person)

    def squared_chords(self, person: Point) -> NDArray[np.float64]:
        """From a person to the nearest location of each program; infinite for one without a point on the map.

        Only places in the US have points, so the nearest one is in the person's country.
        """
        nearest = np.full(self._owner_count, _NOWHERE)
        x, y, z = self._coordinates
        x, y, z = x - person.x, y - person.y, z - person.z
        chords = x * x + y * y + z * z
        for layer in self._layers:
            first_owners = nearest[: layer.stop - layer.start]
            np.minimum(first_owners, chords[layer], out=first_owners)
        return nearest.take(self._owner_of_program)


def _layers(points: Sequence[Sequence[Point]]) -> Iterator[list[Point]]:
    for depth in range(max(map(len, points), default=0)):
        yield [own[depth] for own in points if len(own) > depth]


class View:
    """All locations as one person sees them. Distances are worked out when first needed."""

    def __init__(self, surroundings: Surroundings, person: Place) -> None:
        self._surroundings = surroundings
        self._person = person
        self.country = person.country
        self.in_country = surroundings.in_country.get(person.country or "", 0)
        self.unlocated = surroundings.unlocated.get(person.country or "", 0)

    @cached_property
    def squared_chords(self) -> NDArray[np.float64] | None:
        """`None` if the person's own place on the map is not known."""
        point = self._person.point
        return None if point is None else self._surroundings.squared_chords(point)


def _by_country(places: Sequence[tuple[Place, ...]], *, located_too: bool) -> dict[str, int]:
    programs: dict[str, list[int]] = defaultdict(list)
    for program, own in enumerate(places):
        for country in {place.country for place in own if located_too or place.point is None}:
            programs[country or ""].append(program)
    return {country: bits_of(members, len(places)) for country, members in programs.items()}
