"""Ages on the day of receipt, in completed years and completed months, both ends included."""

from datetime import date, timedelta

import pytest

from tests.pipeline.scoring.judging import RECEIVED, letter_of


def age_letter(born: str, limits: dict[str, int], received_on: date = RECEIVED, borderline: int | None = None) -> str:
    margin = {} if borderline is None else {"borderline": borderline}
    return letter_of({"age": limits, **margin}, {"date_of_birth": born}, received_on)


def months_letter(
    born: str, limits: dict[str, int], received_on: date = RECEIVED, borderline: int | None = None
) -> str:
    margin = {} if borderline is None else {"borderline": borderline}
    return letter_of({"age_months": limits, **margin}, {"date_of_birth": born}, received_on)


@pytest.mark.parametrize(
    ("born", "plain", "with_margin_of_one"),
    [
        ("2009-11-23", "n", "n"),  # 16, and 17 tomorrow
        ("2009-11-22", "n", "b"),  # 17 today
        ("2008-11-23", "n", "b"),  # 18 tomorrow
        ("2008-11-22", "m", "m"),  # 18 today
        ("1961-11-22", "m", "m"),  # 65 today
        ("1960-11-23", "m", "m"),  # 65, and 66 tomorrow
        ("1960-11-22", "n", "b"),  # 66 today
        ("1959-11-23", "n", "b"),  # 66, and 67 tomorrow
        ("1959-11-22", "n", "n"),  # 67 today
        ("2026-11-22", "n", "n"),  # born today
        ("1896-01-01", "n", "n"),  # 130
    ],
)
def test_completed_years(born: str, plain: str, with_margin_of_one: str) -> None:
    limits = {"at_least": 18, "at_most": 65}
    assert age_letter(born, limits) == plain
    assert age_letter(born, limits, borderline=1) == with_margin_of_one


@pytest.mark.parametrize("born", ["2026-11-23", "not a day", "2023-02-29", "", "1980-13-01"])
def test_a_birthday_that_cannot_be_is_unknown(born: str) -> None:
    assert age_letter(born, {"at_least": 0}, borderline=100) == "u"
    assert months_letter(born, {"at_least": 0}, borderline=100) == "u"
    assert letter_of({"age": {"at_least": 0}}, {}) == "u"
    assert letter_of({"age_months": {"at_least": 0}}, {}) == "u"


@pytest.mark.parametrize(
    ("received_on", "expected"),
    [
        (date(2026, 2, 28), "n"),
        (date(2026, 3, 1), "m"),  # 2026 has no 29 February
        (date(2028, 2, 28), "m"),
        (date(2025, 12, 31), "n"),
    ],
)
def test_born_on_29_february(received_on: date, expected: str) -> None:
    assert age_letter("2008-02-29", {"at_least": 18}, received_on) == expected


def test_a_birthday_on_29_february_is_kept_where_there_is_one() -> None:
    assert age_letter("2008-02-29", {"at_least": 20}, date(2028, 2, 28)) == "n"
    assert age_letter("2008-02-29", {"at_least": 20}, date(2028, 2, 29)) == "m"


@pytest.mark.parametrize(
    ("born", "received_on", "months"),
    [
        ("2026-11-22", RECEIVED, 0),
        ("2026-10-23", RECEIVED, 0),
        ("2026-10-22", RECEIVED, 1),
        ("2025-11-23", RECEIVED, 11),
        ("2025-11-22", RECEIVED, 12),
        ("2024-11-22", RECEIVED, 24),
        ("2026-01-31", date(2026, 2, 28), 0),
        ("2026-01-31", date(2026, 3, 1), 1),  # February has no 31st
        ("2026-01-31", date(2026, 3, 30), 1),
        ("2026-01-31", date(2026, 3, 31), 2),
        ("2026-03-31", date(2026, 4, 30), 0),
        ("2026-03-31", date(2026, 5, 1), 1),
        ("2024-02-29", date(2025, 2, 28), 11),
        ("2024-02-29", date(2025, 3, 1), 12),
        ("2024-02-29", date(2024, 3, 28), 0),
        ("2024-02-29", date(2024, 3, 29), 1),
        ("2025-12-31", date(2026, 1, 1), 0),
        ("1926-11-22", RECEIVED, 1200),
    ],
)
def test_completed_months(born: str, received_on: date, months: int) -> None:
    assert months_letter(born, {"at_least": months, "at_most": months}, received_on) == "m"
    assert months_letter(born, {"at_least": months + 1}, received_on) == "n"
    assert months_letter(born, {"at_least": months + 1}, received_on, borderline=1) == "b"
    assert months_letter(born, {"at_least": months + 2}, received_on, borderline=1) == "n"
    if months >= 2:
        assert months_letter(born, {"at_most": months - 1}, received_on, borderline=1) == "b"
        assert months_letter(born, {"at_most": months - 2}, received_on, borderline=1) == "n"


def test_twelve_months_are_a_year_on_every_day() -> None:
    for days in range(0, 1500, 7):
        born = (RECEIVED - timedelta(days=days)).isoformat()
        for years in (1, 2, 3, 4):
            in_months = months_letter(born, {"at_least": 12 * years})
            assert in_months == age_letter(born, {"at_least": years})
