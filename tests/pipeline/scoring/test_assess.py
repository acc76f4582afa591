"""Outcome, ranking and explanation of whole submissions against small networks."""

import json
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.providers import ProviderDocument, load_providers
from pipeline.scoring import Network, Outcome, score
from pipeline.scoring.facts import Answer
from tests.config.shipped import ANSWERS as SHIPPED_ANSWERS
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.network_files import program, provider, version_id

RECEIVED = date(2026, 11, 22)
ANSWERS: dict[str, Answer] = {
    "condition": "fibromyalgia",
    "severity": 5,
    "contraindications": ["none"],
    "treatment_goals": ["less_pain"],
}
CONDITION = {"question": "condition", "one_of": ["fibromyalgia", "lupus"]}
SAFE = {"question": "contraindications", "none_of": ["pregnancy"]}
LONG = {"question": "onset_months", "at_least": 6}


def network(*documents: ProviderDocument, **waiting_since: datetime) -> Network:
    versions = [(version_id(document.id), document) for document in documents]
    return Network.of(versions, {name.replace("_", "-"): since for name, since in waiting_since.items()})


@pytest.mark.parametrize(
    ("changed", "require", "outcome", "reasons"),
    [
        ({}, [CONDITION, SAFE], "candidate", ()),
        ({"condition": "autism"}, [CONDITION, SAFE], "no_match", ()),
        ({"contraindications": ["pregnancy"]}, [CONDITION, SAFE], "no_match", ()),
        ({}, [CONDITION, LONG], "needs_review", ("information_missing",)),
        ({"condition": "autism"}, [CONDITION, LONG], "no_match", ()),
        ({"condition": "other"}, [SAFE], "needs_review", ("free_text_condition",)),
        ({"condition": "other"}, [CONDITION], "needs_review", ("free_text_condition", "information_missing")),
        ({"contraindications": ["none", "anticoagulants"]}, [CONDITION], "needs_review", ("contradiction",)),
        ({"contraindications": ["none", "pregnancy"]}, [CONDITION, SAFE], "needs_review", ("contradiction",)),
    ],
)
def test_outcome(
    changed: dict[str, Answer], require: list[dict[str, Any]], outcome: str, reasons: tuple[str, ...]
) -> None:
    assessment = score(ANSWERS | changed, network(provider(program(require))), RECEIVED)
    assert (assessment.outcome, assessment.review_reasons) == (outcome, reasons)
    assert bool(assessment.matches) == (assessment.outcome is Outcome.CANDIDATE)


def test_one_fitting_program_makes_a_candidate_beside_open_ones() -> None:
    open_one = provider(program([CONDITION, LONG]), id="open-one")
    assessment = score(ANSWERS, network(open_one, provider(program([CONDITION]))), RECEIVED)
    assert [match.provider_id for match in assessment.matches] == ["blue-mesa"]
    assert assessment.outcome is Outcome.CANDIDATE


def test_a_provider_is_matched_once_with_its_best_program() -> None:
    goals = {"question": "treatment_goals", "overlaps": ["less_pain"]}
    plain, better = program([CONDITION], id="plain"), program([CONDITION], [goals], id="better")
    also = program([CONDITION], [goals], id="also")
    [match] = score(ANSWERS, network(provider(plain, better, also)), RECEIVED).matches
    assert (match.program_id, match.score, match.rank) == ("better", 100, 1)


MILD = {"weight": 1, "question": "severity", "at_most": 5}
GRAVE = {"weight": 2, "question": "severity", "at_least": 8}
SHORT = {"weight": 1, "question": "onset_months", "at_most": 5}


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ([], 50),
        ([MILD], 100),
        ([GRAVE], 0),
        ([SHORT], 50),
        ([MILD, GRAVE], 33),
        ([MILD, GRAVE, SHORT], 38),  # 1 of 4, and half of 1: 37.5 rounds up
    ],
)
def test_score_is_the_share_of_weight_and_the_unknown_counts_half(prefer: list[dict[str, Any]], expected: int) -> None:
    [match] = score(ANSWERS, network(provider(program([CONDITION], prefer))), RECEIVED).matches
    assert match.score == expected


def test_ties_go_to_the_longest_wait_and_then_to_the_id() -> None:
    names = ["delta", "bravo", "alpha", "charlie"]
    since = datetime(2026, 11, 1, tzinfo=UTC)
    waiting = network(
        *(provider(program([CONDITION]), id=name) for name in names),
        alpha=since, bravo=since - timedelta(days=1), charlie=since,
    )  # fmt: skip
    ranked = [(match.provider_id, match.rank) for match in score(ANSWERS, waiting, RECEIVED).matches]
    assert ranked == [("delta", 1), ("bravo", 2), ("alpha", 3), ("charlie", 4)]
    refreshed = waiting.with_waiting_since({})
    assert [match.provider_id for match in score(ANSWERS, refreshed, RECEIVED).matches] == sorted(names)


PREFERENCES = [[], [MILD], [GRAVE], [SHORT], [MILD, GRAVE]]
PROVIDERS = st.lists(
    st.tuples(st.sampled_from(PREFERENCES), st.none() | st.integers(0, 2)), min_size=1, max_size=6
).flatmap(lambda made: st.tuples(st.just(made), st.permutations(range(len(made)))))


@given(PROVIDERS)
def test_the_assessment_does_not_depend_on_any_order(made: Any) -> None:
    specifications, order = made
    documents = [
        (version_id(f"p{number}"), provider(program([CONDITION], prefer), id=f"p{number}"))
        for number, (prefer, _) in enumerate(specifications)
    ]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    waiting = {
        f"p{number}": start + timedelta(days=days)
        for number, (_, days) in enumerate(specifications)
        if days is not None
    }
    answers = deepcopy(ANSWERS)
    first = score(answers, Network.of(documents, waiting), RECEIVED)
    shuffled_answers = dict(reversed(answers.items()))
    shuffled = Network.of([documents[place] for place in order], dict(reversed(waiting.items())))
    assert score(shuffled_answers, shuffled, RECEIVED) == first
    assert answers == ANSWERS
    assert [match.rank for match in first.matches] == list(range(1, len(first.matches) + 1))
    assert sorted(first.matches, key=lambda match: -match.score) == list(first.matches)


def test_the_explanation_names_every_criterion_of_every_version() -> None:
    tree = {"any": [LONG | {"id": "lasting"}, {"question": "severity", "at_least": 4}]}
    documents = provider(program([CONDITION, tree], [MILD])), provider(program([SAFE]), id="other-one")
    explanation = score(ANSWERS, network(*documents), RECEIVED).explanation
    assert json.loads(json.dumps(explanation)) == {
        "d": "2026-11-22",
        "o": "candidate",
        "w": [],
        "p": [
            {
                "p": "blue-mesa",
                "v": str(version_id("blue-mesa")),
                "g": [
                    {
                        "g": "clinic",
                        "r": "m",
                        "s": 100,
                        "c": {"condition": "m", "lasting": "u", "severity": "m", "severity_2": "m"},
                    }
                ],
            },
            {
                "p": "other-one",
                "v": str(version_id("other-one")),
                "g": [{"g": "clinic", "r": "m", "s": 50, "c": {"contraindications": "m"}}],
            },
        ],
    }


def test_a_network_holds_one_version_of_a_provider() -> None:
    with pytest.raises(ValueError, match="at most one version"):
        network(provider(program([CONDITION])), provider(program([SAFE])))


@pytest.fixture(scope="module")
def sample() -> Network:
    providers = load_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS).providers
    return Network.of((version_id(document.id), document) for document in providers)


@pytest.mark.parametrize(
    "condition",
    ["fibromyalgia", "knee_osteoarthritis", "hip_osteoarthritis", "chronic_low_back_pain", "multiple_sclerosis"],
)
def test_the_sample_network_has_several_providers_for_common_conditions(sample: Network, condition: str) -> None:
    answers = SHIPPED_ANSWERS | {"condition": condition, "travel": "national"}
    assert len(score(answers, sample, RECEIVED).matches) >= 6
    assert len(score(answers | {"travel": "regional"}, sample, RECEIVED).matches) >= 3
    assert score(answers | {"contraindications": ["active_cancer"]}, sample, RECEIVED).outcome is Outcome.NO_MATCH


def test_the_sample_network_has_nobody_for_some_conditions(sample: Network) -> None:
    for condition in ("autism", "hair_loss", "alzheimer_disease"):
        assert score(SHIPPED_ANSWERS | {"condition": condition}, sample, RECEIVED).outcome is Outcome.NO_MATCH
