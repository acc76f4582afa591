"""Made-up people who might ask for a program: its conditions, its surroundings, and any answers to all else."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from random import Random

import zipcodes

from config.conditions import Conditions
from config.criteria import LICENSED, Equals, Leaf, OneOf, Region, leaves
from config.providers import US_ZIP_COUNTRIES, Program, ProviderDocument
from config.screening import LANGUAGES, Question, QuestionType, Screening
from pipeline.scoring.facts import Answer
from pipeline.validation.answers import AGE_OF_MAJORITY

Home = tuple[str, str]
"""Country and postal code."""

_MOST_CHOSEN = 3
_AGES = ((0, 35), (36, 215), (216, 780), (781, 1200))
"""Small children, children, adults and the old, in months; adults twice as often."""


class MadeUpPeople:
    """Answers of people who come near to one program. The same seed gives the same people."""

    def __init__(
        self, document: ProviderDocument, program: Program, screening: Screening, conditions: Conditions
    ) -> None:
        self._screening = screening
        taken = [leaf for each in (*program.require, *program.inclusion) for _, leaf in leaves(each)]
        self._conditions = sorted(set(_listed(taken, "condition"))) or list(conditions.by_id)
        self._homes = sorted(set(_homes(document, taken)))
        self._seed = f"{document.id}/{program.id}"

    def draw(self, number: int, received_on: date) -> Iterator[dict[str, Answer]]:
        """So many people who fill in the whole form on that day."""
        random = Random(self._seed)  # noqa: S311 - made-up people are not secret, and are the same every time
        for _ in range(number):
            yield self._person(random, received_on)

    def _person(self, random: Random, received_on: date) -> dict[str, Answer]:
        months = random.randint(*random.choices(_AGES, weights=(1, 1, 2, 1))[0])
        country, postal_code = random.choice(self._homes)
        answers = {
            question.id: answer
            for question in self._screening.questions
            if (answer := self._answer(question, random)) is not None
        }
        answers |= {
            "date_of_birth": _months_before(received_on, months).isoformat(),
            "country": country,
            "postal_code": postal_code,
            "condition": random.choice(self._conditions),
        }
        if months < 12 * AGE_OF_MAJORITY:
            answers["submitter"] = "guardian"
        return answers

    @staticmethod
    def _answer(question: Question, random: Random) -> Answer | None:
        match question.type:
            case QuestionType.CHOICE:
                return random.choice(question.option_ids)
            case QuestionType.CHOICES:
                return _choices(question, random)
            case QuestionType.INTEGER:
                return _number(question, random)
            case QuestionType.LANGUAGE:
                return random.choice(LANGUAGES)
            case _:
                return None


def _choices(question: Question, random: Random) -> list[str]:
    """Most people who can say "none" do."""
    if question.exclusive_option is not None and random.random() < 0.6:
        return [question.exclusive_option]
    options = [option for option in question.option_ids if option != question.exclusive_option]
    return random.sample(options, random.randint(1, min(_MOST_CHOSEN, len(options))))


def _number(question: Question, random: Random) -> int:
    """Anywhere in the range, or rather low in it, as years are rarer than months."""
    low, high = question.minimum or 0, question.maximum or 0
    if random.random() < 0.5:
        return random.randint(low, high)
    return low + int((high - low + 1) ** random.random()) - 1


def _months_before(day: date, months: int) -> date:
    years, month = divmod(12 * day.year + day.month - 1 - months, 12)
    return date(years, month + 1, min(day.day, 28))


def _listed(criteria: Sequence[Leaf], question: str) -> Iterator[str]:
    for leaf in criteria:
        if isinstance(leaf, Equals) and leaf.question == question:
            yield str(leaf.equals)
        elif isinstance(leaf, OneOf) and leaf.question == question:
            yield from leaf.one_of


def _homes(document: ProviderDocument, criteria: Sequence[Leaf]) -> Iterator[Home]:
    """Where the provider is, and one place in every region and country that the program names."""
    yield from ((location.country, location.postal_code) for location in document.locations)
    regions = {
        region
        for leaf in criteria
        if isinstance(leaf, Region)
        for region in (document.licensed_in if leaf.region == LICENSED else leaf.region)
    }
    for place in regions | set(_listed(criteria, "country")):
        country, _, state = place.partition("-")
        if country in US_ZIP_COUNTRIES:
            state = state or ("" if country == "US" else country)
            yield country, _zip_code_by_state().get(state, document.locations[0].postal_code)
        else:
            yield country, ""


@cache
def _zip_code_by_state() -> dict[str, str]:
    """One ZIP code with a place in each state."""
    found: dict[str, str] = {}
    for record in zipcodes.filter_by():  # type: ignore[no-untyped-call]
        if float(record["lat"]) or float(record["long"]):
            found.setdefault(record["state"], record["zip_code"])
    return found
