"""One stored explanation, told to the person, the provider and the staff."""

import json
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from config.providers import ProviderDocument, load_providers
from config.screening import LANGUAGES
from pipeline.scoring import (
    Network,
    explain_to_person,
    explain_to_provider,
    explain_to_staff,
    score,
)
from pipeline.scoring.explanation import PersonExplanation
from pipeline.scoring.facts import Answer
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.network_files import program, provider, version_id

ANSWERS: dict[str, Answer] = {
    "condition": "fibromyalgia",
    "severity": 5,
    "contraindications": ["anticoagulants"],
    "date_of_birth": "1980-01-01",
}
CONDITION = {"question": "condition", "one_of": ["fibromyalgia", "lupus"]}


def told(document: ProviderDocument, language: str = "en") -> tuple[PersonExplanation, tuple[str, ...]]:
    version = version_id(document.id)
    explanation = score(ANSWERS, Network.of([(version, document)]), date(2026, 11, 22)).explanation
    stored = json.loads(json.dumps(explanation))
    which = (stored, document, version, "clinic", language)
    return explain_to_person(*which), explain_to_provider(*which)


def test_the_person_reads_own_words_usual_words_and_what_is_not_known() -> None:
    own = CONDITION | {"person": {"en": "They see people with this.", "es": "Atienden a personas con esto."}}
    prefer = [{"question": "onset_months", "at_least": 6}, {"question": "severity", "at_least": 9}]
    document = provider(program([own, {"age": {"at_least": 18}}], prefer))
    person, own_provider = told(document)
    assert person.reasons == ("They see people with this.", "The age is within what this program takes.")
    assert person.not_known == ("We do not know: time since it began, in months (6 or more).",)
    assert own_provider == (
        "Your criterion is met: condition.",
        "Your criterion is met: age (18 or more).",
        "Not known yet: time since it began, in months (6 or more).",
    )
    spanish, _ = told(document, "es")
    assert spanish.reasons == ("Atienden a personas con esto.", "La edad está dentro de lo que acepta este programa.")
    assert spanish.not_known == ("No sabemos: tiempo desde que empezó, en meses (6 o más).",)


def test_groups_are_told_by_what_decided_them() -> None:
    either = {"any": [{"question": "severity", "at_least": 9}, {"age": {"at_most": 60}}]}
    excluded = {"none": [{"question": "contraindications", "overlaps": ["pregnancy"]}]}
    person, own_provider = told(provider(program([CONDITION, either, excluded])))
    assert person.reasons[1:] == (
        "The age is within what this program takes.",
        "Nothing you told us is among what this program excludes.",
    )
    assert own_provider[1:] == (
        "Your criterion is met: age (up to 60).",
        "None of your exclusions applies to the answers.",
    )


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"product": "no_product"}, []),
        ({"product": "approved_use"}, []),
        ({"product": "unapproved_therapy"}, ["has not been approved by the U.S. Food and Drug Administration"]),
        (
            {
                "product": "investigational",
                "kind": "study",
                "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
            },
            ["This is research.", "Fictional Board (number F-1)"],
        ),
    ],
)
def test_notices(other: dict[str, Any], expected: list[str]) -> None:
    person, _ = told(provider(program([CONDITION], **other)))
    assert "not medical advice" in person.notices[0]
    assert len(person.notices) == 1 + len(expected)
    for notice, part in zip(person.notices[1:], expected, strict=True):
        assert part in notice
    if "irb" in other:
        assert "is not approval by the FDA" in person.notices[-1]


def test_staff_read_every_criterion_by_id() -> None:
    document = provider(program([CONDITION, {"question": "onset_months", "at_least": 6}]))
    explanation = score(ANSWERS, Network.of([(version_id("blue-mesa"), document)]), date(2026, 11, 22)).explanation
    assert explain_to_staff(explanation) == (
        "needs_review on 2026-11-22",
        "review: information_missing",
        "blue-mesa / clinic: unknown, score 50",
        "  condition: met",
        "  onset_months: unknown",
    )


def test_a_program_the_explanation_does_not_name() -> None:
    document = provider(program([CONDITION]))
    explanation = score(ANSWERS, Network.of([(version_id("blue-mesa"), document)]), date(2026, 11, 22)).explanation
    with pytest.raises(LookupError, match="does not name"):
        explain_to_person(explanation, document, uuid4(), "clinic", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sample_network_promises_nothing(language: str) -> None:
    network_file = load_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS)
    versions = [(version_id(document.id), document) for document in network_file.providers]
    explanation = score(ANSWERS, Network.of(versions), date(2026, 11, 22)).explanation
    said = [
        line
        for version, document in versions
        for offered in document.programs
        for line in (
            offered.summary.in_language(language),
            offered.name.in_language(language),
            *explain_to_person(explanation, document, version, offered.id, language).lines,
            *explain_to_provider(explanation, document, version, offered.id, language),
        )
    ]
    promises = ("cure", "heal", "effective", "eligible", "recommended", "proven", "eficaz", "curar", "elegible")
    assert [line for line in said for word in promises if word in line.lower().replace("health", "")] == []
