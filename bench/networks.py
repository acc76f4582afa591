"""Made-up networks of any size over the shipped form: every program requires eight things and prefers three.

The same size gives the same network, and a network of a hundred programs begins as one of ten thousand does. Providers
offer one to four programs at one to three places with real ZIP codes; every eighth program is a study with an
exclusion, every third joins two of its eight criteria by `any`. All kinds of criteria occur, in about the proportions
of a published network. There is room for everybody.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import zipcodes

from config.conditions import OTHER, Conditions
from config.providers import Program, ProviderDocument
from config.screening import Screening

REQUIRED = 8
PREFERRED = 3

_SEED = 20_261_101
_CONTRAINDICATIONS = (
    "active_cancer",
    "pregnancy",
    "active_infection",
    "anticoagulants",
    "organ_transplant",
    "immunosuppression",
)
_TREATMENTS = ("medication", "physical_therapy", "injections", "surgery", "complementary")
_INTERESTS = ("msc_bone_marrow", "msc_adipose", "msc_umbilical", "study_participation")
_GOALS = ("less_pain", "mobility", "daily_activities", "energy_and_sleep", "avoid_surgery", "slow_progression")
_BUDGETS = ("nothing", "up_to_5000", "up_to_10000", "up_to_20000", "over_20000")
_TIME_ZONE = "America/Chicago"

Json = dict[str, Any]
Versions = tuple[tuple[UUID, ProviderDocument], ...]


@dataclass(frozen=True, slots=True)
class Town:
    """A ZIP code with a place on the map."""

    zip_code: str
    state: str


@cache
def towns() -> tuple[Town, ...]:
    """All of them, in the order of their codes."""
    records = zipcodes.filter_by()  # type: ignore[no-untyped-call]
    located = (record for record in records if float(record["lat"]) or float(record["long"]))
    return tuple(sorted((Town(each["zip_code"], each["state"]) for each in located), key=lambda town: town.zip_code))


def made_up_network(programs: int, conditions: Conditions) -> Versions:
    """Provider versions with so many programs among them."""
    chance = random.Random(_SEED)
    known = _listed(conditions)
    versions: list[tuple[UUID, ProviderDocument]] = []
    while programs:
        document = _provider(chance, len(versions), programs, known)
        programs -= len(document.programs)
        versions.append((UUID(int=chance.getrandbits(128), version=4), document))
    return tuple(versions)


def without_preferences(network: Versions) -> Versions:
    """The same programs with what they require only."""
    return tuple(
        (version_id, _with_programs(document, [each.model_copy(update={"prefer": ()}) for each in document.programs]))
        for version_id, document in network
    )


def made_up_draft(network: Versions) -> tuple[ProviderDocument, ...]:
    """A changed network: every tenth provider asks one thing less in each program, and every fiftieth is gone."""
    return tuple(
        _with_programs(document, [_asking_less(each) for each in document.programs]) if number % 10 == 0 else document
        for number, (_, document) in enumerate(network)
        if number % 50 != 1
    )


def _asking_less(program: Program) -> Program:
    section = "require" if program.require else "inclusion"
    return program.model_copy(update={section: getattr(program, section)[:-1]})


def _with_programs(document: ProviderDocument, programs: Sequence[Program]) -> ProviderDocument:
    return document.model_copy(update={"programs": tuple(programs)})


def _provider(chance: random.Random, number: int, most: int, conditions: Sequence[str]) -> ProviderDocument:
    places = [chance.choice(towns()) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
    # A program of its own kind of people each; drawn whole and cut, so that a smaller network begins like a larger one.
    programs = [_program(chance, position, conditions) for position in range(chance.choice((1, 1, 2, 2, 3, 4)))]
    document = {
        "id": f"provider-{number:05}",
        "name": f"Made-up provider {number}",
        "contact": {"name": "Referral desk", "email": f"desk@provider-{number:05}.example"},
        "languages": chance.choice((["en"], ["en"], ["en", "es"])),
        "time_zone": _TIME_ZONE,
        "locations": [
            {"id": f"place-{index}", "city": "Somewhere", "country": "US", "postal_code": place.zip_code}
            for index, place in enumerate(places)
        ],
        "licensed_in": sorted({f"US-{place.state}" for place in (*places, *chance.sample(towns(), 6))}),
        "capacity": {"max_open": 1_000_000, "max_per_day": 1_000_000},
        "programs": programs[:most],
    }
    return ProviderDocument.model_validate(document)


def _program(chance: random.Random, position: int, conditions: Sequence[str]) -> Json:
    required = list(_required(chance, conditions))
    study = chance.random() < 1 / 8
    excluded = [_excluded(chance)] if study else []
    required = required[: REQUIRED - len(excluded)]
    if chance.random() < 1 / 3:
        required = [*required[:-2], {"any": required[-2:]}]
    about: Json = {"product": "unapproved_therapy", "kind": "clinic", "require": required}
    if study:
        irb = {"name": "Made-up review board", "number": f"{chance.randrange(10**6):06}", "approved_on": "2026-01-15"}
        about = {
            "product": "investigational",
            "kind": "study",
            "irb": irb,
            "inclusion": required,
            "exclusion": excluded,
        }
    return {
        "id": f"program-{position}",
        "name": {"en": "Made-up program", "es": "Programa inventado"},
        "summary": {"en": "For measuring only.", "es": "Solo para medir."},
        "prefer": list(_preferred(chance)),
        **about,
    }


def _required(chance: random.Random, conditions: Sequence[str]) -> Iterator[Json]:
    """What nearly every program asks, and then some of what else programs ask."""
    first = chance.randrange(len(conditions))
    related = [conditions[(first + step) % len(conditions)] for step in range(chance.randint(4, 14))]
    yield {"question": "condition", "one_of": related}
    yield _aged(chance)
    yield {"question": "contraindications", "none_of": chance.sample(_CONTRAINDICATIONS, chance.randint(1, 5))}
    yield {"distance": "travel"} if chance.random() < 3 / 4 else {"distance": chance.choice(("200 miles", "500 km"))}
    others: list[Json] = [
        {"question": "severity", "at_least": chance.randint(0, 4), "at_most": chance.randint(7, 10)},
        {"question": "severity", "at_least": chance.randint(2, 5), "borderline": 1},
        {"question": "diagnosis_confirmed", "equals": "yes"},
        {"question": "onset_months", "at_least": chance.choice((3, 6, 12))},
        {"question": "prior_treatments", "overlaps": chance.sample(_TREATMENTS, 3)},
        {"budget": list(_BUDGETS[chance.randint(0, 2) :]), "unknown": ["undecided"]},
        {"region": "licensed"} if chance.random() < 1 / 2 else {"region": ["US"]},
        {"language": "spoken"},
    ]
    yield from chance.sample(others, REQUIRED - 4)


def _aged(chance: random.Random) -> Json:
    if chance.random() < 1 / 20:
        return {"age_months": {"at_least": chance.choice((6, 18, 24)), "at_most": 12 * chance.randint(12, 18) - 1}}
    if chance.random() < 1 / 4:
        return {"age": {"at_least": 18}}
    return {"age": {"at_least": chance.randint(16, 30), "at_most": chance.randint(65, 90)}, "borderline": 2}


def _excluded(chance: random.Random) -> Json:
    if chance.random() < 1 / 2:
        return {"question": "prior_treatments", "overlaps": ["cell_therapy"]}
    return {"question": "onset_months", "at_least": chance.choice((120, 240))}


def _preferred(chance: random.Random) -> Iterator[Json]:
    yield {"weight": 3, "question": "treatment_interests", "overlaps": chance.sample(_INTERESTS, 2)}
    yield {"weight": 2, "distance": chance.choice(("50 miles", "100 miles", "200 miles"))}
    yield {"weight": chance.randint(1, 2), "question": "treatment_goals", "overlaps": chance.sample(_GOALS, 2)}


def made_up_answers(screening: Screening, conditions: Conditions, count: int, *, complete: bool) -> Iterator[Json]:
    """What so many people say. Who is not `complete` leaves out, or is not sure of, what the form lets them."""
    chance = random.Random(_SEED + complete)
    known = _listed(conditions)
    optional = {question.id for question in screening.questions if not question.required}
    for _ in range(count):
        answers = _answers(chance, known)
        if complete:
            yield answers
        else:
            if chance.random() < 1 / 8:
                answers["budget"] = "undecided"
            left_out = {question for question in sorted(optional & answers.keys()) if chance.random() < 1 / 6}
            yield {question: answer for question, answer in answers.items() if question not in left_out}


def _answers(chance: random.Random, conditions: Sequence[str]) -> Json:
    child = chance.random() < 1 / 20
    year = chance.randint(2012, 2023) if child else chance.randint(1938, 2007)
    healthy = chance.random() < 3 / 5
    return {
        "date_of_birth": f"{year}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "country": "US",
        "postal_code": chance.choice(towns()).zip_code,
        "language": chance.choice(("en", "en", "en", "es")),
        "condition": chance.choice(conditions),
        "diagnosis_confirmed": chance.choice(("yes", "yes", "yes", "no", "in_progress")),
        "onset_months": chance.choice((1, 4, 8, 15, 30, 60, 130, 250)),
        "severity": chance.randint(0, 10),
        "prior_treatments": chance.sample((*_TREATMENTS, "cell_therapy"), chance.randint(1, 3)),
        "contraindications": ["none"] if healthy else chance.sample(_CONTRAINDICATIONS, chance.randint(1, 2)),
        "treatment_goals": chance.sample(_GOALS, 2),
        "treatment_interests": chance.sample(_INTERESTS, chance.randint(1, 2)),
        "budget": chance.choice(_BUDGETS),
        "travel": chance.choice(("none", "local", "regional", "regional", "national", "national", "international")),
        "timeframe": "now",
    }


def _listed(conditions: Conditions) -> tuple[str, ...]:
    """Those that a program can ask for: not what somebody writes in own words."""
    return tuple(known for known in conditions.by_id if known != OTHER)
