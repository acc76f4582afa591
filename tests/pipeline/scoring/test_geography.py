from math import radians

import pytest

from pipeline.scoring.geography import Point, miles_between, place


def at(latitude: float, longitude: float) -> Point:
    return Point(radians(latitude), radians(longitude))


@pytest.mark.parametrize(
    ("start", "end", "miles"),
    [
        (at(0, 0), at(0, 0), 0),
        (at(0, 0), at(0, 1), 69.1),  # one degree along the equator
        (at(0, 0), at(0, 180), 12436.8),  # half way round
        (at(40.6413, -73.7781), at(51.4700, -0.4543), 3443),  # New York JFK to London Heathrow
        (at(10, 179.5), at(10, -179.5), 68.05),  # across the date line
    ],
)
def test_great_circle_distance(start: Point, end: Point, miles: float) -> None:
    assert miles_between(start, end) == pytest.approx(miles, abs=3 if miles > 1000 else 0.1)
    assert miles_between(end, start) == miles_between(start, end)


def test_a_zip_code_has_a_point_in_the_us_only() -> None:
    assert place("US", "80202").point is not None
    assert place("US", "80202-0001") == place("US", "80202")
    assert place("PR", "00901").country == "US"
    assert place("DE", "80202").point is None
    assert place("US", "09012").point is None
    assert place(None, "80202") == place(None, None)
