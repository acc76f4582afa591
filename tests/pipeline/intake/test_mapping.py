from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sources import Source
from pipeline.intake.mapping import MappingFailure, MappingReason, map_fields
from pipeline.validation import validate
from tests.config.shipped import ANSWERS, CONDITIONS, SCREENING, SOURCES

WEBFLOW = SOURCES.by_id["webflow-site"]
VERSION = SCREENING.consent("consent_share").version

FORM: dict[str, object] = {
    "Who is filling this in": "Myself",
    "First Name": "María José",
    "Last Name": "López",
    "Email Address": "maria.lopez@example.org",
    "Phone Number": 14155550132,
    "Date of Birth": "1975-03-28",
    "Sex at Birth": "Femenino",
    "Country": "United States",
    "ZIP / Postal Code": 94110,
    "Preferred Language": "Spanish",
    "Primary Condition": "Fibromyalgia",
    "Diagnosis Confirmed": "Yes",
    "Months Since Onset": 30,
    "Severity (0-10)": "7",
    "Prior Treatments": ["Medication", "Fisioterapia"],
    "Contraindications": "None of the above",
    "Treatment Goals": "Less pain, More energy and better sleep",
    "Treatment Interests": "Adipose MSC,Clinical study",
    "Budget": "Up to 10000",
    "Travel": "Up to 300 miles (500 km)",
    "Timeframe": "Within 3 months",
    "Consent to Contact": True,
    "Consent to Share": "true",
    "Newsletter": False,
}


def mapped(field: str, value: object, source: Source = WEBFLOW) -> Any:
    question_id = next(question for question, name in source.fields.items() if name == field)
    return map_fields(source, SCREENING, {**FORM, field: value})[question_id]


def test_a_whole_form_becomes_valid_answers() -> None:
    validation = validate(SCREENING, CONDITIONS, map_fields(WEBFLOW, SCREENING, FORM), date(2026, 11, 22))
    assert validation.problems == ()
    assert validation.answers == ANSWERS


@pytest.mark.parametrize(
    ("field", "value", "raw"),
    [
        ("Who is filling this in", "Parent or guardian", "guardian"),
        ("Who is filling this in", ["Myself"], "self"),
        ("Who is filling this in", "A friend", "A friend"),
        ("ZIP / Postal Code", 94110.0, "94110"),
        ("Severity (0-10)", 7, 7),
        ("Consent to Share", True, VERSION),
        ("Consent to Share", False, None),
        ("Consent to Share", "false", None),
        ("Consent to Share", "on", "on"),
        ("Contraindications", "", []),
        ("Contraindications", "blood thinners , Pregnancy", ["anticoagulants", "pregnancy"]),
        ("Contraindications", "Blood thinners, Vampirism", ["anticoagulants", "Vampirism"]),
        ("Contraindications", ["Pregnancy", 7], ["pregnancy", 7]),
        ("Contraindications", True, True),
        ("First Name", {"a": 1}, {"a": 1}),
    ],
)
def test_values_are_translated_and_unknown_ones_stay(field: str, value: object, raw: object) -> None:
    assert mapped(field, value) == raw


def test_labels_with_commas_are_told_from_lists() -> None:
    values = {"contraindications": {"Cancer, active": "active_cancer", "Cancer": "none"}}
    source = replace(WEBFLOW, values=values)
    assert mapped("Contraindications", "Pregnancy or breastfeeding, Cancer, active", source) == [
        "pregnancy",
        "active_cancer",
    ]


def test_a_consent_may_follow_the_current_text() -> None:
    source = replace(WEBFLOW, values={"consent_share": {"true": "current"}})
    assert mapped("Consent to Share", True, source) == VERSION


def test_a_ticked_box_without_a_version_is_no_consent() -> None:
    assert mapped("Consent to Share", True, replace(WEBFLOW, values={})) is None


def test_field_names_may_differ_in_case_spacing_and_webflows_dot() -> None:
    source = replace(WEBFLOW, fields={"email": "Contact.E-mail", "first_name": "First Name"})
    raw = map_fields(source, SCREENING, {"contact\uff0eE-Mail": "a@example.org", " first  name": "Ana"})
    assert raw == {"email": "a@example.org", "first_name": "Ana"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, MappingReason.NO_KNOWN_FIELD),
        ({"Newsletter": True}, MappingReason.NO_KNOWN_FIELD),
        ({"First Name": "Ana"}, MappingReason.NO_EMAIL_FIELD),
    ],
)
def test_another_form_cannot_be_mapped(data: dict[str, object], reason: MappingReason) -> None:
    with pytest.raises(MappingFailure) as caught:
        map_fields(WEBFLOW, SCREENING, data)
    assert caught.value.reason is reason


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(alphabet="Cancer, ,"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(FORM)) | st.text(), values))
def test_mapping_raises_nothing_but_its_own_failure(data: dict[str, object]) -> None:
    try:
        raw = map_fields(WEBFLOW, SCREENING, data)
    except MappingFailure:
        return
    validate(SCREENING, CONDITIONS, raw, date(2026, 11, 22))
