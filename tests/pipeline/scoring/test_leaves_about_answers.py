"""Leaves about one answer, at their boundaries. Letters: m met, n not met, u unknown, b inside the margin."""

from typing import Any

import pytest

from pipeline.scoring.facts import Answer
from tests.pipeline.scoring.judging import letter_of


@pytest.mark.parametrize(
    ("equals", "answer", "expected"),
    [
        ("yes", "yes", "m"),
        ("yes", "no", "n"),
        ("yes", None, "u"),
        ("yes", "", "u"),
        ("yes", [], "u"),
        (3, 3, "m"),
        (3, 4, "n"),
        (0, 0, "m"),
        (3, "3", "n"),
        ("3", 3, "n"),
    ],
)
def test_equals(equals: str | int, answer: Answer | None, expected: str) -> None:
    answers = {} if answer is None else {"sex_at_birth": answer}
    assert letter_of({"question": "sex_at_birth", "equals": equals}, answers) == expected


CONFIRMED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
SAFE = {"question": "contraindications", "none_of": ["active_cancer", "pregnancy"], "unknown": ["unsure"]}
INTERESTED = {"question": "treatment_interests", "overlaps": ["msc_adipose", "msc_umbilical"], "unknown": ["undecided"]}
AFFORDS = {"budget": ["up_to_10000", "over_20000"], "unknown": ["undecided"]}


@pytest.mark.parametrize(
    ("criterion", "answers", "expected"),
    [
        # one of several for a single answer
        (CONFIRMED, {"diagnosis_confirmed": "yes"}, "m"),
        (CONFIRMED, {"diagnosis_confirmed": "no"}, "n"),
        (CONFIRMED, {"diagnosis_confirmed": "in_progress"}, "u"),
        (CONFIRMED, {"diagnosis_confirmed": "never heard of"}, "n"),
        (CONFIRMED, {"diagnosis_confirmed": ""}, "u"),
        (CONFIRMED, {}, "u"),
        (CONFIRMED | {"one_of": ["yes", "in_progress"]}, {"diagnosis_confirmed": "in_progress"}, "m"),
        # none of: the negation
        (SAFE, {"contraindications": ["none"]}, "m"),
        (SAFE, {"contraindications": ["anticoagulants"]}, "m"),
        (SAFE, {"contraindications": ["anticoagulants", "pregnancy"]}, "n"),
        (SAFE, {"contraindications": ["unsure"]}, "u"),
        (SAFE, {"contraindications": ["anticoagulants", "unsure"]}, "u"),
        (SAFE, {"contraindications": ["unsure", "pregnancy"]}, "n"),
        (SAFE, {"contraindications": []}, "u"),
        (SAFE, {}, "u"),
        ({"question": "sex_at_birth", "none_of": ["male"]}, {"sex_at_birth": "female"}, "m"),
        ({"question": "sex_at_birth", "none_of": ["male"]}, {"sex_at_birth": "male"}, "n"),
        # overlaps: one of the answers is enough
        (INTERESTED, {"treatment_interests": ["msc_adipose"]}, "m"),
        (INTERESTED, {"treatment_interests": ["study_participation", "msc_umbilical"]}, "m"),
        (INTERESTED, {"treatment_interests": ["undecided", "msc_adipose"]}, "m"),
        (INTERESTED, {"treatment_interests": ["undecided", "study_participation"]}, "u"),
        (INTERESTED, {"treatment_interests": ["study_participation"]}, "n"),
        (INTERESTED, {"treatment_interests": []}, "u"),
        (INTERESTED, {}, "u"),
        # budget bands
        (AFFORDS, {"budget": "over_20000"}, "m"),
        (AFFORDS, {"budget": "nothing"}, "n"),
        (AFFORDS, {"budget": "undecided"}, "u"),
        (AFFORDS, {}, "u"),
    ],
)
def test_listed_answers(criterion: dict[str, Any], answers: dict[str, Answer], expected: str) -> None:
    assert letter_of(criterion, answers) == expected


LUPUS = ["lupus", "fibromyalgia"]


@pytest.mark.parametrize(
    ("criterion", "lupus", "autism", "in_own_words"),
    [
        ({"equals": "lupus"}, "m", "n", "u"),
        ({"equals": "other"}, "n", "n", "m"),
        ({"one_of": LUPUS}, "m", "n", "u"),
        ({"one_of": [*LUPUS, "other"]}, "m", "n", "m"),
        ({"none_of": LUPUS}, "n", "m", "u"),
        ({"none_of": ["other"]}, "m", "m", "n"),
        ({"one_of": LUPUS, "unknown": ["autism"]}, "m", "u", "u"),
    ],
)
def test_a_condition_in_the_persons_own_words_may_be_any_condition(
    criterion: dict[str, Any], lupus: str, autism: str, in_own_words: str
) -> None:
    judged = [
        letter_of({"question": "condition", **criterion}, {"condition": it}) for it in ("lupus", "autism", "other")
    ]
    assert judged == [lupus, autism, in_own_words]
    assert letter_of({"question": "condition", **criterion}, {}) == "u"


def test_other_is_an_answer_like_any_to_another_question() -> None:
    criterion = {"question": "prior_treatments", "overlaps": ["surgery"]}
    assert letter_of(criterion, {"prior_treatments": ["other"]}) == "n"


@pytest.mark.parametrize(
    ("limits", "letters"),  # for the numbers 0 to 10
    [
        ({"at_least": 3}, "nnnmmmmmmmm"),
        ({"at_most": 3}, "mmmmnnnnnnn"),
        ({"at_least": 3, "at_most": 5}, "nnnmmmnnnnn"),
        ({"at_least": 4, "at_most": 4}, "nnnnmnnnnnn"),
        ({"at_least": 0}, "mmmmmmmmmmm"),
        ({"at_most": 0}, "mnnnnnnnnnn"),
        ({"at_least": 11}, "nnnnnnnnnnn"),
        ({"at_least": 3, "borderline": 1}, "nnbmmmmmmmm"),
        ({"at_most": 3, "borderline": 2}, "mmmmbbnnnnn"),
        ({"at_least": 4, "at_most": 5, "borderline": 2}, "nnbbmmbbnnn"),
        ({"at_least": 2, "at_most": 5, "borderline": 100}, "bbmmmmbbbbb"),
        ({"at_least": -3}, "mmmmmmmmmmm"),
    ],
)
def test_number_ranges_include_both_ends(limits: dict[str, int], letters: str) -> None:
    criterion = {"question": "severity", **limits}
    assert "".join(letter_of(criterion, {"severity": number}) for number in range(11)) == letters


@pytest.mark.parametrize("answer", ["five", "5", "", ["5"], []])
def test_an_answer_that_is_no_number_is_unknown(answer: Answer) -> None:
    assert letter_of({"question": "severity", "at_least": 1, "borderline": 3}, {"severity": answer}) == "u"
    assert letter_of({"question": "severity", "at_least": 1, "borderline": 3}, {}) == "u"


@pytest.mark.parametrize(("answer", "expected"), [(10**30, "m"), (-(10**30), "n"), (2**63, "m"), (-(2**31) - 1, "n")])
def test_numbers_beyond_every_machine_word(answer: int, expected: str) -> None:
    assert letter_of({"question": "onset_months", "at_least": 6, "borderline": 2}, {"onset_months": answer}) == expected
    limits = {"at_least": -(10**25), "at_most": 10**25}
    assert letter_of({"question": "onset_months", **limits}, {"onset_months": answer // 10**25}) == "m"


@pytest.mark.parametrize(
    ("spoken", "asked_for", "expected"),
    [
        (["en", "de"], "de", "m"),
        (["en", "de"], "es", "n"),
        (["es"], "es", "m"),
        (["en"], None, "u"),
        (["en"], "", "u"),
    ],
)
def test_spoken_language(spoken: list[str], asked_for: str | None, expected: str) -> None:
    answers: dict[str, Answer] = {} if asked_for is None else {"language": asked_for}
    assert letter_of({"language": "spoken"}, answers, languages=spoken) == expected
