"""What a submission tells about the person, read once before any criterion looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from config.criteria import Travel
from pipeline.scoring.geography import Place, place

Answer = str | int | list[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """`answers` holds only what was answered; ages are in completed years and months on the day of receipt."""

    answers: Mapping[str, Answer]
    age: int | None
    age_months: int | None
    place: Place
    travel: Travel | None


def read_facts(answers: Mapping[str, Answer], received_on: date) -> Facts:
    """An empty answer, or one that is not of its kind, is not known."""
    answered = {question: answer for question, answer in answers.items() if answer not in (None, "", [])}
    country, postal_code, travel = answered.get("country"), answered.get("postal_code"), answered.get("travel")
    months = _completed_months(answered.get("date_of_birth"), received_on)
    return Facts(
        answers=answered,
        age=None if months is None else months // 12,
        age_months=months,
        place=place(
            country if isinstance(country, str) else None, postal_code if isinstance(postal_code, str) else None
        ),
        travel=Travel(travel) if isinstance(travel, str) and travel in _TRAVEL else None,
    )


_TRAVEL = frozenset(Travel)


def _completed_months(date_of_birth: Answer | None, on: date) -> int | None:
    """Who was born on the 31st is a month older on the 1st where a month has no 31st; so with 29 February."""
    if not isinstance(date_of_birth, str):
        return None
    try:
        born = date.fromisoformat(date_of_birth)
    except ValueError:
        return None
    if born > on:
        return None
    return 12 * (on.year - born.year) + on.month - born.month - (on.day < born.day)
