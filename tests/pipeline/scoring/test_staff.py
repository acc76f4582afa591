"""What staff read of the stored explanation: standings, what decided, what would decide, and what is not at hand."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from config.providers import ProviderDocument
from pipeline.scoring import Network, explain_to_staff, score
from pipeline.scoring.explanation import StaffExplanation, StaffProgram, StaffQuestion, staff_lines
from pipeline.scoring.facts import Answer
from tests.pipeline.scoring.network_files import program, provider, version_id

ANSWERS: dict[str, Answer] = {"condition": "fibromyalgia", "severity": 5, "contraindications": ["anticoagulants"]}
CONDITION = {"question": "condition", "equals": "fibromyalgia"}
STUDY: dict[str, Any] = {
    "kind": "study",
    "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
}
THEN = datetime(2026, 11, 22, 12, tzinfo=UTC)


def told(*documents: ProviderDocument, answers: Mapping[str, Answer] = ANSWERS) -> StaffExplanation:
    versions = {version_id(document.id): document for document in documents}
    network = Network.of(versions.items(), revision=7)
    return explain_to_staff(score(answers, network, THEN.date(), THEN).explanation, versions)


def only(explanation: StaffExplanation) -> StaffProgram:
    (found,) = explanation.programs
    return found


def test_the_lines_say_everything_on_record() -> None:
    ask = {"en": "Since when?", "es": "¿Desde cuándo?"}
    either = {"any": [{"question": "severity", "at_least": 9}, {"id": "age_given", "age": {"at_most": 60}}]}
    document = provider(
        program(
            [],
            [{"weight": 2, "distance": "100 miles"}],
            **STUDY,
            inclusion=[CONDITION, {"question": "onset_months", "at_least": 6, "ask": ask}, either],
            exclusion=[{"question": "contraindications", "overlaps": ["pregnancy"]}],
            review_if=[{"question": "prior_treatments", "overlaps": ["surgery"]}],
        )
    )
    assert staff_lines(told(document)) == (
        "needs review: received on 2026-11-22, judged at 2026-11-22T12:00:00+00:00, network revision 7",
        "  for review: no program fits yet, and answers are missing that would decide",
        "",
        "blue-mesa / clinic: needs information, score 50",
        "  its own rule asks for an expert",
        "  would decide: onset_months, for onset_months (Since when?)",
        "  would decide: date_of_birth, for age_given",
        "  inclusion: every one has to be met",
        "    met         condition is fibromyalgia",
        "    unknown     onset_months is at least 6",
        "    not met     severity: any of: severity is at least 9",
        "    unknown     age_given: any of: age is at most 60 years",
        "  exclusion: none may be met",
        "    not met     contraindications has one or more of pregnancy",
        "  preferred",
        "    unknown     distance: a location is within 100 miles",
        "  an expert looks at who is eligible and meets, or may meet, one of",
        "    unknown     prior_treatments has one or more of surgery",
    )


@pytest.mark.parametrize(
    ("criteria", "deciding"),
    [
        ([CONDITION, {"question": "severity", "at_least": 9}], ("severity",)),
        (
            [{"any": [{"question": "severity", "at_least": 9}, {"question": "condition", "equals": "lupus"}]}],
            ("severity", "condition"),
        ),
        ([{"none": [CONDITION, {"question": "severity", "at_least": 9}]}], ("condition",)),
        ([{"question": "onset_months", "at_least": 6}, {"question": "severity", "at_most": 2}], ("severity",)),
        ([CONDITION], ()),
    ],
)
def test_a_program_that_is_not_eligible_names_the_criteria_that_decided(
    criteria: list[dict[str, Any]], deciding: tuple[str, ...]
) -> None:
    found = only(told(provider(program(criteria))))
    assert found.deciding == deciding
    assert (found.standing == "not eligible") is bool(deciding)


def test_an_exclusion_that_applies_is_what_decided() -> None:
    exclusion = [{"question": "contraindications", "overlaps": ["anticoagulants"]}]
    found = only(told(provider(program([], **STUDY, inclusion=[CONDITION], exclusion=exclusion))))
    assert (found.standing, found.deciding) == ("not eligible", ("contraindications",))


def test_borderline_questions_and_expert_rule_are_told() -> None:
    close = program([CONDITION, {"question": "severity", "at_least": 6, "borderline": 1}], id="close")
    open_one = program([CONDITION, {"age": {"at_least": 18}}], id="open")
    rule = program([CONDITION], id="rule", review_if=[{"question": "severity", "at_most": 5}])
    by_id = {each.program_id: each for each in told(provider(close, open_one, rule)).programs}
    assert [each.finding.value for each in by_id["close"].criteria] == ["met", "borderline"]
    assert by_id["close"].criteria[1].words == "severity is at least 6 (borderline: up to 1 outside)"
    assert by_id["close"].questions == ()
    assert by_id["open"].questions == (StaffQuestion("date_of_birth", "age"),)
    assert [by_id[name].expert_rule for name in ("close", "open", "rule")] == [False, False, True]


def test_a_closed_provider_is_said_to_be_closed_and_why() -> None:
    expired = [{"name": "State license", "number": "L-1", "expires_on": "2026-11-01"}]
    paused = provider(program([CONDITION]), id="a-paused", availability={"paused": True})
    late = provider(program([CONDITION]), id="b-late", credentials=expired)
    found = told(paused, late)
    assert [(each.standing.value, each.closed) for each in found.programs] == [
        ("closed", "paused"),
        ("closed", "a credential has expired"),
    ]
    assert "a-paused / clinic: closed (paused), score 50" in staff_lines(found)


def test_a_version_that_is_not_at_hand_is_said_to_be_missing() -> None:
    document = provider(program([CONDITION, {"question": "severity", "at_least": 9}]))
    network = Network.of([(version_id(document.id), document)])
    explanation = score(ANSWERS, network, THEN.date(), THEN).explanation
    explanation["z"] = 3
    lines = staff_lines(explain_to_staff(explanation))
    assert lines[1:] == (
        "  3 further programs were judged; their details are not kept",
        "",
        "blue-mesa / clinic: not eligible, score 50",
        f"  version {version_id('blue-mesa')} is not at hand: criteria by id only",
        "    met         condition",
        "    not met     severity",
    )


def test_what_the_first_release_stored_has_no_moment_and_no_revision() -> None:
    assert staff_lines(explain_to_staff({"d": "2026-11-01", "o": "no_match", "w": [], "p": []})) == (
        "no match: received on 2026-11-01",
    )
