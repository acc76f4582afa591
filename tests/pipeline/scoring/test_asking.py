"""The questions put to a person are exactly those that would decide a program: none too few, none in vain."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given

from config.criteria import leaves
from config.providers import Program, ProviderDocument
from pipeline.scoring import Network, score
from tests.pipeline.scoring import naive
from tests.pipeline.scoring.network_files import program, provider, version_id
from tests.pipeline.scoring.strategies import (
    ANSWERABLE,
    FEW,
    MANY,
    NOW,
    RANDOMS,
    RECEIVED,
    SEVERAL,
    a_network,
    some_answers,
)


def asked(document: ProviderDocument, answers: naive.Answers) -> dict[str, dict[str, str]]:
    """For each program that needs information: the questions, each with the criterion it is about."""
    explanation = score(answers, Network.of([(version_id(document.id), document)]), RECEIVED, NOW).explanation
    return {told["g"]: told["q"] for told in explanation["p"][0]["g"] if told["r"] == "u"}


def decisive_answers(its: Program) -> dict[str, list[naive.Answer]]:
    """Answers that no criterion of the program leaves open."""
    undecided = {"other", "00000", "09012", "01000"}
    for criterion in (*its.eligibility,):
        for _, leaf in leaves(criterion):
            undecided |= set(getattr(leaf, "unknown", ()))
    options = ANSWERABLE | {question: [[option] for option in options] for question, options in SEVERAL.items()}
    return {
        question: [each for each in possible if not undecided & set(each if isinstance(each, list) else [str(each)])]
        for question, possible in options.items()
    }


def check_when_all_is_answered_only_an_expert_is_left(random: Random) -> None:
    [document] = a_network(random, most_providers=1, most_programs=1)
    answers = some_answers(random)
    [its] = document.programs
    questions = asked(document, answers).get(its.id)
    possible = decisive_answers(its)
    if questions is None or not all(possible[question] for question in questions):
        return
    answered = answers | {question: random.choice(possible[question]) for question in questions}
    left = asked(document, answered).get(its.id, {})
    assert left == {}
    if its.id in asked(document, answered):
        letters = dict(naive.letters_of(its, document, answered, RECEIVED))
        own_words = answered.get("condition") == "other"
        abroad_or_nowhere = {"distance", "region"} & {name.split("_")[0] for name in letters}
        assert "b" in letters.values() or own_words or abroad_or_nowhere, (answered, letters)


def check_an_answer_raises_no_new_question(random: Random) -> None:
    [document] = a_network(random, most_providers=1)
    answers = some_answers(random)
    for program_id, questions in asked(document, answers).items():
        everything = some_answers(random, malformed=False)
        answered = answers | {question: everything[question] for question in questions if question in everything}
        again = asked(document, answered).get(program_id, {})
        assert set(again) <= set(questions), (program_id, questions, again)


def check_the_criterion_beside_a_question_is_open(random: Random) -> None:
    """`q` names the criterion whose own wording the question may have."""
    [document] = a_network(random, most_providers=1)
    answers = some_answers(random)
    for program_id, questions in asked(document, answers).items():
        letters = dict(naive.letters_of(document.program(program_id), document, answers, RECEIVED))
        assert {letters[criterion] for criterion in questions.values()} <= {"u"}


# Criteria about different things, each of which can turn out either way: then every open one can matter.
INDEPENDENT: list[list[dict[str, Any]]] = [
    [{"question": "condition", "one_of": ["lupus"]}, {"question": "condition", "none_of": ["lupus"]}],
    [{"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}],
    [{"question": "severity", "at_least": 5, "borderline": 1}, {"question": "severity", "at_most": 5}],
    [{"question": "contraindications", "none_of": ["pregnancy"]}],
    [{"question": "treatment_interests", "overlaps": ["msc_adipose"], "unknown": ["undecided"]}],
    [{"budget": ["over_20000"], "unknown": ["undecided"]}],
    [{"language": "spoken"}],
    [{"age": {"at_least": 18}}, {"age_months": {"at_most": 24}, "borderline": 6}],
    [
        {"distance": "30 miles"},
        {"distance": "travel"},
        {"distance": "100 km", "borderline": 20},
        {"region": ["US-TX"]},
        {"region": ["MX"]},
        {"region": ["US", "MX"]},
        {"region": ["US-TX", "MX"]},
        {"region": "licensed"},
    ],
]
PLACES = [[("US", "80202")], [("MX", "01000")], [("US", "80202"), ("MX", "01000")]]


def a_tree_of(random: Random, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A tree with each of these leaves once."""
    if len(parts) == 1 and random.random() < 0.8:
        return parts[0]
    cuts = sorted(random.sample(range(1, len(parts)), random.randint(0, len(parts) - 1)))
    if not cuts and len(parts) > 1:
        cuts = [1]
    groups = [parts[start:end] for start, end in zip([0, *cuts], [*cuts, len(parts)], strict=True)]
    return {random.choice(["all", "any", "none"]): [a_tree_of(random, group) for group in groups]}


def matters(its: Program, document: ProviderDocument, answers: naive.Answers, question: str, others: list[str]) -> bool:
    """Whether an answer to the question can change the verdict, whatever is answered to the others."""
    random = Random(0)
    possible = decisive_answers(its)
    known = {name: answer for name, answer in answers.items() if name != question}

    def verdict(given_answers: Mapping[str, naive.Answer]) -> str:
        return naive.eligible(its, document, given_answers, RECEIVED)

    for _ in range(5000):
        around = known | {other: random.choice(possible[other]) for other in others}
        answer = random.choice(possible[question])
        if verdict(around) == "u" and verdict(around | {question: answer}) != "u":
            return True
    return False


def check_no_question_is_asked_in_vain(random: Random) -> None:
    subjects = random.sample(INDEPENDENT, random.randint(1, 4))
    parts = [random.choice(variants) for variants in subjects]
    # No distance can be told in Mexico: there such a criterion is never met.
    places = [where for where in PLACES if where != [("MX", "01000")] or all("distance" not in part for part in parts)]
    tree = a_tree_of(random, parts)
    locations = [
        {"id": f"at-{number}", "city": "Somewhere", "country": country, "postal_code": postal_code}
        for number, (country, postal_code) in enumerate(random.choice(places))
    ]
    document = provider(program([tree]), locations=locations, licensed_in=random.choice([["US-TX"], ["MX"]]))
    [its] = document.programs
    answers = some_answers(random)
    answers = {name: answer for name, answer in answers.items() if random.random() < 0.5 and answer != "other"}
    if "country" not in answers:
        # The form requires it. A ZIP code without it can rule a place out that is still taken for open.
        answers.pop("postal_code", None)
    questions = asked(document, answers).get(its.id, {})
    for question in questions:
        others = [other for other in questions if other != question]
        assert matters(its, document, answers, question, others), (question, questions, answers)


CHECKS = [
    check_when_all_is_answered_only_an_expert_is_left,
    check_an_answer_raises_no_new_question,
    check_the_criterion_beside_a_question_is_open,
    check_no_question_is_asked_in_vain,
]


@pytest.mark.parametrize("check", CHECKS)
def test_asking(check: Callable[[Random], None]) -> None:
    for seed in range(MANY):
        check(Random(seed))
    FEW(given(RANDOMS)(check))()


def test_the_questions_of_the_assessment_are_those_of_open_providers() -> None:
    lasting, severe = {"question": "onset_months", "at_least": 6}, {"question": "severity", "at_least": 3}
    documents = [
        provider(program([lasting, severe]), id="first"),
        provider(program([lasting, {"budget": ["over_20000"]}]), id="second", availability={"paused": True}),
        provider(program([severe, {"question": "sex_at_birth", "equals": "female"}]), id="third"),
    ]
    network = Network.of([(version_id(document.id), document) for document in documents])
    open_ones = score({}, network, RECEIVED, NOW)
    assert (open_ones.outcome, open_ones.review_reasons) == ("needs_review", ("information_missing",))
    assert open_ones.questions == ("onset_months", "severity", "sex_at_birth")
    refused = score({"severity": 1}, network, RECEIVED, NOW)
    assert (refused.outcome, refused.questions) == ("no_match", ())
    fitting = score({"severity": 5, "onset_months": 9}, network, RECEIVED, NOW)
    assert (fitting.outcome, fitting.questions) == ("candidate", ())


def at(country: str, postal_code: str) -> dict[str, list[dict[str, str]]]:
    return {"locations": [{"id": "only", "city": "Somewhere", "country": country, "postal_code": postal_code}]}


DENVER, MEXICO = at("US", "80202"), at("MX", "01000")
SEVERE, LASTING = {"question": "severity", "at_least": 6, "borderline": 1}, {"question": "onset_months", "at_least": 6}
CONFIRMED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
LUPUS, PAYS = {"question": "condition", "none_of": ["lupus"]}, {"budget": ["over_20000"], "unknown": ["undecided"]}
TRAVEL, NEAR = {"distance": "travel"}, {"distance": "30 miles"}


@pytest.mark.parametrize(
    ("criterion", "where", "answers", "questions"),
    [
        (SEVERE, DENVER, {}, "severity"),
        (SEVERE, DENVER, {"severity": "five"}, "severity"),
        (SEVERE, DENVER, {"severity": 5}, ""),  # inside the margin: an expert decides
        ({"age": {"at_least": 18}}, DENVER, {}, "date_of_birth"),
        ({"age_months": {"at_most": 9}}, DENVER, {"date_of_birth": "last year"}, "date_of_birth"),
        ({"age": {"at_least": 18}, "borderline": 1}, DENVER, {"date_of_birth": "2009-01-01"}, ""),
        (LUPUS, DENVER, {}, "condition"),
        (LUPUS, DENVER, {"condition": "other"}, ""),  # said already, in own words
        (CONFIRMED, DENVER, {}, "diagnosis_confirmed"),
        (
            CONFIRMED,
            DENVER,
            {"diagnosis_confirmed": "in_progress"},
            "diagnosis_confirmed",
        ),  # the results may be there now
        (PAYS, DENVER, {"budget": "undecided"}, "budget"),
        ({"language": "spoken"}, DENVER, {}, "language"),
        (NEAR, DENVER, {}, "country postal_code"),
        (NEAR, DENVER, {"country": "US"}, "postal_code"),
        (NEAR, DENVER, {"country": "US", "postal_code": "00000"}, ""),
        (NEAR, DENVER, {"country": "GU"}, "postal_code"),
        (NEAR, MEXICO, {}, "country"),
        (NEAR, MEXICO, {"country": "MX"}, ""),  # no points there
        (
            NEAR,
            at("US", "09012"),
            {"country": "US", "postal_code": "80202"},
            "",
        ),  # the clinic's own ZIP code is at fault
        (NEAR | {"borderline": 9}, DENVER, {"country": "US", "postal_code": "80903"}, None),
        (NEAR | {"borderline": 40}, DENVER, {"country": "US", "postal_code": "80903"}, ""),
        (TRAVEL, DENVER, {}, "travel country postal_code"),
        (TRAVEL, DENVER, {"country": "US"}, "travel postal_code"),
        (TRAVEL, DENVER, {"country": "US", "postal_code": "80302"}, "travel"),
        (TRAVEL, DENVER, {"travel": "local"}, "country postal_code"),
        (TRAVEL, DENVER, {"travel": "national"}, "country"),
        (TRAVEL, DENVER, {"travel": "regional", "country": "US"}, "postal_code"),
        (TRAVEL, MEXICO, {"country": "US"}, "travel"),
        (TRAVEL, MEXICO, {"country": "MX", "travel": "local"}, ""),
        ({"region": ["US-TX"]}, DENVER, {}, "country postal_code"),
        ({"region": ["US-TX"]}, DENVER, {"country": "US"}, "postal_code"),
        ({"region": "licensed"}, DENVER, {"country": "US"}, "postal_code"),
        ({"region": ["MX"]}, DENVER, {}, "country"),
        ({"region": ["US", "US-TX"]}, DENVER, {}, "country"),
        # groups: only what the verdict hangs on
        ({"all": [SEVERE, LASTING]}, DENVER, {"severity": 9}, "onset_months"),
        ({"all": [SEVERE, LASTING]}, DENVER, {"severity": 1}, None),
        ({"any": [{"all": [SEVERE, LASTING]}, PAYS]}, DENVER, {"severity": 1}, "budget"),
        ({"any": [{"all": [SEVERE, LASTING]}, PAYS]}, DENVER, {"severity": 9}, "onset_months budget"),
        ({"all": [{"any": [SEVERE, LASTING]}, PAYS]}, DENVER, {"severity": 9}, "budget"),
        ({"none": [{"all": [SEVERE, LASTING]}, PAYS]}, DENVER, {"severity": 1}, "budget"),
        ({"none": [{"any": [SEVERE, LASTING]}, PAYS]}, DENVER, {}, "severity onset_months budget"),
        ({"all": [SEVERE, LASTING]}, DENVER, {"severity": 5}, "onset_months"),
    ],
)
def test_what_is_asked(
    criterion: dict[str, Any], where: dict[str, Any], answers: dict[str, naive.Answer], questions: str | None
) -> None:
    """`None` for a program that is decided."""
    document = provider(program([criterion]), licensed_in=["US-TX"], **where)
    found = asked(document, answers).get("clinic")
    assert (found is None) is (questions is None)
    assert set(found or ()) == set((questions or "").split())


def test_each_question_stands_beside_the_criterion_that_asks_it_first() -> None:
    named = [SEVERE | {"id": "grave"}, LASTING | {"id": "lasting"}, LASTING | {"id": "chronic", "at_least": 24}]
    assert asked(provider(program(named)), {}) == {"clinic": {"severity": "grave", "onset_months": "lasting"}}
