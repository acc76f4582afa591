"""From leaves to a program: groups, inclusion and exclusion, score, expert rules, names. Worked out by hand."""

from itertools import product
from typing import Any

import pytest

from config.providers import Program
from pipeline.scoring import Network, score
from pipeline.scoring.facts import Answer
from pipeline.scoring.trees import deciding, judge
from pipeline.scoring.verdict import Verdict
from tests.pipeline.scoring.judging import NOW, RECEIVED
from tests.pipeline.scoring.network_files import program, provider, version_id

STUDY: dict[str, Any] = {
    "kind": "study",
    "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
}


def told(its: dict[str, Any], answers: dict[str, Answer]) -> dict[str, Any]:
    document = provider(its)
    explanation = score(answers, Network.of([(version_id(document.id), document)]), RECEIVED, NOW).explanation
    entry: dict[str, Any] = explanation["p"][0]["g"][0]
    return entry


def leaf(letter: str, number: int) -> dict[str, Any]:
    """A criterion that the answers below leave met, not met, unknown or inside the margin."""
    limits = {"m": {"at_least": 5}, "n": {"at_least": 6}, "u": {"at_least": 5}, "b": {"at_least": 6, "borderline": 1}}
    return {"id": f"{letter}{number}", "question": "onset_months" if letter == "u" else "severity", **limits[letter]}


FIVE: dict[str, Answer] = {"severity": 5}

KLEENE = {
    # parts: all, any, none
    "m": "mmn",
    "n": "nnm",
    "u": "uuu",
    "mm": "mmn",
    "mn": "nmn",
    "mu": "umn",
    "nn": "nnm",
    "nu": "nuu",
    "uu": "uuu",
    "b": "uuu",
    "mb": "umn",
    "nb": "nuu",
    "ub": "uuu",
    "mnu": "nmn",
    "mmu": "umn",
    "nnu": "nuu",
}


@pytest.mark.parametrize(("parts", "verdicts"), KLEENE.items())
def test_groups_follow_kleenes_strong_logic(parts: str, verdicts: str) -> None:
    for join, expected in zip(("all", "any", "none"), verdicts, strict=True):
        for order in (parts, parts[::-1]):
            group = {join: [leaf(letter, number) for number, letter in enumerate(order)]}
            assert told(program([group]), FIVE)["r"] == expected, (join, order)


NOT = {"m": "n", "n": "m", "u": "u"}


@pytest.mark.parametrize(("outer", "inner"), list(product(["all", "any", "none"], repeat=2)))
def test_groups_in_groups(outer: str, inner: str) -> None:
    """Four deep, with the verdict of every level from the table above."""
    for parts, verdicts in KLEENE.items():
        within = verdicts[("all", "any", "none").index(inner)]
        group = {inner: [leaf(letter, number) for number, letter in enumerate(parts)]}
        expected = NOT[within] if outer == "none" else within
        assert told(program([{outer: [group]}]), FIVE)["r"] == expected
        assert told(program([{"none": [{"none": [{outer: [group]}]}]}]), FIVE)["r"] == expected


@pytest.mark.parametrize(
    ("require", "inclusion", "exclusion", "expected"),
    [
        ("m", "", "", "m"),
        ("", "m", "", "m"),
        ("m", "m", "n", "m"),
        ("m", "mm", "nn", "m"),
        ("m", "mn", "nn", "n"),
        ("n", "m", "n", "n"),
        ("m", "m", "nm", "n"),  # one exclusion is enough
        ("m", "m", "nu", "u"),  # what might exclude is asked
        ("m", "u", "n", "u"),
        ("m", "u", "m", "n"),
        ("u", "n", "u", "n"),
        ("m", "m", "b", "u"),
        ("", "b", "n", "u"),
        ("u", "m", "um", "n"),
    ],
)
def test_a_study_has_inclusion_and_exclusion_criteria(
    require: str, inclusion: str, exclusion: str, expected: str
) -> None:
    numbers = iter(range(100))
    sections = {
        name: [leaf(letter, next(numbers)) for letter in letters]
        for name, letters in (("require", require), ("inclusion", inclusion), ("exclusion", exclusion))
    }
    entry = told(program(**sections, **STUDY), FIVE)
    assert entry["r"] == expected
    assert "".join(entry["c"].values()) == require + inclusion + exclusion  # the leaf's own letter, not the negation's


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("", 50),
        ("m1", 100),
        ("n1", 0),
        ("u1", 50),
        ("b1", 50),
        ("m1 n2", 33),
        ("m2 n1", 67),
        ("m1 n1", 50),
        ("m1 u2 n1", 50),
        ("m1 n2 u1", 38),  # 1.5 of 4 are 37.5: rounded up
        ("u1 n3", 13),  # 12.5
        ("m1 n199", 1),  # 0.5
        ("m1 n201", 0),
        ("m199 n1", 100),  # 99.5
        ("m100 n100 u100", 50),
        ("m n n", 33),  # without a weight each counts 1
    ],
)
def test_score_is_the_share_of_weight_and_the_unknown_counts_half(prefer: str, expected: int) -> None:
    parts = []
    for number, written in enumerate(prefer.split()):
        weight = int(written[1:] or 0)
        # A weight is at most 100: a greater one is written as several preferences.
        parts += [
            leaf(written[0], 10 * number + piece) | ({"weight": min(100, weight - 100 * piece)} if weight else {})
            for piece in range(max(1, -(-weight // 100)))
        ]
    assert told(program([leaf("m", 99)], parts), FIVE)["s"] == expected


def test_a_preferred_group_counts_as_one() -> None:
    either = {"weight": 3, "any": [leaf("m", 0), leaf("n", 1)]}
    entry = told(program([leaf("m", 9)], [either, leaf("n", 2)]), FIVE)
    assert entry["s"] == 75


def test_what_is_preferred_decides_nobody() -> None:
    assert told(program([leaf("m", 0)], [leaf("n", 1)]), FIVE)["r"] == "m"
    assert told(program([leaf("m", 0)], [leaf("u", 1)]), FIVE)["r"] == "m"


def test_a_criterion_inside_its_margin_is_named_wherever_it_stands() -> None:
    entry = told(program([leaf("m", 0), {"any": [leaf("b", 1), leaf("m", 2)]}], [leaf("b", 3)]), FIVE)
    assert (entry["r"], entry["c"]) == ("m", {"m0": "m", "b1": "b", "m2": "m", "b3": "b"})


@pytest.mark.parametrize(("rule", "asks"), [("m", True), ("n", False), ("u", True), ("b", True), ("nm", True)])
def test_a_rule_that_asks_for_an_expert(rule: str, asks: bool) -> None:  # noqa: FBT001
    rules = [leaf(letter, number) for number, letter in enumerate(rule)]
    entry = told(program([leaf("m", 99)], review_if=rules), FIVE)
    assert (entry["r"], "x" in entry) == ("m", asks)


def test_leaves_are_named_in_the_order_of_the_sections() -> None:
    its = program(
        [{"question": "severity", "at_least": 1}],
        [{"question": "severity", "at_least": 2}],
        inclusion=[
            {"all": [{"question": "severity", "at_least": 3}, {"question": "severity", "at_least": 9, "id": "grave"}]},
        ],
        exclusion=[{"question": "severity", "at_least": 8}],
        review_if=[{"question": "severity", "at_least": 7}],
        **STUDY,
    )  # fmt: skip
    assert told(its, FIVE)["c"] == {
        "severity": "m",
        "severity_2": "m",
        "grave": "n",
        "severity_3": "n",
        "severity_4": "m",
        "severity_5": "n",
    }


@pytest.mark.parametrize(
    ("criteria", "decided_by"),
    [
        ([leaf("m", 0), leaf("n", 1)], "n1"),
        ([leaf("u", 0), leaf("n", 1), leaf("n", 2)], "n1 n2"),
        ([{"any": [leaf("n", 0), leaf("n", 1)]}], "n0 n1"),
        ([{"all": [leaf("m", 0), leaf("u", 1), leaf("n", 2)]}], "n2"),
        ([{"none": [leaf("m", 0), leaf("n", 1), leaf("u", 2)]}], "m0"),
        ([{"none": [{"all": [leaf("m", 0), leaf("m", 1)]}, leaf("n", 2)]}], "m0 m1"),
        ([{"none": [{"none": [leaf("n", 0), leaf("n", 1)]}]}], "n0 n1"),
        ([{"none": [{"any": [leaf("n", 0), leaf("m", 1)]}]}], "m1"),
    ],
)
def test_what_decides_that_a_program_is_not_for_somebody(criteria: list[dict[str, Any]], decided_by: str) -> None:
    entry = told(program(criteria), FIVE)
    assert entry["r"] == "n"
    its = Program.model_validate(program(criteria))
    judged = judge(its.eligibility, [Verdict.of_letter(letter) for letter in entry["c"].values()])
    names = list(entry["c"])
    assert " ".join(names[each.position] for each in deciding(judged, Verdict.NOT_MET)) == decided_by
