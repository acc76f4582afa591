"""Holds criteria against the form and the conditions, so that a misspelt id is found before it matches nobody."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

import pycountry

from config.conditions import Conditions
from config.criteria import (
    LICENSED,
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Equals,
    Leaf,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
    SpokenLanguage,
    Travel,
)
from config.screening import LANGUAGES, Question, QuestionType, Screening
from config.yaml_file import Location

US_TERRITORIES = frozenset({"PR", "VI", "GU", "AS", "MP"})
"""Countries by ISO 3166 whose postal codes are US ZIP codes: a region is named like a state there, `US-PR`."""

_MOST_LISTED = 30


def leaf_mistakes(  # noqa: C901 - one short case a kind of leaf
    leaf: Leaf, screening: Screening, conditions: Conditions
) -> Iterator[tuple[Location, str]]:
    """What a leaf refers to that the form or the list of conditions does not have: (location in the leaf, message)."""
    match leaf:
        case Equals():
            yield from _answer_mistakes(leaf.question, {"equals": (leaf.equals,)}, screening, conditions)
        case OneOf():
            answers = {"one_of": leaf.one_of, "unknown": leaf.unknown}
            yield from _answer_mistakes(leaf.question, answers, screening, conditions)
        case NoneOf():
            answers = {"none_of": leaf.none_of, "unknown": leaf.unknown}
            yield from _answer_mistakes(leaf.question, answers, screening, conditions)
        case Overlaps():
            answers = {"overlaps": leaf.overlaps, "unknown": leaf.unknown}
            yield from _answer_mistakes(leaf.question, answers, screening, conditions)
        case NumberRange():
            numbers = [question.id for question in screening.questions if question.type is QuestionType.INTEGER]
            if leaf.question not in numbers:
                yield ("question",), _unknown("a question about a number", numbers, leaf.question)
        case Budget():
            answers = {"budget": leaf.budget, "unknown": leaf.unknown}
            yield from _answer_mistakes("budget", answers, screening, conditions)
        case Distance():
            yield from _travel_mistakes(leaf, screening)
        case Region():
            yield from _region_mistakes(leaf, screening)
        case AgeRange() | AgeInMonths():
            yield from _missing_questions(screening, "date_of_birth")
        case SpokenLanguage():
            yield from _missing_questions(screening, "language")


def region_mistake(region: str) -> str | None:
    """What is wrong with a region code; `None` for a country (`MX`) or a US state or territory (`US-TX`)."""
    country, dash, _ = region.partition("-")
    if region in US_TERRITORIES:
        return f"expected US-{region}, as ZIP codes count as the US; found {region!r}"
    if not dash and pycountry.countries.get(alpha_2=country) is not None:
        return None
    if country == "US" and pycountry.subdivisions.get(code=region) is not None:  # type: ignore[no-untyped-call]
        return None
    if near := _region_named(region):
        return f"expected the code of a country or a US state, perhaps {near}; found {region!r}"
    return f"expected a country such as MX, or a US state such as US-TX; found {region!r}"


def _region_named(name: str) -> str | None:
    """The code of a US state or a country, for who has written `Texas`, `TX` or `Mexico`."""
    plain = name.casefold()
    for state in pycountry.subdivisions.get(country_code="US"):  # type: ignore[no-untyped-call]
        if plain in {state.name.casefold(), state.code.casefold(), state.code.removeprefix("US-").casefold()}:
            return str(state.code)
    found = (each for each in pycountry.countries if plain in {each.name.casefold(), each.alpha_3.casefold()})
    return next((str(each.alpha_2) for each in found), None)


def _region_mistakes(leaf: Region, screening: Screening) -> Iterator[tuple[Location, str]]:
    yield from _missing_questions(screening, "country", "postal_code")
    if leaf.region == LICENSED:
        return
    for index, region in enumerate(leaf.region):
        if (mistake := region_mistake(region)) is not None:
            yield ("region", index), mistake


def _missing_questions(screening: Screening, *needed: str) -> Iterator[tuple[Location, str]]:
    for question in needed:
        if question not in screening.ids:
            yield (), f"expected the form to have the question {question}"


def _answer_mistakes(
    question_id: str, answers: Mapping[str, tuple[str | int, ...]], screening: Screening, conditions: Conditions
) -> Iterator[tuple[Location, str]]:
    known = {question.id: question for question in screening.questions}
    if question_id not in known:
        yield ("question",), _unknown("a question of the form", known, question_id)
        return
    question = known[question_id]
    possible = _possible_answers(question, conditions)
    if possible is None:
        yield ("question",), f"expected a question with listed answers; {question_id} is of the type {question.type}"
        return
    several = question.type is QuestionType.CHOICES
    for key, listed in answers.items():
        if (key in {"equals", "one_of"} and several) or (key == "overlaps" and not several):
            fitting = "overlaps or none_of" if several else "equals, one_of or none_of"
            yield (key,), f"expected {fitting}, as {question_id} takes {'several answers' if several else 'one answer'}"
            continue
        for index, answer in enumerate(listed):
            if answer not in possible:
                where: Location = (key,) if key == "equals" else (key, index)
                yield where, _unknown(f"an answer to {question_id}", possible, answer)


def _possible_answers(question: Question, conditions: Conditions) -> Collection[str | int] | None:
    match question.type:
        case QuestionType.CHOICE | QuestionType.CHOICES:
            return question.option_ids
        case QuestionType.CONDITION:
            return tuple(conditions.by_id)
        case QuestionType.LANGUAGE:
            return LANGUAGES
        case QuestionType.COUNTRY:
            return tuple(country.alpha_2 for country in pycountry.countries)
        case QuestionType.INTEGER if question.minimum is not None and question.maximum is not None:
            return range(question.minimum, question.maximum + 1)
        case _:
            return None


def _travel_mistakes(leaf: Distance, screening: Screening) -> Iterator[tuple[Location, str]]:
    known = {question.id: question for question in screening.questions}
    for needed in ("country", "postal_code", *(("travel",) if leaf.distance == "travel" else ())):
        if needed not in known:
            yield ("distance",), f"expected the form to have the question {needed}"
        elif needed == "travel" and (odd := set(known[needed].option_ids) - set(Travel)):
            yield (
                ("distance",),
                f"expected the form's travel options to be among {', '.join(Travel)}; found {', '.join(sorted(odd))}",
            )


def _unknown(what: str, possible: Collection[str | int], found: str | int) -> str:
    if missing := _commas_missing(possible, found):
        return missing
    if isinstance(possible, range):
        return f"expected {what}, {possible.start} to {possible.stop - 1}; found {found!r}"
    names = [str(name) for name in possible]
    near = get_close_matches(str(found), names, n=1)
    if near:
        return f"expected {what}, perhaps {near[0]}; found {found!r}"
    shown = f", one of {', '.join(names)}" if len(names) <= _MOST_LISTED else ""
    return f"expected {what}{shown}; found {found!r}"


def _commas_missing(possible: Collection[str | int], found: str | int) -> str | None:
    """That several answers stand there as one, with nothing but spaces between them."""
    words = str(found).split()
    if len(words) <= 1 or not all(word in possible for word in words):
        return None
    between = " and ".join(words) if len(words) <= 2 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"a comma is missing between {between}"
