from pathlib import Path

import pytest

from config.screening import DataClass, load_screening
from config.yaml_file import ConfigurationMistake
from tests.config.shipped import FOLDER, SCREENING

TEXT = (FOLDER / "screening.yaml").read_text()


def test_the_questions_are_those_agreed_upon() -> None:
    assert set(SCREENING.ids) == {
        *("submitter", "guardian_name", "first_name", "last_name", "email", "phone", "date_of_birth", "sex_at_birth"),
        *("country", "postal_code", "language", "condition", "condition_other", "diagnosis_confirmed", "onset_months"),
        *("severity", "treatment_goals", "prior_treatments", "contraindications", "treatment_interests", "budget"),
        *("travel", "timeframe", "consent_contact", "consent_share"),
    }


def ids_of(data_class: DataClass) -> set[str]:
    return {question.id for question in SCREENING.questions if question.data_class is data_class}


def test_facts_about_health_and_care_are_classed_as_health() -> None:
    assert ids_of(DataClass.HEALTH) == {
        *("sex_at_birth", "condition", "condition_other", "diagnosis_confirmed", "onset_months", "severity"),
        *("treatment_goals", "prior_treatments", "contraindications", "treatment_interests", "budget", "timeframe"),
    }
    assert ids_of(DataClass.PUBLIC) == {"language", "submitter", "travel", "consent_contact", "consent_share"}
    assert {SCREENING.question(name).data_class for name in ("email", "date_of_birth")} == {DataClass.CONTACT}


def test_the_consent_to_share_says_how_many_providers_may_see_the_facts() -> None:
    consent = SCREENING.consent("consent_share")
    assert (consent.recipients_open, consent.recipients_total) == (3, 5)
    assert "at most three providers at a time, and with five in total" in consent.text.en
    assert "tres proveedores a la vez como máximo, y con cinco" in consent.text.es


def test_spanish_is_written_in_spanish() -> None:
    for question in SCREENING.questions:
        assert question.label.in_language("es") != question.label.in_language("en"), question.id


@pytest.mark.parametrize(
    ("line", "instead", "expected"),
    [
        ("    type: integer", "    type: intger", "expected one of text, email"),
        ("question: submitter", "question: submiter", "expected the id of an earlier question"),
        ("[guardian, caregiver]", "[guardian, carer]", "expected options of submitter: self, guardian, caregiver"),
        ("{id: in_progress,", "{id: no,", "expected each option once"),
        ("    max_length: 200\n", "", "expected this key, as the type is text"),
        ("    minimum: 0\n", "    minimum: 1201\n", "expected at most the maximum, 1200"),
        ("exclusive_option: none", "exclusive_option: nothing", "expected one of medication"),
        ("    max_length: 200\n", "    max_length: 200\n    minimum: 1\n", "expected no such key"),
        (
            "  - id: email\n    type: email",
            "  - id: mail\n    type: email",
            "expected a question 'email' of type email",
        ),
        ("    type: country", "    type: language", "expected country, as the pipeline relies on it"),
        (
            "recipients_total: 5\n",
            'recipients_total: 5\n      earlier: [{version: "2026-11-01", text: {en: A, es: B}}]\n',
            "expected each version once; found '2026-11-01' again",
        ),
        ("severity, prior_treatments", "prior_treatments", "expected every question in a section; missing severity"),
        ("[consent_contact, consent_share]", "[consent_contact, consent_contact, consent_share]", "in one section"),
        ("{en: First name, es: Nombre}", "{en: First name}", "expected this key; it is missing"),
    ],
)
def test_mistakes_in_the_file_are_found(tmp_path: Path, line: str, instead: str, expected: str) -> None:
    assert line in TEXT
    (tmp_path / "screening.yaml").write_text(TEXT.replace(line, instead, 1))
    with pytest.raises(ConfigurationMistake) as caught:
        load_screening(tmp_path / "screening.yaml")
    assert expected in str(caught.value)
