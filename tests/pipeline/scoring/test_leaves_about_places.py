"""Leaves about where the person lives: distances, travel, regions. Letters as in `judging`."""

from typing import Any

import pytest

from pipeline.scoring.facts import Answer
from tests.pipeline.scoring.judging import letter_of

BOULDER, COLORADO_SPRINGS, CHEYENNE, SANTA_FE, MIAMI = "80302", "80903", "82001", "87501", "33130"
# From the clinic in Denver: 24.1 miles (38.8 km), 63.6 (102.4), 96.9 (156.0), 285.1 (458.8) and 1,724.8 (2,775.9).


def at(*places: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"id": f"at-{number}", "city": "Somewhere", "country": country, "postal_code": postal_code}
        for number, (country, postal_code) in enumerate(places)
    ]


def lives(country: str | None = None, postal_code: str | None = None, travel: str | None = None) -> dict[str, Answer]:
    answers = {"country": country, "postal_code": postal_code, "travel": travel}
    return {question: answer for question, answer in answers.items() if answer is not None}


@pytest.mark.parametrize(
    ("distance", "postal_code", "expected"),
    [
        ("24 miles", BOULDER, "n"),
        ("25 miles", BOULDER, "m"),
        ("38 km", BOULDER, "n"),
        ("39 km", BOULDER, "m"),
        ("96 miles", CHEYENNE, "n"),
        ("97 miles", CHEYENNE, "m"),
        ("155 km", CHEYENNE, "n"),
        ("156 km", CHEYENNE, "m"),
        ("1724 miles", MIAMI, "n"),
        ("1725 miles", MIAMI, "m"),
        ("2775 km", MIAMI, "n"),
        ("2776 km", MIAMI, "m"),
        ("1 miles", "80202", "m"),  # the same ZIP code
        ("1 km", "80202", "m"),
        ("99999 miles", "96910", "m"),  # Guam, with the country US
        ("25 miles", f"{BOULDER}-1234", "m"),
        ("25 miles", "00000", "u"),  # no such code
        ("25 miles", "09012", "u"),  # a military code lies nowhere
        ("25 miles", "", "u"),
        ("25 miles", None, "u"),
    ],
)
def test_miles_and_kilometres(distance: str, postal_code: str | None, expected: str) -> None:
    assert letter_of({"distance": distance}, lives("US", postal_code)) == expected


@pytest.mark.parametrize(
    ("distance", "borderline", "expected"),
    [
        ("24 miles", 1, "b"),
        ("23 miles", 1, "n"),
        ("23 miles", 2, "b"),
        ("25 miles", 1, "m"),
        ("38 km", 1, "b"),
        ("37 km", 1, "n"),  # a margin in kilometres: in miles it would reach
        ("39 km", 100, "m"),
        ("1 km", 5000, "b"),
    ],
)
def test_the_margin_of_a_distance_has_its_unit(distance: str, borderline: int, expected: str) -> None:
    assert letter_of({"distance": distance, "borderline": borderline}, lives("US", BOULDER)) == expected
    assert letter_of({"distance": distance, "borderline": borderline}, lives("US")) == "u"


NOWHERE = ("US", "09012")


@pytest.mark.parametrize(
    ("places", "person", "expected"),
    [
        ([("US", MIAMI), ("US", "80202")], lives("US", BOULDER), "m"),  # the nearest counts
        ([("US", "80202"), ("US", MIAMI)], lives("US", BOULDER), "m"),
        ([("US", MIAMI), ("MX", "01000")], lives("US", BOULDER), "n"),
        ([("US", MIAMI), ("MX", "01000")], lives("MX", "01000"), "u"),  # Mexico: no points
        ([("US", MIAMI), ("MX", "01000")], lives("MX"), "u"),
        ([("US", "80202")], lives("MX", BOULDER), "n"),  # five digits, another country
        ([("US", "80202")], lives("DE"), "n"),
        ([("MX", "01000")], lives("US", BOULDER), "n"),
        ([("MX", "01000")], lives("US"), "n"),
        ([NOWHERE], lives("US", BOULDER), "u"),
        ([NOWHERE, ("US", MIAMI)], lives("US", BOULDER), "u"),
        ([NOWHERE, ("US", "80202")], lives("US", BOULDER), "m"),
        ([NOWHERE], lives("MX", "01000"), "n"),
        ([("US", "80202")], lives(None, BOULDER), "u"),
        ([("US", "80202")], lives("", BOULDER), "u"),
        ([("PR", "00901")], lives("PR", "00907"), "m"),
        ([("PR", "00901")], lives("US", "00907"), "m"),  # a territory is the US
        ([("US", "00901")], lives("PR", "00907"), "m"),
        ([("PR", "00901")], lives("PR"), "u"),
        ([("US", "80202")], lives("PR", "00901"), "n"),  # 2,738 miles
    ],
)
def test_the_nearest_location(places: list[tuple[str, str]], person: dict[str, Answer], expected: str) -> None:
    assert letter_of({"distance": "30 miles"}, person, locations=at(*places)) == expected


def test_inside_the_margin_of_one_of_several_locations() -> None:
    criterion = {"distance": "30 miles", "borderline": 40}
    both = at(("US", "80202"), ("US", MIAMI))
    assert letter_of(criterion, lives("US", COLORADO_SPRINGS), locations=both) == "b"
    assert letter_of(criterion, lives("US", CHEYENNE), locations=both) == "n"


@pytest.mark.parametrize(
    ("places", "person", "expected"),
    [
        ([("US", "80202")], lives("US", MIAMI), "m"),
        ([("US", "80202")], lives("MX"), "n"),
        ([("MX", "01000")], lives("US", MIAMI), "n"),
        ([("MX", "01000")], lives("MX"), "u"),
        ([NOWHERE], lives("US", MIAMI), "u"),
        ([("US", "80202")], lives("US"), "u"),
    ],
)
def test_further_than_half_the_globe_is_still_the_same_country(
    places: list[tuple[str, str]], person: dict[str, Answer], expected: str
) -> None:
    assert letter_of({"distance": "99999 miles"}, person, locations=at(*places)) == expected
    assert letter_of({"distance": "90000 km", "borderline": 9999}, person, locations=at(*places)) == expected


IN_DENVER, IN_MEXICO = [("US", "80202")], [("MX", "01000")]


@pytest.mark.parametrize(
    ("places", "person", "letters"),  # none, local, regional, national, international, unanswered
    [
        (IN_DENVER, lives("US", BOULDER), "nmmmmu"),  # 24 miles
        (IN_DENVER, lives("US", COLORADO_SPRINGS), "nnmmmu"),  # 64
        (IN_DENVER, lives("US", SANTA_FE), "nnmmmu"),  # 285
        (IN_DENVER, lives("US", MIAMI), "nnnmmu"),  # 1,725
        (IN_DENVER, lives("US"), "nuummu"),
        (IN_DENVER, lives("US", "00000"), "nuummu"),
        (IN_DENVER, lives("PR", "00901"), "nnnmmu"),  # a territory is the same country
        (IN_DENVER, lives("GU"), "nuummu"),
        (IN_DENVER, lives("MX", "01000"), "nnnnmu"),
        (IN_DENVER, lives(), "nuuumu"),
        (IN_MEXICO, lives("MX", "01000"), "nuummu"),
        (IN_MEXICO, lives("MX"), "nuummu"),
        (IN_MEXICO, lives("US", "80202"), "nnnnmu"),
        ([*IN_MEXICO, *IN_DENVER], lives("MX"), "nuummu"),
        ([*IN_MEXICO, *IN_DENVER], lives("US", BOULDER), "nmmmmu"),
        ([NOWHERE], lives("US", BOULDER), "nuummu"),
        ([("PR", "00901")], lives("US", BOULDER), "nnnmmu"),
    ],
)
def test_as_near_as_the_person_will_travel(
    places: list[tuple[str, str]], person: dict[str, Answer], letters: str
) -> None:
    modes = ["none", "local", "regional", "national", "international"]
    answers = [*(person | {"travel": mode} for mode in modes), person]
    judged = [letter_of({"distance": "travel"}, each, locations=at(*places)) for each in answers]
    assert "".join(judged) == letters


def test_a_travel_answer_nobody_knows_is_unknown() -> None:
    assert letter_of({"distance": "travel"}, lives("US", BOULDER, "by_boat")) == "u"


AUSTIN, SAN_JUAN, DENVER = "78701", "00901", "80202"


@pytest.mark.parametrize(
    ("person", "letters"),  # for [US-TX], [US], [US-PR], [MX], [US-TX, MX], [US-TX, US]
    [
        (lives("US", AUSTIN), "mmnnmm"),
        (lives("US", f"{AUSTIN}-0001"), "mmnnmm"),
        (lives("US", DENVER), "nmnnnm"),
        (lives("US", SAN_JUAN), "nmmnnm"),  # the ZIP code tells the state, also of a territory
        (lives("US"), "umunum"),  # some state; which one is not known
        (lives("US", ""), "umunum"),
        (lives("US", "00000"), "umunum"),
        (lives("US", "09012"), "umunum"),
        (lives("PR", SAN_JUAN), "nmmnnm"),
        (lives("PR", AUSTIN), "nmmnnm"),  # a territory is its own region, whatever the ZIP code
        (lives("PR"), "nmmnnm"),
        (lives("GU"), "nmnnnm"),
        (lives("MX"), "nnnmmn"),
        (lives("MX", AUSTIN), "nnnmmn"),
        (lives("DE", "80331"), "nnnnnn"),
        (lives(None, AUSTIN), "uuuuuu"),
        (lives(""), "uuuuuu"),
    ],
)
def test_regions(person: dict[str, Answer], letters: str) -> None:
    lists = [["US-TX"], ["US"], ["US-PR"], ["MX"], ["US-TX", "MX"], ["US-TX", "US"]]
    assert "".join(letter_of({"region": regions}, person) for regions in lists) == letters
    licensed: dict[str, Any] = {"region": "licensed"}
    assert "".join(letter_of(licensed, person, licensed_in=regions) for regions in lists) == letters


def test_a_provider_without_a_licence_is_licensed_nowhere() -> None:
    assert letter_of({"region": "licensed"}, lives("US", AUSTIN)) == "n"
    assert letter_of({"region": "licensed"}, lives("US")) == "n"
    assert letter_of({"region": "licensed"}, lives()) == "u"


def test_where_the_provider_is_says_nothing_about_its_licence() -> None:
    in_austin = at(("US", AUSTIN))
    assert letter_of({"region": "licensed"}, lives("US", AUSTIN), locations=in_austin, licensed_in=["US-OK"]) == "n"
