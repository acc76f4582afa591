"""How far apart: between ZIP centroids in the US, by country elsewhere.

A centroid is a point in the middle of a ZIP code's area, so a distance is right to a few miles, not to the door.
Points are unit vectors. Two of them are within a distance when the square of the straight line between them is at most
that of the distance, which needs no trigonometry per pair and is exact to the inch.
"""

from dataclasses import dataclass
from functools import cache
from math import cos, pi, radians, sin

import zipcodes

from config.criteria import Travel
from config.providers import US_ZIP_COUNTRIES

EARTH_RADIUS_MILES = 3958.7613
KM_PER_MILE = 1.609344
_WHOLE_GLOBE = 5.0
"""More than the square of the Earth's diameter; less than the distance of what is not on the map at all."""

TRAVEL_MILES = {Travel.LOCAL: 50.0, Travel.REGIONAL: 300.0}
"""How far these answers reach, as the form words them."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the globe, as a unit vector from its centre."""

    x: float
    y: float
    z: float


@dataclass(frozen=True, slots=True)
class Place:
    """A country, a point if there is one, and the region (`US-TX`, or the country) that licences are issued for.

    US territories with ZIP codes count as the US; `region` is `None` for a US place whose state is not known.
    """

    country: str | None
    point: Point | None = None
    region: str | None = None


def place(country: str | None, postal_code: str | None) -> Place:
    """Where a person or a location is, as far as country and postal code tell."""
    if country not in US_ZIP_COUNTRIES:
        return Place(country, None, country)
    point, state = _zip_table().get(postal_code[:5], (None, None)) if postal_code else (None, None)
    region = f"US-{country}" if country != "US" else state
    return Place("US", point, region)


def squared_chord(start: Point, end: Point) -> float:
    """Of the straight line between two points, in squares of the Earth's radius."""
    x, y, z = end.x - start.x, end.y - start.y, end.z - start.z
    return x * x + y * y + z * z


def squared_reach(miles: float) -> float:
    """The squared chord of an arc of so many miles; beyond half the globe everything is within it."""
    angle = miles / EARTH_RADIUS_MILES
    if angle >= pi:
        return _WHOLE_GLOBE
    half = sin(angle / 2)
    return 4 * half * half


@cache
def _zip_table() -> dict[str, tuple[Point | None, str | None]]:
    """All ZIP codes, read once per process: looking one up in the library scans its whole table."""
    table = {}
    for record in zipcodes.filter_by():  # type: ignore[no-untyped-call]
        latitude, longitude = float(record["lat"]), float(record["long"])
        # Military codes carry 0, 0, which is in the Gulf of Guinea, and no state of their own.
        point = _point(radians(latitude), radians(longitude)) if latitude or longitude else None
        table[record["zip_code"]] = (point, f"US-{record['state']}" if point else None)
    return table


def _point(latitude: float, longitude: float) -> Point:
    return Point(cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude))
