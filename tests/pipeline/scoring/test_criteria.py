"""Each kind of leaf at its boundaries, and trees against Kleene's logic worked out by hand."""

from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from config.criteria import Criterion, leaves
from pipeline.scoring.criteria import compile_leaf, compile_tree
from pipeline.scoring.facts import Answer, read_facts
from pipeline.scoring.geography import place
from pipeline.scoring.verdict import Verdict

RECEIVED = date(2026, 11, 22)
DENVER = (place("US", "80202"),)
NOT_MET, UNKNOWN, MET = Verdict

read_criterion = TypeAdapter(Criterion).validate_python


def judge(criterion: Mapping[str, Any], answers: Mapping[str, Answer], received_on: date = RECEIVED) -> Verdict:
    read = read_criterion(criterion)
    facts = read_facts(answers, received_on)
    verdicts = [compile_leaf(leaf, frozenset({"en", "de"}), DENVER)(facts) for _, leaf in leaves(read)]
    return compile_tree(read, count())(verdicts)


CONFIRMED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
CONDITION = {"question": "condition", "one_of": ["fibromyalgia", "lupus"]}
SAFE = {"question": "contraindications", "none_of": ["active_cancer", "pregnancy"]}
INTERESTS = {"question": "treatment_interests", "overlaps": ["msc_adipose", "msc_umbilical"], "unknown": ["undecided"]}
SEVERITY = {"question": "severity", "at_least": 3, "at_most": 8}
BUDGET = {"budget": ["up_to_10000", "over_20000"], "unknown": ["undecided"]}


@pytest.mark.parametrize(
    ("criterion", "answers", "expected"),
    [
        ({"question": "condition", "equals": "lupus"}, {"condition": "lupus"}, MET),
        ({"question": "condition", "equals": "lupus"}, {"condition": "fibromyalgia"}, NOT_MET),
        ({"question": "condition", "equals": "lupus"}, {"condition": "other"}, UNKNOWN),
        ({"question": "severity", "equals": 0}, {"severity": 0}, MET),
        (CONFIRMED, {"diagnosis_confirmed": "yes"}, MET),
        (CONFIRMED, {"diagnosis_confirmed": "no"}, NOT_MET),
        (CONFIRMED, {"diagnosis_confirmed": "in_progress"}, UNKNOWN),
        (CONFIRMED, {"diagnosis_confirmed": ""}, UNKNOWN),
        (CONFIRMED, {}, UNKNOWN),
        (CONDITION, {"condition": "lupus"}, MET),
        (CONDITION, {"condition": "autism"}, NOT_MET),
        (CONDITION, {"condition": "other"}, UNKNOWN),
        ({"question": "condition", "one_of": ["lupus", "other"]}, {"condition": "other"}, MET),
        (SAFE, {"contraindications": ["none"]}, MET),
        (SAFE, {"contraindications": ["anticoagulants"]}, MET),
        (SAFE, {"contraindications": ["anticoagulants", "pregnancy"]}, NOT_MET),
        (SAFE, {"contraindications": []}, UNKNOWN),
        (SAFE, {}, UNKNOWN),
        ({"question": "condition", "none_of": ["lupus"]}, {"condition": "lupus"}, NOT_MET),
        ({"question": "condition", "none_of": ["lupus"]}, {"condition": "other"}, UNKNOWN),
        (INTERESTS, {"treatment_interests": ["msc_adipose"]}, MET),
        (INTERESTS, {"treatment_interests": ["undecided", "msc_adipose"]}, MET),
        (INTERESTS, {"treatment_interests": ["undecided", "study_participation"]}, UNKNOWN),
        (INTERESTS, {"treatment_interests": ["study_participation"]}, NOT_MET),
        (SEVERITY, {"severity": 2}, NOT_MET),
        (SEVERITY, {"severity": 3}, MET),
        (SEVERITY, {"severity": 8}, MET),
        (SEVERITY, {"severity": 9}, NOT_MET),
        (SEVERITY, {"severity": "five"}, UNKNOWN),
        (SEVERITY, {}, UNKNOWN),
        ({"question": "severity", "at_most": 0}, {"severity": 0}, MET),
        ({"question": "onset_months", "at_least": 6}, {"onset_months": 1200}, MET),
        (BUDGET, {"budget": "over_20000"}, MET),
        (BUDGET, {"budget": "nothing"}, NOT_MET),
        (BUDGET, {"budget": "undecided"}, UNKNOWN),
        ({"language": "spoken"}, {"language": "en"}, MET),
        ({"language": "spoken"}, {"language": "es"}, NOT_MET),
        ({"language": "spoken"}, {}, UNKNOWN),
    ],
)
def test_leaf_on_answers(criterion: Mapping[str, Any], answers: Mapping[str, Answer], expected: Verdict) -> None:
    assert judge(criterion, answers) is expected


@pytest.mark.parametrize(
    ("born", "received_on", "expected"),
    [
        ("2008-11-23", RECEIVED, NOT_MET),  # 18 tomorrow
        ("2008-11-22", RECEIVED, MET),  # 18 today
        ("1961-11-22", RECEIVED, MET),  # 65 today
        ("1961-11-21", RECEIVED, MET),  # 65 since yesterday
        ("1960-11-23", RECEIVED, MET),  # 66 tomorrow
        ("1960-11-22", RECEIVED, NOT_MET),  # 66 today
        ("2008-02-29", date(2026, 2, 28), NOT_MET),
        ("2008-02-29", date(2026, 3, 1), MET),
        ("2026-11-23", RECEIVED, UNKNOWN),
        ("not a day", RECEIVED, UNKNOWN),
        ("", RECEIVED, UNKNOWN),
    ],
)
def test_age_on_the_day_of_receipt(born: str, received_on: date, expected: Verdict) -> None:
    assert judge({"age": {"at_least": 18, "at_most": 65}}, {"date_of_birth": born}, received_on) is expected


BOULDER, CHEYENNE, MIAMI = "80302", "82001", "33130"  # about 25, 96 and 1,725 miles from Denver


@pytest.mark.parametrize(
    ("distance", "answers", "expected"),
    [
        ("travel", {"country": "US", "postal_code": BOULDER, "travel": "local"}, MET),
        ("travel", {"country": "US", "postal_code": CHEYENNE, "travel": "local"}, NOT_MET),
        ("travel", {"country": "US", "postal_code": CHEYENNE, "travel": "regional"}, MET),
        ("travel", {"country": "US", "postal_code": MIAMI, "travel": "regional"}, NOT_MET),
        ("travel", {"country": "US", "postal_code": MIAMI, "travel": "national"}, MET),
        ("travel", {"country": "US", "travel": "national"}, MET),
        ("travel", {"country": "US", "travel": "local"}, UNKNOWN),
        ("travel", {"country": "US", "postal_code": "00000", "travel": "local"}, UNKNOWN),
        ("travel", {"country": "US", "postal_code": "09012", "travel": "local"}, UNKNOWN),  # a military code
        ("travel", {"country": "US", "postal_code": BOULDER, "travel": "none"}, NOT_MET),
        ("travel", {"country": "US", "postal_code": BOULDER}, UNKNOWN),
        ("travel", {"country": "PR", "postal_code": "00901", "travel": "national"}, MET),
        ("travel", {"country": "DE", "postal_code": "80331", "travel": "regional"}, NOT_MET),
        ("travel", {"country": "DE", "postal_code": "80331", "travel": "national"}, NOT_MET),
        ("travel", {"country": "DE", "postal_code": "80331", "travel": "international"}, MET),
        ("travel", {"travel": "national"}, UNKNOWN),
        ("30 miles", {"country": "US", "postal_code": BOULDER}, MET),
        ("30 km", {"country": "US", "postal_code": BOULDER}, NOT_MET),
        ("30 miles", {"country": "US", "postal_code": f"{BOULDER}-1234"}, MET),
        ("30 miles", {"country": "MX", "postal_code": BOULDER}, NOT_MET),
        ("30 miles", {"postal_code": BOULDER}, UNKNOWN),
    ],
)
def test_distance_to_the_nearest_location(distance: str, answers: Mapping[str, Answer], expected: Verdict) -> None:
    assert judge({"distance": distance}, answers) is expected


# Trees over three questions, worked out over every way to fill what is unknown: Kleene's logic may leave open what
# all ways agree on, but must never decide what they do not, and each connective alone follows the truth tables.
LEAF = st.sampled_from(["severity", "onset_months", "age_like"]).map(lambda name: {"question": name, "at_least": 1})
TREE = st.recursive(
    LEAF,
    lambda inner: st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda group: {group[0]: group[1]}
    ),
    max_leaves=10,
)
KNOWN = st.fixed_dictionaries({}, optional=dict.fromkeys(["severity", "onset_months", "age_like"], st.integers(0, 1)))


def naive(tree: Mapping[str, Any], answers: Mapping[str, int]) -> bool | None:
    if "question" in tree:
        return bool(answers[tree["question"]]) if tree["question"] in answers else None
    [(join, parts)] = tree.items()
    values = [naive(part, answers) for part in parts]
    if join == "all":
        return False if False in values else None if None in values else True
    either = True if True in values else None if None in values else False
    return either if join == "any" else None if either is None else not either


@given(TREE, KNOWN)
def test_a_tree_is_kleenes_strong_logic(tree: dict[str, Any], answers: dict[str, int]) -> None:
    assert judge(tree, dict(answers)) is {True: MET, None: UNKNOWN, False: NOT_MET}[naive(tree, answers)]


ANSWERS: dict[str, list[Answer]] = {
    "condition": ["fibromyalgia", "lupus", "autism"],
    "severity": [0, 3, 8, 10],
    "diagnosis_confirmed": ["yes", "no"],
    "contraindications": [["none"], ["pregnancy"], ["anticoagulants"]],
    "date_of_birth": ["1980-01-01", "2015-01-01"],
    "country": ["US", "DE"],
    "postal_code": [BOULDER, MIAMI],
    "travel": ["none", "local", "regional", "national", "international"],
    "budget": ["nothing", "over_20000"],
    "language": ["en", "es"],
}
EVERY_KIND = [
    CONFIRMED, CONDITION, SAFE, SEVERITY, BUDGET,
    {"question": "condition", "equals": "lupus"}, {"language": "spoken"}, {"age": {"at_least": 18}},
    {"distance": "travel"}, {"distance": "30 miles"},
]  # fmt: skip
ANY_TREE = st.recursive(
    st.sampled_from(EVERY_KIND),
    lambda inner: st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda group: {group[0]: group[1]}
    ),
    max_leaves=8,
)


@given(
    ANY_TREE,
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in ANSWERS.items()}),
    st.sets(st.sampled_from(sorted(ANSWERS))),
)
def test_more_knowledge_never_turns_a_decided_verdict(
    tree: dict[str, Any], everything: dict[str, Answer], hidden: set[str]
) -> None:
    before = judge(tree, {name: answer for name, answer in everything.items() if name not in hidden})
    if before is not UNKNOWN:
        assert judge(tree, everything) is before
