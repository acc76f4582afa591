import json
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.screening import LANGUAGES
from pipeline.validation import STRUCTURAL, FieldProblem, Rule, Validation, validate
from pipeline.validation.answers import age_on
from tests.config.shipped import ANSWERS, CONDITIONS, SCREENING

TODAY = date(2026, 11, 22)


def validated(**changes: Any) -> Validation:
    return validate(SCREENING, CONDITIONS, {**ANSWERS, **changes}, TODAY)


def broken(**changes: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.rule.value) for problem in validated(**changes).problems]


def test_complete_answers_are_valid_and_already_normal() -> None:
    assert validated() == Validation(ANSWERS, ())


@pytest.mark.parametrize(
    ("field", "raw", "normal"),
    [
        ("email", " Maria.Lopez@EXAMPLE.Org ", "Maria.Lopez@example.org"),
        ("email", "maria@exämple.de", "maria@xn--exmple-cua.de"),
        ("phone", "(415) 555-0132", "+14155550132"),
        ("phone", "14155550132", "+14155550132"),
        ("phone", "+52 55 1234 5678", "+525512345678"),
        ("country", "us", "US"),
        ("country", "Estados Unidos", "US"),
        ("postal_code", "94110-1234", "94110"),
        ("condition", "Síndrome de fibromialgia", "fibromyalgia"),
        ("language", "es-MX", "es"),
        ("severity", "7", 7),
        ("severity", 7.0, 7),
        ("onset_months", "0", 0),
        ("contraindications", ["pregnancy", "active_cancer", "pregnancy"], ["active_cancer", "pregnancy"]),
        ("contraindications", ["none", "pregnancy"], ["pregnancy", "none"]),
        ("first_name", "  Jose\u0301 ", "José"),
        ("first_name", "\u202eمحمد\u202c 👩‍🔬", "محمد 👩‍🔬"),
        ("first_name", "x" * 200, "x" * 200),
        ("last_name", "O'Neil-d’Arc, Jr.", "O'Neil-d’Arc, Jr."),
        ("date_of_birth", "1906-11-23", "1906-11-23"),
    ],
)
def test_answers_are_brought_into_normal_form(field: str, raw: object, normal: object) -> None:
    validation = validated(**{field: raw})
    assert validation.problems == ()
    assert validation.answers[field] == normal


@pytest.mark.parametrize(
    ("country", "raw", "normal"),
    [
        ("CA", "k1a0b1", "K1A 0B1"),
        ("GB", "sw1a  1aa", "SW1A 1AA"),
        ("MX", "06700", "06700"),
        ("IE", "d02 af30", "D02 AF30"),
    ],
)
def test_postal_codes_are_written_as_usual_in_their_country(country: str, raw: str, normal: str) -> None:
    assert validated(country=country, postal_code=raw).answers["postal_code"] == normal


@pytest.mark.parametrize(
    ("field", "raw", "rule"),
    [
        ("first_name", None, Rule.REQUIRED),
        ("first_name", " \u200b\u202e ", Rule.REQUIRED),
        ("first_name", 7, Rule.WRONG_TYPE),
        ("first_name", "x" * 201, Rule.TOO_LONG),
        ("first_name", "x" * 10_000, Rule.TOO_LONG),
        ("first_name", "a\0b", Rule.CONTROL_CHARACTERS),
        ("first_name", "a\nBcc: b", Rule.CONTROL_CHARACTERS),
        ("first_name", "a\ud800", Rule.CONTROL_CHARACTERS),
        ("email", "maria@", Rule.NOT_AN_EMAIL),
        ("email", "maría@example.org", Rule.NOT_AN_EMAIL),
        ("email", "Maria <maria@example.org>", Rule.NOT_AN_EMAIL),
        ("email", "maria@example.org\r\nBcc: x@example.org", Rule.CONTROL_CHARACTERS),
        ("email", "a" * 250 + "@example.org", Rule.TOO_LONG),
        ("phone", "555", Rule.NOT_A_PHONE),
        ("phone", "call me", Rule.NOT_A_PHONE),
        ("date_of_birth", "1975-02-30", Rule.NOT_A_DATE),
        ("date_of_birth", "03/28/1975", Rule.NOT_A_DATE),
        ("date_of_birth", "0000-01-01", Rule.NOT_A_DATE),
        ("date_of_birth", "2026-11-23", Rule.FUTURE_DATE),
        ("date_of_birth", "1905-11-22", Rule.TOO_LONG_AGO),
        ("severity", 11, Rule.OUT_OF_RANGE),
        ("severity", -1, Rule.OUT_OF_RANGE),
        ("severity", 10**400, Rule.OUT_OF_RANGE),
        ("severity", 7.5, Rule.NOT_A_WHOLE_NUMBER),
        ("severity", "seven", Rule.NOT_A_WHOLE_NUMBER),
        ("severity", True, Rule.WRONG_TYPE),
        ("country", "Atlantis", Rule.UNKNOWN_COUNTRY),
        ("postal_code", "9411", Rule.NOT_A_POSTAL_CODE),
        ("condition", "sadness", Rule.UNKNOWN_CONDITION),
        ("submitter", "friend", Rule.UNKNOWN_OPTION),
        ("contraindications", ["flu"], Rule.UNKNOWN_OPTION),
        ("contraindications", "none", Rule.WRONG_TYPE),
        ("contraindications", [["none"]], Rule.WRONG_TYPE),
        ("contraindications", [], Rule.REQUIRED),
        ("language", "fr", Rule.UNKNOWN_OPTION),
        ("consent_contact", None, Rule.CONSENT_NEEDED),
        ("consent_share", False, Rule.CONSENT_NEEDED),
        ("consent_share", True, Rule.WRONG_TYPE),
        ("consent_share", "2001-01-01", Rule.CONSENT_OUTDATED),
    ],
)
def test_answers_that_break_a_rule_are_left_out(field: str, raw: object, rule: Rule) -> None:
    validation = validated(**{field: raw})
    assert [(problem.field, problem.rule) for problem in validation.problems] == [(field, rule)]
    assert field not in validation.answers


def test_optional_answers_may_be_blank() -> None:
    validation = validated(phone="", postal_code=None, budget=" ", treatment_goals=[])
    assert validation.problems == ()
    assert not {"phone", "postal_code", "budget", "treatment_goals"} & set(validation.answers)


def test_questions_are_asked_only_when_their_condition_holds() -> None:
    assert broken(submitter="caregiver") == [("guardian_name", "required")]
    assert broken(condition="other") == [("condition_other", "required")]
    assert "guardian_name" not in validated(guardian_name="Ana").answers
    assert validated(submitter="guardian", guardian_name="Ana").answers["guardian_name"] == "Ana"


@pytest.mark.parametrize(
    ("born", "submitter", "problems"),
    [
        ("2008-11-22", "self", []),
        ("2008-11-23", "self", [("submitter", "minor_needs_guardian")]),
        ("2008-11-23", "caregiver", [("submitter", "minor_needs_guardian")]),
        ("2008-11-23", "guardian", []),
    ],
)
def test_minors_come_only_through_a_guardian(born: str, submitter: str, problems: list[tuple[str, str]]) -> None:
    assert broken(date_of_birth=born, submitter=submitter, guardian_name="Ana López") == problems


def test_a_guardian_has_to_give_a_name() -> None:
    assert broken(date_of_birth="2015-01-01", submitter="guardian") == [("guardian_name", "required")]


def test_age_counts_full_years() -> None:
    leap = date(2008, 2, 29)
    assert [age_on(day, leap) for day in (date(2026, 2, 28), date(2026, 3, 1), date(2028, 2, 29))] == [17, 18, 20]


def test_unknown_fields_are_named_only_if_a_program_wrote_them() -> None:
    assert broken(frist_name="x", **{"I have lupus": "x"}) == [
        ("answers", "unknown_field"),
        ("frist_name", "unknown_field"),
    ]
    assert len(broken(**{f"field_{number}": 1 for number in range(1000)})) == 10


def test_what_a_schema_can_say_is_structural_and_what_concerns_the_person_is_not() -> None:
    assert {rule.value for rule in set(Rule) - STRUCTURAL} == {
        *("required", "future_date", "too_long_ago", "minor_needs_guardian", "consent_needed", "consent_outdated")
    }


def test_every_rule_has_a_message_in_each_language() -> None:
    for rule in Rule:
        english, spanish = (FieldProblem("severity", rule, 0, 10).message(language) for language in LANGUAGES)
        assert english
        assert english != spanish
        assert "{" not in english + spanish


# Half characters too: JSON can escape them, and `str` can hold them.
text = st.text(st.characters(exclude_categories=()), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(text, children, max_size=3),
    max_leaves=6,
)
mutations = st.dictionaries(st.sampled_from(SCREENING.ids) | text, json_values, max_size=8)


@given(mutations, st.dates(min_value=date(2000, 1, 1)))
@example({"date_of_birth": "9999-12-31"}, date(9999, 12, 31))
@example({"phone": "+" + "9" * 39, "email": "@.", "postal_code": "ß" * 12}, TODAY)
def test_validation_never_raises_and_its_answers_are_in_normal_form(changes: dict[str, Any], received_on: date) -> None:
    validation = validate(SCREENING, CONDITIONS, {**ANSWERS, **changes}, received_on)
    json.dumps(validation.answers, ensure_ascii=False).encode()
    again = validate(SCREENING, CONDITIONS, validation.answers, received_on)
    assert again.answers == validation.answers
    assert {problem.field for problem in again.problems} <= {problem.field for problem in validation.problems}


MARKER = "Marker-4711"
marked = st.sampled_from([MARKER, f"{MARKER}@", f" {MARKER}\0", MARKER * 100, [MARKER], {MARKER: 1}, [[MARKER]]])


@given(st.dictionaries(st.sampled_from([*SCREENING.ids, MARKER, f"{MARKER} x"]), marked, min_size=1))
def test_problems_never_repeat_an_answer(changes: dict[str, Any]) -> None:
    problems = validate(SCREENING, CONDITIONS, {**ANSWERS, **changes}, TODAY).problems
    said = [
        str(problems),
        repr(problems),
        *(problem.message(language) for problem in problems for language in LANGUAGES),
    ]
    assert MARKER not in "\n".join(said)
