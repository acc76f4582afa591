"""How far apart: between ZIP centroids in the US, by country elsewhere.

A centroid is a point in the middle of a ZIP code's area, so a distance is right to a few miles, not to the door.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import asin, cos, radians, sin, sqrt

import zipcodes

from config.criteria import Travel
from config.providers import US_ZIP_COUNTRIES
from pipeline.scoring.verdict import Verdict, decided

EARTH_RADIUS_MILES = 3958.7613
KM_PER_MILE = 1.609344
TRAVEL_MILES = {Travel.LOCAL: 50.0, Travel.REGIONAL: 300.0}
"""How far these answers reach, as the form words them."""


@dataclass(frozen=True, slots=True)
class Point:
    """Latitude and longitude in radians."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """A country, and a point if there is one. US territories with ZIP codes count as the US."""

    country: str | None
    point: Point | None


def place(country: str | None, postal_code: str | None) -> Place:
    """Where a person or a location is, as far as country and postal code tell."""
    if country not in US_ZIP_COUNTRIES:
        return Place(country, None)
    return Place("US", _zip_points().get(postal_code[:5]) if postal_code else None)


def miles_between(start: Point, end: Point) -> float:
    """Great-circle distance by the haversine formula."""
    half_latitude = sin((end.latitude - start.latitude) / 2)
    half_longitude = sin((end.longitude - start.longitude) / 2)
    chord = half_latitude**2 + cos(start.latitude) * cos(end.latitude) * half_longitude**2
    return 2 * EARTH_RADIUS_MILES * asin(min(1.0, sqrt(chord)))


def within_miles(person: Place, locations: Iterable[Place], miles: float) -> Verdict:
    """Whether the nearest location is at most so far away. Another country is not; the same one may be unknown."""
    return max((_near(person, location, miles) for location in locations), default=Verdict.NOT_MET)


def within_travel(person: Place, locations: Iterable[Place], travel: Travel | None) -> Verdict:
    """Whether at least one location is as near as the person is willing to travel."""
    match travel:
        case None:
            return Verdict.UNKNOWN
        case Travel.NONE:
            return Verdict.NOT_MET
        case Travel.INTERNATIONAL:
            return Verdict.MET
        case Travel.NATIONAL if person.country is None:
            return Verdict.UNKNOWN
        case Travel.NATIONAL:
            return decided(any(location.country == person.country for location in locations))
        case _:
            return within_miles(person, locations, TRAVEL_MILES[travel])


def _near(person: Place, location: Place, miles: float) -> Verdict:
    if person.country is None:
        return Verdict.UNKNOWN
    if person.country != location.country:
        return Verdict.NOT_MET
    if person.point is None or location.point is None:
        return Verdict.UNKNOWN
    return decided(miles_between(person.point, location.point) <= miles)


@cache
def _zip_points() -> dict[str, Point]:
    """All centroids, read once per process: looking one up in the library scans its whole table."""
    points = {}
    for record in zipcodes.filter_by():  # type: ignore[no-untyped-call]
        latitude, longitude = float(record["lat"]), float(record["long"])
        if latitude or longitude:  # military codes carry 0, 0, which is in the Gulf of Guinea
            points[record["zip_code"]] = Point(radians(latitude), radians(longitude))
    return points
