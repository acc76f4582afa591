"""Outcome, reasons, matches and explanation of whole submissions against small networks."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from config.providers import ProviderDocument, load_providers
from pipeline.scoring import Network, Outcome, score
from pipeline.scoring.facts import Answer
from pipeline.scoring.rank import Standing
from tests.config.shipped import ANSWERS as SHIPPED_ANSWERS
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.judging import NOW, RECEIVED
from tests.pipeline.scoring.network_files import program, provider, version_id

ANSWERS: dict[str, Answer] = {
    "condition": "fibromyalgia",
    "severity": 5,
    "contraindications": ["none"],
    "treatment_goals": ["less_pain"],
    "diagnosis_confirmed": "in_progress",
    "country": "MX",
}
CONDITION = {"question": "condition", "one_of": ["fibromyalgia", "lupus"]}
SAFE = {"question": "contraindications", "none_of": ["pregnancy"]}
LONG = {"question": "onset_months", "at_least": 6}
NEARLY = {"question": "severity", "at_least": 6, "borderline": 1}
CONFIRMED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
NEAR = {"distance": "100 miles"}
IN_MEXICO = {"locations": [{"id": "centro", "city": "Ciudad de México", "country": "MX", "postal_code": "01000"}]}
AFRAID = {"question": "severity", "at_least": 5}
MANY = [f"provider-{number:02}" for number in range(70)]


def network(*documents: ProviderDocument, **standings: Standing) -> Network:
    versions = [(version_id(document.id), document) for document in documents]
    return Network.of(versions, {name.replace("_", "-"): standing for name, standing in standings.items()})


@pytest.mark.parametrize(
    ("changed", "require", "outcome", "reasons"),
    [
        ({}, [CONDITION, SAFE], "candidate", ()),
        ({"condition": "autism"}, [CONDITION, SAFE], "no_match", ()),
        ({"contraindications": ["pregnancy"]}, [CONDITION, SAFE], "no_match", ()),
        ({}, [CONDITION, LONG], "needs_review", ("information_missing",)),
        ({"condition": "autism"}, [CONDITION, LONG], "no_match", ()),
        ({}, [CONDITION, NEARLY], "needs_review", ("borderline",)),
        ({}, [CONDITION, NEARLY, LONG], "needs_review", ("borderline", "information_missing")),
        ({"condition": "autism"}, [CONDITION, NEARLY], "no_match", ()),
        ({}, [{"any": [CONDITION, NEARLY]}], "candidate", ()),  # it decides nothing
        ({}, [CONDITION, CONFIRMED], "needs_review", ("information_missing",)),  # may be answered anew
        ({}, [CONDITION, NEAR], "needs_review", ("not_decidable",)),  # no points in Mexico
        ({"country": "US"}, [CONDITION, NEAR], "no_match", ()),
        ({"condition": "other"}, [SAFE], "needs_review", ("free_text_condition",)),
        ({"condition": "other"}, [CONDITION], "needs_review", ("free_text_condition",)),
        ({"condition": "other"}, [LONG], "needs_review", ("free_text_condition", "information_missing")),
        ({"condition": "other", "severity": 1}, [AFRAID], "needs_review", ("free_text_condition",)),
        ({"contraindications": ["none", "anticoagulants"]}, [CONDITION], "needs_review", ("contradiction",)),
        ({"contraindications": ["none", "pregnancy"]}, [CONDITION, SAFE], "needs_review", ("contradiction",)),
        ({"contraindications": ["none", "none"]}, [CONDITION, SAFE], "candidate", ()),
        ({"contraindications": ["anticoagulants", "active_cancer"]}, [CONDITION, SAFE], "candidate", ()),
    ],
)
def test_outcome_of_one_program(
    changed: dict[str, Answer], require: list[dict[str, Any]], outcome: str, reasons: tuple[str, ...]
) -> None:
    assessment = score(ANSWERS | changed, network(provider(program(require), **IN_MEXICO)), RECEIVED, NOW)
    assert (assessment.outcome, assessment.review_reasons) == (outcome, reasons)
    assert (assessment.explanation["o"], assessment.explanation["w"]) == (outcome, list(reasons))
    assert bool(assessment.matches) == (assessment.outcome is Outcome.CANDIDATE)
    assert assessment.questions == () or assessment.outcome is Outcome.NEEDS_REVIEW


def test_one_fitting_program_makes_a_candidate_beside_open_ones() -> None:
    open_ones = [provider(program([CONDITION, each]), id=f"open-{place}") for place, each in enumerate((LONG, NEARLY))]
    assessment = score(ANSWERS, network(*open_ones, provider(program([CONDITION]))), RECEIVED, NOW)
    assert [match.provider_id for match in assessment.matches] == ["blue-mesa"]
    assert (assessment.outcome, assessment.questions) == (Outcome.CANDIDATE, ())


@pytest.mark.parametrize(
    ("require", "rule", "outcome", "reasons"),
    [
        ([CONDITION], [AFRAID], "needs_review", ("expert_rule",)),
        ([CONDITION], [LONG], "needs_review", ("expert_rule",)),  # unknown is not no
        ([SAFE, LONG], [AFRAID], "needs_review", ("information_missing",)),  # not eligible yet
        ([{"question": "severity", "at_least": 9}], [AFRAID], "no_match", ()),
    ],
)
def test_an_expert_rule_is_for_who_is_eligible(
    require: list[dict[str, Any]], rule: list[dict[str, Any]], outcome: str, reasons: tuple[str, ...]
) -> None:
    assessment = score(ANSWERS, network(provider(program(require, review_if=rule))), RECEIVED, NOW)
    assert (assessment.outcome, assessment.review_reasons) == (outcome, reasons)
    assert bool(assessment.matches) is (assessment.outcome is Outcome.CANDIDATE)


def test_a_closed_provider_is_explained_and_neither_matched_nor_waited_for() -> None:
    expired = [{"name": "Licence", "number": "L-1", "expires_on": "2026-11-21"}]
    documents = [
        provider(program([CONDITION], review_if=[AFRAID]), id="paused", availability={"paused": True}),
        provider(program([CONDITION, LONG]), id="expired", credentials=expired),
    ]
    alone = score(ANSWERS, network(*documents), RECEIVED, NOW)
    assert (alone.outcome, alone.matches, alone.questions) == (Outcome.NO_MATCH, (), ())
    closed = {told["p"]: (told.get("a"), told["g"][0]["r"]) for told in alone.explanation["p"]}
    assert closed == {"paused": ("paused", "m"), "expired": ("credential_expired", "u")}
    beside_another = score(ANSWERS, network(*documents, provider(program([CONDITION]))), RECEIVED, NOW)
    assert [match.provider_id for match in beside_another.matches] == ["blue-mesa"]
    assert "a" not in beside_another.explanation["p"][0]


def test_the_moment_decides_who_is_closed_and_the_day_of_receipt_how_old_somebody_is() -> None:
    document = provider(
        program([{"age": {"at_least": 18}}]),
        credentials=[{"name": "Licence", "number": "L-1", "expires_on": "2026-11-22"}],
    )
    adult: dict[str, Answer] = {"date_of_birth": "2008-11-22"}
    midnight_in_denver = datetime(2026, 11, 23, 7, tzinfo=UTC)
    for received_on, at, outcome in [
        (date(2026, 11, 22), NOW, "candidate"),
        (date(2026, 11, 21), NOW, "no_match"),
        (date(2026, 11, 22), midnight_in_denver - timedelta(seconds=1), "candidate"),
        (date(2026, 11, 22), midnight_in_denver, "no_match"),
        (date(2036, 11, 22), NOW, "candidate"),
    ]:
        assert score(adult, network(document), received_on, at).outcome == outcome, (received_on, at)


def test_a_provider_is_matched_once_with_its_best_program() -> None:
    goals = {"question": "treatment_goals", "overlaps": ["less_pain"]}
    plain, better = program([CONDITION], id="plain"), program([CONDITION], [goals], id="better")
    also = program([CONDITION], [goals], id="also")
    [match] = score(ANSWERS, network(provider(plain, better, also)), RECEIVED, NOW).matches
    assert (match.program_id, match.score, match.rank) == ("better", 100, 1)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_score_of_nought_is_a_match_like_any(position: int) -> None:
    """Whatever the program's place in the provider's list."""
    unfit = program([{"question": "severity", "at_least": 9}])
    programs = [unfit | {"id": f"unfit-{number}"} for number in range(position)]
    programs.append(program([CONDITION], [{"question": "severity", "at_least": 9}], id="fitting"))
    [match] = score(ANSWERS, network(provider(*programs)), RECEIVED, NOW).matches
    assert (match.program_id, match.score) == ("fitting", 0)


def test_ties_go_to_the_longest_wait_then_to_the_lowest_share_of_target_then_to_the_id() -> None:
    names = ["echo", "delta", "bravo", "alpha", "charlie"]
    since = datetime(2026, 11, 1, tzinfo=UTC)
    waiting = network(
        *(provider(program([CONDITION]), id=name) for name in names),
        alpha=Standing(since),
        bravo=Standing(since - timedelta(microseconds=1)),
        charlie=Standing(since),
        echo=Standing(since, month_referrals=1, target_per_month=3),
    )
    ranked = [(match.provider_id, match.rank) for match in score(ANSWERS, waiting, RECEIVED, NOW).matches]
    assert ranked == [("delta", 1), ("bravo", 2), ("echo", 3), ("alpha", 4), ("charlie", 5)]
    refreshed = waiting.with_standings({})
    assert [match.provider_id for match in score(ANSWERS, refreshed, RECEIVED, NOW).matches] == sorted(names)
    again = [match.provider_id for match in score(ANSWERS, waiting, RECEIVED, NOW).matches]
    assert again == [name for name, _ in ranked], "the first network keeps its standings"


def test_of_sixty_that_fit_alike_the_longest_waiting_are_matched_and_explained() -> None:
    names = [f"provider-{number:02}" for number in range(60)]
    offered = {name: Standing(NOW - timedelta(hours=number)) for number, name in enumerate(names)}
    versions = [(version_id(name), provider(program([CONDITION]), id=name)) for name in names]
    assessment = score(ANSWERS, Network.of(versions, offered), RECEIVED, NOW)
    assert [match.provider_id for match in assessment.matches] == names[:34:-1]
    told = {entry["p"] for entry in assessment.explanation["p"]}
    assert {match.provider_id for match in assessment.matches} <= told
    assert (len(told), assessment.explanation["z"]) == (50, 10)


def test_the_explanation_names_every_criterion_of_every_version() -> None:
    tree = {"any": [LONG | {"id": "lasting"}, {"question": "severity", "at_least": 4}]}
    mild = {"weight": 1, "question": "severity", "at_most": 5}
    documents = [
        provider(program([CONDITION, tree], [mild])),
        provider(program([SAFE, LONG, NEARLY], review_if=[AFRAID | {"id": "afraid"}]), id="other-one"),
        provider(program([SAFE]), id="paused", availability={"paused": True}),
    ]
    versions = [(version_id(document.id), document) for document in documents]
    denver_time = NOW.astimezone(ZoneInfo("America/Denver"))
    explanation = score(ANSWERS, Network.of(versions, revision=42), RECEIVED, denver_time).explanation
    assert json.loads(json.dumps(explanation)) == {
        "d": "2026-11-22",
        "t": "2026-11-22T18:30:00+00:00",
        "n": 42,
        "o": "candidate",
        "w": [],
        "z": 0,
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
                "g": [
                    {
                        "g": "clinic",
                        "r": "u",
                        "s": 50,
                        "q": {"onset_months": "onset_months"},
                        "c": {"contraindications": "m", "onset_months": "u", "severity": "b", "afraid": "m"},
                        "x": 1,
                    }
                ],
            },
            {
                "p": "paused",
                "v": str(version_id("paused")),
                "a": "paused",
                "g": [{"g": "clinic", "r": "m", "s": 50, "c": {"contraindications": "m"}}],
            },
        ],
    }


def test_a_network_holds_one_version_of_a_provider() -> None:
    with pytest.raises(ValueError, match="at most one version"):
        network(provider(program([CONDITION])), provider(program([SAFE])))


def test_a_network_knows_the_documents_in_force() -> None:
    document = provider(program([CONDITION]))
    assert network(document).document(version_id("blue-mesa")) is document
    with pytest.raises(KeyError):
        network(document).document(uuid4())


def test_an_installation_without_providers_matches_nobody() -> None:
    assessment = score(ANSWERS, network(), RECEIVED, NOW)
    assert (assessment.outcome, assessment.matches, assessment.explanation["p"]) == (Outcome.NO_MATCH, (), [])
    in_own_words = score(ANSWERS | {"condition": "other"}, network(), RECEIVED, NOW)
    assert in_own_words.outcome is Outcome.NEEDS_REVIEW


def test_answers_that_were_never_validated_are_not_known() -> None:
    """`careroute score FILE` reads what somebody wrote."""
    odd: dict[str, Answer] = {"travel": ["local"], "date_of_birth": 19800101, "country": 7, "severity": ["5"]}
    criteria: list[dict[str, Any]] = [{"distance": "travel"}, {"age": {"at_least": 1}}, {"region": ["US-TX"]}, AFRAID]
    assessment = score(odd, network(provider(program(criteria))), RECEIVED, NOW)
    [entry] = assessment.explanation["p"][0]["g"]
    assert set(entry["c"].values()) == {"u"}


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
    assert len(score(answers, sample, RECEIVED, NOW).matches) >= 6
    assert len(score(answers | {"travel": "regional"}, sample, RECEIVED, NOW).matches) >= 3
    refused = score(answers | {"contraindications": ["active_cancer"]}, sample, RECEIVED, NOW)
    assert refused.outcome is Outcome.NO_MATCH


def test_the_sample_network_has_nobody_for_some_conditions(sample: Network) -> None:
    for condition in ("autism", "hair_loss", "alzheimer_disease"):
        assert score(SHIPPED_ANSWERS | {"condition": condition}, sample, RECEIVED, NOW).outcome is Outcome.NO_MATCH


def test_who_is_told_does_not_hang_on_whose_turn_it_is() -> None:
    """Seventy equals: the twenty-five of the longest wait are matched, and the same can be told again from them."""
    versions = {version_id(name): provider(program([CONDITION]), id=name) for name in MANY}
    first = Network.of(versions.items())
    offered = {name: Standing(last_offered_at=NOW) for name in MANY[:30]}
    later = first.with_standings(offered)
    early, late = (score(ANSWERS, each, RECEIVED, NOW) for each in (first, later))
    assert {match.provider_id for match in early.matches} == set(MANY[:25])
    assert {match.provider_id for match in late.matches} == set(MANY[30:55])
    matched = {(match.provider_version_id, match.program_id) for match in late.matches}
    assert score(ANSWERS, first, RECEIVED, NOW, matched).explanation == late.explanation


def test_of_many_in_doubt_the_best_are_told_and_every_question_is_put() -> None:
    doubtful = [provider(program([LONG]), id=name) for name in MANY]
    best = provider(
        program([{"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}], [CONDITION]),
        id="zz-last",
    )
    assessment = score(ANSWERS, network(*doubtful, best), RECEIVED, NOW)
    assert "zz-last" in {each["p"] for each in assessment.explanation["p"]}
    assert set(assessment.questions) == {"onset_months", "diagnosis_confirmed"}


def test_what_is_borderline_shows_however_many_are_in_doubt() -> None:
    doubtful = [provider(program([LONG], [CONDITION]), id=name) for name in MANY]
    missed = provider(program([{"question": "severity", "at_least": 7, "borderline": 9}]), id="zz-last")
    assessment = score(ANSWERS, network(*doubtful, missed), RECEIVED, NOW)
    assert assessment.review_reasons == ("borderline", "information_missing")
