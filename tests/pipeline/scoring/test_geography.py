"""Points, distances and regions, against the haversine formula and distances between known cities."""

from math import asin, cos, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.criteria import Travel
from pipeline.scoring.geography import (
    EARTH_RADIUS_MILES,
    KM_PER_MILE,
    TRAVEL_MILES,
    Point,
    place,
    squared_chord,
    squared_reach,
)
from tests.pipeline.scoring.naive import haversine_miles


def at(latitude: float, longitude: float) -> Point:
    lat, long = radians(latitude), radians(longitude)
    return Point(cos(lat) * cos(long), cos(lat) * sin(long), sin(lat))


def miles_between(start: Point, end: Point) -> float:
    """The arc that belongs to the chord."""
    return 2 * EARTH_RADIUS_MILES * asin(min(1.0, sqrt(squared_chord(start, end)) / 2))


def within(start: Point, end: Point, miles: float) -> bool:
    return squared_chord(start, end) <= squared_reach(miles)


@pytest.mark.parametrize(
    ("start", "end", "miles"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 1), 69.09),  # one degree along the equator
        ((0, 0), (1, 0), 69.09),
        ((60, 0), (60, 1), 34.55),  # half of that at 60 degrees
        ((0, 0), (0, 180), 12436.8),  # half way round
        ((90, 0), (-90, 77), 12436.8),
        ((10, 179.5), (10, -179.5), 68.04),  # across the date line
        ((40.6413, -73.7781), (51.4700, -0.4543), 3443),  # New York JFK to London Heathrow
        ((39.7392, -104.9903), (25.7617, -80.1918), 1726),  # Denver to Miami
        ((34.0522, -118.2437), (40.7128, -74.0060), 2446),  # Los Angeles to New York
        ((41.8781, -87.6298), (29.7604, -95.3698), 940),  # Chicago to Houston
        ((21.3069, -157.8583), (37.7749, -122.4194), 2393),  # Honolulu to San Francisco
    ],
)
def test_known_distances(start: tuple[float, float], end: tuple[float, float], miles: float) -> None:
    measured = miles_between(at(*start), at(*end))
    assert measured == pytest.approx(miles, abs=3 if miles > 500 else 0.01)
    assert squared_chord(at(*start), at(*end)) == squared_chord(at(*end), at(*start))
    assert within(at(*start), at(*end), measured * 1.000001)
    assert measured == 0 or not within(at(*start), at(*end), measured * 0.999999)


DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(DEGREES, DEGREES, st.floats(0.1, 12400))
def test_within_a_distance_is_what_haversine_says(
    start: tuple[float, float], end: tuple[float, float], miles: float
) -> None:
    far = haversine_miles(start, end)
    if abs(far - miles) > 0.001:  # nearer than two metres to the boundary the two may round apart
        assert within(at(*start), at(*end), miles) is (far < miles)


@given(DEGREES)
def test_everything_is_within_half_the_globe_and_more(start: tuple[float, float]) -> None:
    antipode = at(-start[0], start[1] + 180)
    assert within(at(*start), antipode, 12438)
    assert within(at(*start), antipode, 99999)
    assert within(at(*start), at(*start), 0)


def test_a_longer_distance_reaches_further() -> None:
    reaches = [squared_reach(float(miles)) for miles in range(0, 12430, 7)]
    assert reaches == sorted(set(reaches))


def test_constants() -> None:
    assert KM_PER_MILE == 1.609344  # exactly, since 1959
    assert TRAVEL_MILES == {Travel.LOCAL: 50.0, Travel.REGIONAL: 300.0}  # as the form words them


@pytest.mark.parametrize(
    ("country", "postal_code", "counts_as", "located", "region"),
    [
        ("US", "80202", "US", True, "US-CO"),
        ("US", "80202-0001", "US", True, "US-CO"),
        ("US", "20500", "US", True, "US-DC"),
        ("US", "00901", "US", True, "US-PR"),
        ("US", "09012", "US", False, None),
        ("US", "00000", "US", False, None),
        ("US", "8020", "US", False, None),
        ("US", None, "US", False, None),
        ("PR", "00901", "US", True, "US-PR"),
        ("PR", None, "US", False, "US-PR"),
        ("VI", "00802", "US", True, "US-VI"),
        ("GU", "96910", "US", True, "US-GU"),
        ("AS", "96799", "US", True, "US-AS"),
        ("MP", "96950", "US", True, "US-MP"),
        ("DE", "80202", "DE", False, "DE"),
        ("MX", None, "MX", False, "MX"),
        (None, "80202", None, False, None),
    ],
)
def test_where_a_place_is(
    country: str | None,
    postal_code: str | None,
    counts_as: str | None,
    located: bool,  # noqa: FBT001
    region: str | None,
) -> None:
    found = place(country, postal_code)
    assert (found.country, found.point is not None, found.region) == (counts_as, located, region)


def test_points_lie_where_the_cities_are() -> None:
    denver, boulder = place("US", "80202").point, place("US", "80302").point
    assert denver is not None
    assert boulder is not None
    assert miles_between(denver, at(39.7392, -104.9903)) < 2
    assert miles_between(denver, boulder) == pytest.approx(24, abs=1)
