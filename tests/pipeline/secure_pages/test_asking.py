"""What a person in review is asked: what would decide, in the right words, and nothing else."""

from typing import Any

import pytest

from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.secure_pages.opening import Opened, open_page
from pipeline.secure_pages.person import PersonView
from tests.pipeline.scoring.network_files import Criteria, program, provider
from tests.pipeline.secure_pages.links import BORN, Referred, referred
from tests.pipeline.secure_pages.undecided import LONG_ENOUGH, undecided
from tests.support.networks import put_in_force

SINCE = {"en": "Since when is it so?", "es": "¿Desde cuándo es así?"}
IN_WORDS = {**LONG_ENOUGH, "ask": SINCE}
DIAGNOSED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
NEAR = {"distance": "travel", "ask": {"en": "How far?", "es": "¿Hasta dónde?"}}
SEVERE = {"question": "severity", "at_least": 10}
NAMED = {"question": "condition_other", "equals": "x"}
WAITING = {"diagnosis_confirmed": "in_progress"}
PLACELESS = {"travel": None, "postal_code": None}


def view_of(case: Referred, kind: EmailKind, language: str = "en") -> PersonView:
    found = open_page(case.context, case.token(kind), None, BORN, language, "request")
    assert isinstance(found, Opened)
    assert isinstance(found.view, PersonView)
    return found.view


def asked(case: Referred, language: str = "en", kind: EmailKind = EmailKind.INFORMATION_NEEDED) -> dict[str, str]:
    """Ids and wordings, in the order of the page."""
    return {each.question.id: each.wording for each in view_of(case, kind, language).questions}


@pytest.mark.parametrize(
    ("requires", "own_words"),
    [
        pytest.param([[IN_WORDS]], True, id="the program's words"),
        pytest.param([[IN_WORDS], [IN_WORDS]], True, id="two that ask alike"),
        pytest.param([[LONG_ENOUGH]], False, id="none of its own"),
        pytest.param([[IN_WORDS], [LONG_ENOUGH]], False, id="two that ask differently"),
    ],
)
def test_a_question_is_asked_in_the_programs_words_unless_they_differ(
    sqlite_context: Context, requires: list[Criteria], *, own_words: bool
) -> None:
    case = undecided(sqlite_context, *requires)
    label = sqlite_context.screening.question("onset_months").label
    for language in ("en", "es"):
        expected = SINCE[language] if own_words else label.in_language(language)
        assert asked(case, language) == {"onset_months": expected}


@pytest.mark.parametrize(
    ("requires", "answers", "expected"),
    [
        pytest.param(
            [[NEAR], [LONG_ENOUGH, DIAGNOSED]],
            {**WAITING, **PLACELESS},
            ["postal_code", "diagnosis_confirmed", "onset_months", "travel"],
            id="in the order of the form",
        ),
        pytest.param([[LONG_ENOUGH, SEVERE], [DIAGNOSED]], WAITING, ["diagnosis_confirmed"], id="not what is decided"),
        pytest.param([[LONG_ENOUGH], [NAMED]], {}, ["onset_months"], id="not what the form would not ask"),
    ],
)
def test_only_what_would_decide_is_asked(
    sqlite_context: Context, requires: list[Criteria], answers: dict[str, Any], expected: list[str]
) -> None:
    assert list(asked(undecided(sqlite_context, *requires, **answers))) == expected


def test_words_for_one_question_are_not_used_for_two(sqlite_context: Context) -> None:
    found = asked(undecided(sqlite_context, [NEAR], **PLACELESS))
    assert found == {name: sqlite_context.screening.question(name).label.en for name in ("postal_code", "travel")}
    assert asked(undecided(sqlite_context, [NEAR], travel=None, email="other@example.org")) == {"travel": "How far?"}


def test_what_was_answered_so_far_comes_with_the_question(sqlite_context: Context) -> None:
    case = undecided(sqlite_context, [LONG_ENOUGH, DIAGNOSED], **WAITING)
    questions = view_of(case, EmailKind.INFORMATION_NEEDED).questions
    assert [each.answer for each in questions] == ["in_progress", None]


@pytest.mark.parametrize(
    "answers",
    [
        {"condition": "other", "condition_other": "Rare"},
        {"contraindications": ["none", "pregnancy"]},
    ],
)
def test_nothing_is_asked_if_an_expert_looks_at_it_whatever_is_answered(
    sqlite_context: Context, answers: dict[str, Any]
) -> None:
    case = undecided(sqlite_context, [LONG_ENOUGH], **answers)
    assert asked(case, kind=EmailKind.IN_REVIEW) == {}


def test_a_provider_that_takes_nobody_is_not_asked_for(sqlite_context: Context) -> None:
    put_in_force(
        sqlite_context,
        provider(program([LONG_ENOUGH]), id="paused", availability={"paused": True}),
        provider(program([DIAGNOSED]), id="open"),
    )
    assert list(asked(referred(sqlite_context, onset_months=None, **WAITING))) == ["diagnosis_confirmed"]
