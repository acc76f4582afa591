"""Where the programs' locations are, and how near the nearest one of each is to a person."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.bits import bits_of
from pipeline.scoring.geography import Place, Point

_NOWHERE = np.inf


class Surroundings:
    """The locations of `programs`, in their order; several programs of one provider share their places."""

    def __init__(self, places: Sequence[tuple[Place, ...]]) -> None:
        self.size = len(places)
        owners = {own: number for number, own in enumerate(dict.fromkeys(places))}
        self._owner_of_program = np.array([owners[own] for own in places], dtype=np.int32)
        located = [(owner, place.point) for own, owner in owners.items() for place in own if place.point is not None]
        points = list(dict.fromkeys(point for _, point in located))
        number_of = {point: number for number, point in enumerate(points)}
        self._coordinates = np.array([(point.x, point.y, point.z) for point in points]).reshape(-1, 3).T.copy()
        # Each owner's points lie side by side, so that its nearest is one step of a running minimum.
        self._points = np.array([number_of[point] for _, point in located], dtype=np.int32)
        self._owners, self._starts = np.unique([owner for owner, _ in located], return_index=True)
        self._owner_count = len(owners)
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
        if len(self._points):
            x, y, z = self._coordinates
            x, y, z = x - person.x, y - person.y, z - person.z
            nearest[self._owners] = np.minimum.reduceat((x * x + y * y + z * z)[self._points], self._starts)
        chords: NDArray[np.float64] = nearest[self._owner_of_program]
        return chords


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
