from pathlib import Path

import pytest

from config.conditions import EvidenceLevel, load_conditions
from config.yaml_file import ConfigurationMistake
from tests.config.shipped import CONDITIONS, FOLDER

TEXT = (FOLDER / "conditions.yaml").read_text()


def test_the_list_is_as_agreed() -> None:
    assert len(CONDITIONS.by_id) > 30
    assert CONDITIONS.by_id["fibromyalgia"].icd10cm == ("M79.7",)
    assert "other" in CONDITIONS.by_id
    assert {condition.evidence.level for condition in CONDITIONS.conditions} == {EvidenceLevel.NOT_ESTABLISHED}


@pytest.mark.parametrize("name", ["fibromyalgia", "Fibromialgia", "  FMS ", "SINDROME de fibromialgia"])
def test_conditions_are_found_by_id_label_and_synonym(name: str) -> None:
    found = CONDITIONS.find(name)
    assert found is not None
    assert found.id == "fibromyalgia"


@pytest.mark.parametrize("name", ["", "-", "fibro myalgia something", "x" * 1000])
def test_what_is_not_on_the_list_is_not_found(name: str) -> None:
    assert CONDITIONS.find(name) is None


@pytest.mark.parametrize(
    ("line", "instead", "expected"),
    [
        ("icd10cm: [M79.7]", "icd10cm: [M797]", "expected an ICD-10-CM code, such as M79.7"),
        ("icd10cm: [M79.7]", "icd10cm: []", "expected at least one ICD-10-CM code"),
        (
            "icd10cm: [M79.7]",
            "icd10cm: [M79.7]\n    evidence: {level: supported}",
            "expected this key, as the level is",
        ),
        ("icd10cm: [M79.7]", "icd10cm: [M79.7]\n    evidence: {level: proven}", "expected one of not_established"),
        ("id: fibromyalgia", "id: lupus", "expected each condition once"),
        ("[fms, fibro,", "[Lupus!, fibro,", "'lupus' is also fibromyalgia"),
        ("group: pain", "group: aches", "expected one of joints"),
        ("- id: other\n", "- id: another\n    icd10cm: [R69]\n", "expected a condition 'other'"),
    ],
)
def test_mistakes_in_the_file_are_found(tmp_path: Path, line: str, instead: str, expected: str) -> None:
    assert line in TEXT
    (tmp_path / "conditions.yaml").write_text(TEXT.replace(line, instead, 1))
    with pytest.raises(ConfigurationMistake) as caught:
        load_conditions(tmp_path / "conditions.yaml")
    assert expected in str(caught.value)


def test_an_evidence_level_with_citation_reviewer_and_date_is_taken(tmp_path: Path) -> None:
    backed = "evidence: {level: under_study, citation: A trial, reviewer: Dr. A, reviewed_on: 2026-11-01}"
    (tmp_path / "conditions.yaml").write_text(TEXT.replace("icd10cm: [M79.7]", f"icd10cm: [M79.7]\n    {backed}"))
    evidence = load_conditions(tmp_path / "conditions.yaml").by_id["fibromyalgia"].evidence
    assert evidence.level is EvidenceLevel.UNDER_STUDY
