"""Random networks and people for the property tests.

Everything is made from a `random.Random`, so that Hypothesis can draw it and shrink it, and a seed can repeat it. There
are few questions and few answers to each: criteria meet, contradict and share planes all the time.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from config.criteria import Travel
from config.providers import ProviderDocument
from pipeline.scoring.rank import Standing
from tests.pipeline.scoring.naive import Answer
from tests.pipeline.scoring.network_files import program, provider

RECEIVED = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)

CHOICES = {
    "condition": ["fibromyalgia", "lupus", "autism", "other"],
    "diagnosis_confirmed": ["yes", "no", "in_progress"],
    "sex_at_birth": ["female", "male"],
}
SEVERAL = {
    "contraindications": ["none", "pregnancy", "anticoagulants", "active_cancer"],
    "treatment_interests": ["msc_adipose", "study_participation", "undecided"],
}
NUMBERS = {"severity": 10, "onset_months": 24}
BUDGETS = ["nothing", "up_to_10000", "over_20000", "undecided"]
REGIONS = ["US", "US-CO", "US-TX", "US-PR", "MX", "DE"]
# Denver, Boulder (25 miles), Cheyenne (96), Miami (1,725), El Paso in Texas, San Juan, a military code, no code at all.
ZIP_CODES = ["80202", "80302", "82001", "33130", "79901", "00901", "09012", "00000"]
PLACES = [*(("US", code) for code in ZIP_CODES), ("PR", "00901"), ("GU", "96910"), ("MX", "01000"), ("DE", "80331")]
BIRTHDAYS = [
    "2026-11-01", "2025-12-15", "2025-11-22", "2024-02-29", "2021-05-30", "2016-03-31", "2009-11-23", "2008-11-23",
    "2008-11-22", "2007-11-22", "1980-01-01", "1961-11-22", "1960-11-23", "1960-11-22", "1959-12-01", "1930-06-06",
]  # fmt: skip

ANSWERABLE: dict[str, list[Answer]] = {
    **{question: list(options) for question, options in CHOICES.items()},
    **{question: list(range(most + 1)) for question, most in NUMBERS.items()},
    "date_of_birth": list(BIRTHDAYS),
    "country": ["US", "PR", "MX", "DE"],
    "postal_code": [*ZIP_CODES, "80302-1234", "01000"],
    "travel": [travel.value for travel in Travel],
    "budget": list(BUDGETS),
    "language": ["en", "es", "fr"],
}
MALFORMED: dict[str, list[Answer]] = {
    "severity": ["five", "", -1, 10**30],
    "onset_months": ["", ["3"]],
    "date_of_birth": ["", "yesterday", "2027-01-01", "2023-02-29"],
    "postal_code": ["", "8"],
    "country": ["", "XX"],
    "travel": ["", "by_boat"],
    "contraindications": [[], ["unheard_of"]],
    "condition": [""],
}


def some_of(random: Random, options: list[Any], at_least: int = 1) -> list[Any]:
    return random.sample(options, random.randint(at_least, len(options)))


def a_span(random: Random, most: int) -> dict[str, int]:
    low, high = sorted((random.randint(0, most), random.randint(0, most)))
    return random.choice([{"at_least": low}, {"at_most": high}, {"at_least": low, "at_most": high}])


def a_margin(random: Random, most: int) -> dict[str, int]:
    return {"borderline": random.randint(1, most)} if random.random() < 0.4 else {}


def an_unknown(random: Random, options: list[str]) -> dict[str, list[str]]:
    return {"unknown": some_of(random, options)} if random.random() < 0.4 else {}


def a_leaf(random: Random) -> dict[str, Any]:  # noqa: C901 - one case a kind of leaf
    kind = random.randrange(12)
    if kind == 0:
        question = random.choice([*CHOICES, "severity"])
        return {"question": question, "equals": random.choice([*CHOICES.get(question, []), 3])}
    if kind == 1:
        question = random.choice(list(CHOICES))
        return {
            "question": question,
            "one_of": some_of(random, CHOICES[question]),
            **an_unknown(random, CHOICES[question]),
        }
    if kind == 2:
        question = random.choice([*CHOICES, *SEVERAL])
        options = (CHOICES | SEVERAL)[question]
        return {"question": question, "none_of": some_of(random, options), **an_unknown(random, options)}
    if kind == 3:
        question = random.choice(list(SEVERAL))
        options = SEVERAL[question]
        return {"question": question, "overlaps": some_of(random, options), **an_unknown(random, options)}
    if kind in (4, 5):
        question = random.choice(list(NUMBERS))
        return {"question": question, **a_span(random, NUMBERS[question]), **a_margin(random, 4)}
    if kind == 6:
        return {"age": a_span(random, 70), **a_margin(random, 3)}
    if kind == 7:
        return {"age_months": a_span(random, 40), **a_margin(random, 12)}
    if kind == 8:
        return {"region": random.choice(["licensed", some_of(random, REGIONS)])}
    if kind == 9:
        return {"budget": some_of(random, BUDGETS), **an_unknown(random, BUDGETS)}
    if kind == 10:
        return {"language": "spoken"}
    if random.random() < 0.4:
        return {"distance": "travel"}
    number, unit = random.choice([10, 24, 30, 90, 100, 150, 1700, 2000]), random.choice(["miles", "km"])
    return {"distance": f"{number} {unit}", **a_margin(random, 60)}


def a_tree(random: Random, depth: int, used: list[dict[str, Any]]) -> dict[str, Any]:
    """A criterion at most `depth` groups deep. Some leaves were `used` before: programs share their planes."""
    if depth == 0 or random.random() < 0.5:
        if used and random.random() < 0.3:
            return dict(random.choice(used))
        used.append(a_leaf(random))
        return dict(used[-1])
    join = random.choice(["all", "any", "none"])
    return {join: [a_tree(random, depth - 1, used) for _ in range(random.randint(1, 3))]}


def trees(random: Random, used: list[dict[str, Any]], at_least: int, at_most: int) -> list[dict[str, Any]]:
    return [a_tree(random, random.randint(0, 4), used) for _ in range(random.randint(at_least, at_most))]


def a_program(random: Random, program_id: str, used: list[dict[str, Any]], expert_rules: float) -> dict[str, Any]:
    """A study with inclusion and exclusion, or a clinic; with preferences and rules for the expert, or without."""
    other: dict[str, Any] = {"id": program_id}
    if random.random() > 1 - expert_rules:
        other["review_if"] = trees(random, used, 1, 2)
    prefer = [tree | {"weight": random.randint(1, 100)} for tree in trees(random, used, 0, 3)]
    if random.random() < 0.5:
        return program(trees(random, used, 1, 3), prefer, **other)
    other |= {
        "kind": "study",
        "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
        "inclusion": trees(random, used, 1, 2),
        "exclusion": trees(random, used, 0, 2),
    }
    return program(trees(random, used, 0, 1), prefer, **other)


def a_provider(random: Random, provider_id: str, programs: list[dict[str, Any]]) -> ProviderDocument:
    locations = [
        {"id": f"at-{number}", "city": "Somewhere", "country": country, "postal_code": postal_code}
        for number, (country, postal_code) in enumerate(random.sample(PLACES, random.randint(1, 3)))
    ]
    other: dict[str, Any] = {}
    if random.random() > 0.9:
        other["availability"] = {"paused": True}
    if random.random() > 0.8:
        expires_on = random.choice([RECEIVED - timedelta(days=2), RECEIVED + timedelta(days=400)])
        other["credentials"] = [{"name": "Licence", "number": "L-1", "expires_on": expires_on.isoformat()}]
    return provider(
        *programs,
        id=provider_id,
        name=provider_id,
        languages=some_of(random, ["en", "es", "fr"]),
        licensed_in=some_of(random, REGIONS, at_least=0),
        locations=locations,
        **other,
    )


def a_network(
    random: Random, most_providers: int = 4, most_programs: int = 2, expert_rules: float = 0.15
) -> list[ProviderDocument]:
    """`expert_rules` is how likely a program has rules that ask for an expert."""
    used: list[dict[str, Any]] = []
    network = []
    for number in range(random.randint(1, most_providers)):
        programs = range(random.randint(1, most_programs))
        offered = [a_program(random, f"program-{each}", used, expert_rules) for each in programs]
        network.append(a_provider(random, f"provider-{number}", offered))
    return network


def some_answers(random: Random, *, malformed: bool = True) -> dict[str, Answer]:
    """What somebody answered: most questions, decisively or not, now and then something that cannot be read."""
    missing = random.choice([0.0, 0.1, 0.4])
    answers: dict[str, Answer] = {
        question: random.choice(options) for question, options in ANSWERABLE.items() if random.random() >= missing
    }
    if answers.get("condition") == "other" and random.random() < 0.8:
        answers["condition"] = "lupus"
    for question, options in SEVERAL.items():
        if random.random() >= missing:
            answers[question] = some_of(random, options)
    if "none" in answers.get("contraindications", []) and random.random() < 0.9:  # type: ignore[operator]
        answers["contraindications"] = ["none"]
    if malformed and random.random() > 0.8:
        question = random.choice(list(MALFORMED))
        answers[question] = random.choice(MALFORMED[question])
    return answers


def some_standings(random: Random, documents: list[ProviderDocument]) -> dict[str, Standing]:
    """How some of the providers stand; few different values, so that there are ties at every step."""
    return {
        document.id: Standing(
            last_offered_at=random.choice([None, NOW, NOW - timedelta(days=3)]),
            month_referrals=random.randint(0, 3),
            target_per_month=random.choice([None, 2, 4]),
        )
        for document in documents
        if random.random() < 0.8
    }


RANDOMS = st.randoms(use_true_random=False)

MANY = 200
"""Seeds to try: quick, and more varied than what Hypothesis draws."""

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
"""What Hypothesis draws is slower; it finds the odd extreme, and shrinks it."""
