"""What matching means, written as plainly as it can be said: the oracle that the compiled engine is held against.

It walks every tree for every person, knows nothing of the engine, and gives letters: `m` met, `n` not met, `u` not
known, and `b` not known because a number lies outside of its limits by no more than the margin.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

import zipcodes

from config.criteria import (
    AgeInMonths,
    AgeRange,
    All,
    AnyOf,
    Budget,
    Distance,
    Equals,
    Group,
    Leaf,
    Neither,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
    SpokenLanguage,
)
from config.providers import Program, ProviderDocument
from pipeline.scoring.rank import Standing

Letter = Literal["m", "n", "u", "b"]
Answer = str | int | list[str]
Answers = Mapping[str, Answer]

ZIP_TERRITORIES = {"PR", "VI", "GU", "AS", "MP"}
MILES_AROUND = 3958.7613
MILES_BY_TRAVEL = {"local": 50.0, "regional": 300.0}


def judge_leaf(leaf: Leaf, provider: ProviderDocument, answers: Answers, received_on: date) -> Letter:  # noqa: C901 - one case a kind
    """One criterion, for one person, with one provider."""
    match leaf:
        case Equals():
            return _among(leaf.question, [leaf.equals], _open(leaf.question, ()), answers)
        case OneOf():
            return _among(leaf.question, leaf.one_of, _open(leaf.question, leaf.unknown), answers)
        case Overlaps():
            return _among(leaf.question, leaf.overlaps, _open(leaf.question, leaf.unknown), answers)
        case NoneOf():
            return _opposite(_among(leaf.question, leaf.none_of, _open(leaf.question, leaf.unknown), answers))
        case Budget():
            return _among("budget", leaf.budget, leaf.unknown, answers)
        case SpokenLanguage():
            return _among("language", provider.languages, (), answers)
        case NumberRange():
            number = _answer(leaf.question, answers)
            return _within(number if isinstance(number, int) else None, leaf.at_least, leaf.at_most, leaf.borderline)
        case AgeRange():
            months = _months_of_age(answers, received_on)
            years = None if months is None else months // 12
            return _within(years, leaf.age.at_least, leaf.age.at_most, leaf.borderline)
        case AgeInMonths():
            months = _months_of_age(answers, received_on)
            return _within(months, leaf.age_months.at_least, leaf.age_months.at_most, leaf.borderline)
        case Region():
            return _lives_in(provider.licensed_in if leaf.region == "licensed" else leaf.region, answers)
        case Distance() if leaf.distance == "travel":
            return _within_travel(provider, answers)
        case Distance():
            number_of, unit = leaf.distance.split(" ")
            return _within_distance(provider, answers, float(number_of), leaf.borderline or 0, unit)


def judge_tree(criterion: Leaf | Group, provider: ProviderDocument, answers: Answers, received_on: date) -> Letter:
    """Kleene's strong logic: `n` decides an `all`, `m` decides an `any`, and what is open stays open otherwise."""
    if not isinstance(criterion, Group):
        return judge_leaf(criterion, provider, answers, received_on)
    match criterion:
        case All():
            return both([judge_tree(part, provider, answers, received_on) for part in criterion.all])
        case AnyOf():
            return either([judge_tree(part, provider, answers, received_on) for part in criterion.any])
        case Neither():
            return _opposite(either([judge_tree(part, provider, answers, received_on) for part in criterion.none]))


def both(letters: Sequence[Letter]) -> Letter:
    if "n" in letters:
        return "n"
    return "m" if all(letter == "m" for letter in letters) else "u"


def either(letters: Sequence[Letter]) -> Letter:
    if "m" in letters:
        return "m"
    return "n" if all(letter == "n" for letter in letters) else "u"


def _opposite(letter: Letter) -> Letter:
    return {"m": "n", "n": "m", "u": "u", "b": "b"}[letter]  # type: ignore[return-value]


def eligible(program: Program, provider: ProviderDocument, answers: Answers, received_on: date) -> Letter:
    """Every requirement and every inclusion criterion is met, and not one exclusion criterion."""
    required = [judge_tree(part, provider, answers, received_on) for part in (*program.require, *program.inclusion)]
    excluded = [judge_tree(part, provider, answers, received_on) for part in program.exclusion]
    return both([*required, *(_opposite(letter) for letter in excluded)])


def for_an_expert(program: Program, provider: ProviderDocument, answers: Answers, received_on: date) -> bool:
    """One of the criteria is met, or may be, for which the program wants an expert to look at whoever is eligible."""
    return any(judge_tree(part, provider, answers, received_on) != "n" for part in program.review_if)


def points(program: Program, provider: ProviderDocument, answers: Answers, received_on: date) -> int:
    """0 to 100: the share of the preferred weight that is met; the open half counts; a half is rounded up."""
    if not program.prefer:
        return 50
    total = sum(part.weight or 1 for part in program.prefer)
    worth = {"m": 1.0, "n": 0.0, "u": 0.5, "b": 0.5}
    reached = sum(
        (part.weight or 1) * worth[judge_tree(part, provider, answers, received_on)] for part in program.prefer
    )
    return math.floor(100 * reached / total + 0.5)


def letters_of(
    program: Program, provider: ProviderDocument, answers: Answers, received_on: date
) -> Iterator[tuple[str, Letter]]:
    """What the explanation says about every criterion, by its id."""
    for name, _, leaf in program.named_leaves():
        yield name, judge_leaf(leaf, provider, answers, received_on)


def _answer(question: str, answers: Answers) -> Answer | None:
    answer = answers.get(question)
    return None if answer is None or answer in ("", []) else answer


def _open(question: str, unknown: Sequence[str]) -> Sequence[str]:
    """A condition in the person's own words may be any condition."""
    return [*unknown, "other"] if question == "condition" else unknown


def _among(question: str, wanted: Sequence[str | int], unknown: Sequence[str], answers: Answers) -> Letter:
    answer = _answer(question, answers)
    if answer is None:
        return "u"
    chosen = answer if isinstance(answer, list) else [answer]
    if any(one in wanted for one in chosen):
        return "m"
    return "u" if any(one in unknown for one in chosen) else "n"


def _within(number: int | None, at_least: int | None, at_most: int | None, margin: int | None) -> Letter:
    if number is None:
        return "u"
    below = 0 if at_least is None else at_least - number
    above = 0 if at_most is None else number - at_most
    outside = max(below, above, 0)
    if outside == 0:
        return "m"
    return "b" if outside <= (margin or 0) else "n"


def _months_of_age(answers: Answers, received_on: date) -> int | None:
    """Completed calendar months. One is complete on the same day of a month, or on the first after a shorter one."""
    answer = _answer("date_of_birth", answers)
    if not isinstance(answer, str):
        return None
    try:
        born = date.fromisoformat(answer)
    except ValueError:
        return None
    if born > received_on:
        return None
    months = 12 * (received_on.year - born.year) + received_on.month - born.month
    return months - 1 if received_on.day < born.day else months


def _country(country: object) -> str | None:
    """US territories with ZIP codes count as the US."""
    return "US" if country in ZIP_TERRITORIES else country if isinstance(country, str) and country else None


def _lives_in(listed: Sequence[str], answers: Answers) -> Letter:
    country = answers.get("country")
    if _country(country) is None:
        return "u"
    if _country(country) != "US":
        return "m" if country in listed else "n"
    if "US" in listed:
        return "m"
    if country in ZIP_TERRITORIES:
        return "m" if f"US-{country}" in listed else "n"
    postal_code = answers.get("postal_code")
    record = _zip_codes().get(postal_code[:5]) if isinstance(postal_code, str) else None
    if record is None:
        return "u" if any(region.startswith("US-") for region in listed) else "n"
    return "m" if f"US-{record[0]}" in listed else "n"


def _within_travel(provider: ProviderDocument, answers: Answers) -> Letter:
    travel, country = _answer("travel", answers), _country(answers.get("country"))
    if travel == "none":
        return "n"
    if travel == "international":
        return "m"
    if travel == "national":
        if country is None:
            return "u"
        return "m" if any(_country(location.country) == country for location in provider.locations) else "n"
    if travel in ("local", "regional"):
        return _within_distance(provider, answers, MILES_BY_TRAVEL[str(travel)], 0, "miles")
    return "u"


def _within_distance(provider: ProviderDocument, answers: Answers, limit: float, margin: float, unit: str) -> Letter:
    country = _country(answers.get("country"))
    if country is None:
        return "u"
    here = _point(answers.get("country"), answers.get("postal_code"))
    letters: list[Letter] = []
    for location in provider.locations:
        there = _point(location.country, location.postal_code)
        if _country(location.country) != country:
            letters.append("n")
        elif here is None or there is None:
            letters.append("u")
        else:
            far = haversine_miles(here, there) * (1.609344 if unit == "km" else 1)
            letters.append("m" if far <= limit else "b" if far <= limit + margin else "n")
    return next((letter for letter in ("m", "b", "u") if letter in letters), "n")


def _point(country: object, postal_code: object) -> tuple[float, float] | None:
    if _country(country) != "US" or not isinstance(postal_code, str) or postal_code[:5] not in _zip_codes():
        return None
    return _zip_codes()[postal_code[:5]][1:]


def haversine_miles(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Great-circle miles between two points in degrees of latitude and longitude."""
    lat1, long1, lat2, long2 = map(math.radians, (*start, *end))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((long2 - long1) / 2) ** 2
    return 2 * MILES_AROUND * math.asin(min(1.0, math.sqrt(half)))


@cache
def _zip_codes() -> dict[str, tuple[str, float, float]]:
    """State and centroid by ZIP code; military codes lie nowhere and so are not known."""
    return {
        record["zip_code"]: (record["state"], float(record["lat"]), float(record["long"]))
        for record in zipcodes.filter_by()  # type: ignore[no-untyped-call]
        if float(record["lat"]) or float(record["long"])
    }


def is_closed(provider: ProviderDocument, at: datetime) -> bool:
    """Switched off, or after the last day of a credential by the provider's calendar."""
    today = at.astimezone(ZoneInfo(provider.time_zone)).date()
    return provider.availability.paused or any(credential.expires_on < today for credential in provider.credentials)


def ranking(
    network: Sequence[ProviderDocument],
    standings: Mapping[str, Standing],
    answers: Answers,
    received_on: date,
    at: datetime,
) -> list[tuple[str, str, int]]:
    """Provider, program and score of everybody who may be offered, the best first."""
    best: dict[str, tuple[int, str]] = {}
    for provider in network:
        for program in provider.programs:
            if is_closed(provider, at) or eligible(program, provider, answers, received_on) != "m":
                continue
            reached = points(program, provider, answers, received_on)
            if provider.id not in best or reached > best[provider.id][0]:
                best[provider.id] = (reached, program.id)

    def turn(provider_id: str) -> tuple[int, bool, float, Fraction, str]:
        standing = standings.get(provider_id, Standing())
        offered = standing.last_offered_at
        target = standing.target_per_month
        share = Fraction(1) if target is None else Fraction(standing.month_referrals, target)
        return -best[provider_id][0], offered is not None, offered.timestamp() if offered else 0.0, share, provider_id

    return [(provider_id, best[provider_id][1], best[provider_id][0]) for provider_id in sorted(best, key=turn)]


def outcome(network: Sequence[ProviderDocument], answers: Answers, received_on: date, at: datetime) -> str:
    """An expert looks at own words, at a contradiction, at what a program's rule asks for, and where all is open."""
    contraindications = answers.get("contraindications")
    if answers.get("condition") == "other":
        return "needs_review"
    if isinstance(contraindications, list) and "none" in contraindications and set(contraindications) != {"none"}:
        return "needs_review"
    judged = [
        (eligible(program, provider, answers, received_on), program, provider)
        for provider in network
        if not is_closed(provider, at)
        for program in provider.programs
    ]
    fitting = [(program, provider) for letter, program, provider in judged if letter == "m"]
    if any(for_an_expert(program, provider, answers, received_on) for program, provider in fitting):
        return "needs_review"
    if fitting:
        return "candidate"
    return "needs_review" if any(letter == "u" for letter, _, _ in judged) else "no_match"
