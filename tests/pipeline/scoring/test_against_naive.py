"""The compiled engine says what the naive interpreter says, criterion by criterion, on random networks and people."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given

from config.providers import ProviderDocument
from pipeline.scoring import Assessment, Network, score
from pipeline.scoring.rank import Standing
from tests.pipeline.scoring import naive
from tests.pipeline.scoring.network_files import program, provider, version_id
from tests.pipeline.scoring.strategies import (
    FEW,
    MANY,
    NOW,
    RANDOMS,
    RECEIVED,
    a_network,
    some_answers,
    some_standings,
)


def versions(documents: Sequence[ProviderDocument]) -> list[tuple[Any, ProviderDocument]]:
    return [(version_id(document.id), document) for document in documents]


def explained(assessment: Assessment) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (provider_told["p"], told["g"]): told | {"closed": provider_told.get("a")}
        for provider_told in assessment.explanation["p"]
        for told in provider_told["g"]
    }


def check_explained(documents: Sequence[ProviderDocument], answers: naive.Answers, assessment: Assessment) -> None:
    """Everything the explanation says about a program is what the interpreter finds."""
    known = {(document.id, each.id): (each, document) for document in documents for each in document.programs}
    for name, told in explained(assessment).items():
        its, at_provider = known[name]
        letters = dict(naive.letters_of(its, at_provider, answers, RECEIVED))
        assert told["c"] == letters, (name, told["c"], letters)
        assert told["r"] == naive.eligible(its, at_provider, answers, RECEIVED), name
        assert told["s"] == naive.points(its, at_provider, answers, RECEIVED), name
        assert bool(told.get("x")) is naive.for_an_expert(its, at_provider, answers, RECEIVED), name
        assert bool(told["closed"]) is naive.is_closed(at_provider, NOW), name
        assert ("q" in told) is (told["r"] == "u"), name


def check(documents: Sequence[ProviderDocument], standings: dict[str, Standing], answers: naive.Answers) -> Assessment:
    assessment = score(answers, Network.of(versions(documents), standings), RECEIVED, NOW)
    check_explained(documents, answers, assessment)
    programs = sum(len(document.programs) for document in documents)
    assert len(explained(assessment)) == min(programs, 50)
    assert assessment.explanation["z"] == max(programs - 50, 0)
    assert assessment.outcome == naive.outcome(documents, answers, RECEIVED, NOW) == assessment.explanation["o"]
    assert bool(assessment.review_reasons) is (assessment.outcome == "needs_review")
    ranked = naive.ranking(documents, standings, answers, RECEIVED, NOW) if assessment.outcome == "candidate" else []
    matched = [(match.provider_id, match.program_id, match.score) for match in assessment.matches]
    assert matched == ranked[:25]
    assert [match.rank for match in assessment.matches] == list(range(1, len(matched) + 1))
    assert all(match.provider_version_id == version_id(match.provider_id) for match in assessment.matches)
    return assessment


def check_small_networks(random: Random) -> None:
    documents = a_network(random, most_providers=3)
    check(documents, some_standings(random, documents), some_answers(random))


@pytest.mark.parametrize("seed", range(12))
def test_large_networks(seed: int) -> None:
    """More programs than a machine word has bits, and more than are explained."""
    random = Random(seed)
    documents = a_network(random, most_providers=60, most_programs=3, expert_rules=random.choice([0.0, 0.0, 0.15]))
    standings = some_standings(random, documents)
    for _ in range(12):
        check(documents, standings, some_answers(random))


def roomy_network(random: Random) -> list[ProviderDocument]:
    """Easy requirements and few different scores: many fit, many are in doubt, and ties abound."""
    easy: list[dict[str, Any]] = [
        {"question": "severity", "at_least": 3},
        {"question": "severity", "at_most": 9},
        {"question": "onset_months", "at_least": 6},
        {"question": "onset_months", "at_least": 6, "borderline": 4},
    ]
    prefer = [{"question": "severity", "at_least": 8, "weight": 2}, {"question": "severity", "at_least": 1}]
    return [
        provider(
            *(
                program(
                    random.sample(easy, random.randint(1, 2)), random.sample(prefer, random.randint(0, 2)), id=f"g{n}"
                )
                for n in range(random.randint(1, 3))
            ),
            id=f"provider-{number}",
            name=f"provider-{number}",
            availability={"paused": random.random() < 0.05},
        )
        for number in range(random.randint(20, 90))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_more_fit_than_are_matched_or_explained(seed: int) -> None:
    random = Random(seed)
    documents = roomy_network(random)
    standings = some_standings(random, documents)
    open_programs = {
        (document.id, each.id): (each, document)
        for document in documents
        if not naive.is_closed(document, NOW)
        for each in document.programs
    }
    for answers in ({"severity": 5, "onset_months": 3}, {"severity": 9}, {"onset_months": 7}, {"severity": 2}, {}):
        assessment = check(documents, standings, answers)
        told = explained(assessment)
        assert {(match.provider_id, match.program_id) for match in assessment.matches} <= set(told)
        letters = {
            name: naive.eligible(its, at_provider, answers, RECEIVED)
            for name, (its, at_provider) in open_programs.items()
        }
        fits = {name for name, letter in letters.items() if letter == "m"}
        unclear = {name for name, letter in letters.items() if letter == "u"}
        assert fits <= set(told) or set(told) <= fits, "what fits is explained first"
        assert unclear <= set(told) or set(told) <= fits | unclear, "then what is in doubt"


def check_more_knowledge_never_takes_a_verdict_back(random: Random) -> None:
    """Answering a question that was left open decides what was unknown; it changes nothing that was decided."""
    network = Network.of(versions(a_network(random, most_providers=2)))
    everything = some_answers(random)
    hidden = {question for question in everything if random.random() < 0.4}
    before = {question: answer for question, answer in everything.items() if question not in hidden}
    told_before, told_after = (explained(score(known, network, RECEIVED, NOW)) for known in (before, everything))
    for name, told in told_before.items():
        after = told_after[name]
        if told["r"] != "u":
            assert after["r"] == told["r"], name
        for criterion, letter in told["c"].items():
            if letter != "u":
                assert after["c"][criterion] == letter, (name, criterion)


def check_the_same_bytes_in_whatever_order_things_come(random: Random) -> None:
    seed = random.randint(0, 2**32)
    documents = a_network(random)
    standings, answers = some_standings(random, documents), some_answers(random)

    def assess(order: Random) -> tuple[Assessment, str]:
        network = Network.of(
            order.sample(versions(documents), len(documents)),
            dict(order.sample(list(standings.items()), len(standings))),
            revision=7,
        )
        shuffled = dict(order.sample(list(answers.items()), len(answers)))
        assessment = score(shuffled, network, RECEIVED, NOW)
        return assessment, json.dumps(assessment.explanation)

    kept = dict(answers)
    assert assess(Random(seed)) == assess(Random(seed + 1))
    assert answers == kept


CHECKS = [
    check_small_networks,
    check_more_knowledge_never_takes_a_verdict_back,
    check_the_same_bytes_in_whatever_order_things_come,
]


@pytest.mark.parametrize("check", CHECKS)
def test_random_networks(check: Callable[[Random], None]) -> None:
    for seed in range(MANY):
        check(Random(seed))
    FEW(given(RANDOMS)(check))()
