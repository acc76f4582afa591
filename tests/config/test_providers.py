"""The network file: what it may refer to, how mistakes read, and how documents are stored."""

import json
from collections import Counter
from pathlib import Path

import pytest

from config.providers import (
    ProgramKind,
    ProviderDocument,
    ProviderFile,
    document_digest,
    load_providers,
)
from config.yaml_file import ConfigurationMistake
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING


def load(file: Path = FOLDER / "providers.yaml") -> ProviderFile:
    return load_providers(file, SCREENING, CONDITIONS)


def test_the_sample_network() -> None:
    providers = load().providers
    kinds = Counter(program.kind for provider in providers for program in provider.programs)
    assert len(providers) >= 15
    assert kinds[ProgramKind.STUDY] == 2
    assert sum(any(location.country != "US" for location in provider.locations) for provider in providers) == 2
    assert all(provider.contact.email.endswith(f"@{provider.id}.example") for provider in providers)


def test_a_document_survives_plain_json() -> None:
    for document in load().providers:
        stored = json.loads(json.dumps(document.model_dump(mode="json")))
        assert ProviderDocument.model_validate(stored) == document
        assert document_digest(ProviderDocument.model_validate(stored)) == document_digest(document)


def test_what_holds_its_default_is_not_stored() -> None:
    [clinic] = load().providers[0].model_dump(mode="json")["programs"]
    assert "irb" not in clinic
    assert clinic["require"][3] == {"distance": "travel"}


def test_the_digest_changes_with_content_and_not_with_the_order_of_keys() -> None:
    document = load().providers[0]
    stored = document.model_dump(mode="json")
    reordered = ProviderDocument.model_validate(dict(reversed(stored.items())))
    renamed = ProviderDocument.model_validate(stored | {"name": "Another name"})
    explicit_default = ProviderDocument.model_validate(
        stored | {"programs": [offered | {"irb": None} for offered in stored["programs"]]}
    )
    assert document_digest(reordered) == document_digest(document) == document_digest(explicit_default)
    assert document_digest(renamed) != document_digest(document)


SMALL = """\
providers:
  - id: blue-mesa
    name: Blue Mesa
    contact: {name: Desk, email: desk@blue-mesa.example}
    languages: [en]
    time_zone: America/Denver
    locations:
      - {id: denver, city: Denver, country: US, postal_code: "80202"}
    capacity: {max_open: 5, max_per_day: 2}
    programs:
      - id: clinic
        kind: clinic
        product: no_product
        name: {en: Clinic, es: Clínica}
        summary: {en: Examination, es: Examen}
        require:
          - {question: condition, one_of: [lupus]}
          - {question: severity, at_least: 3}
          - distance: travel
        prefer:
          - {weight: 2, question: treatment_goals, overlaps: [less_pain]}
"""


def at(text: str, part: str) -> str:
    """Line and column, from 1, where `part` begins."""
    before = text[: text.index(part)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        ("[lupus]", "[lupuss]", "lupuss", "an answer to condition, perhaps lupus; found 'lupuss'"),
        ("question: severity", "question: severty", "question: severty", "perhaps severity; found 'severty'"),
        ("question: severity", "question: phone", "question: phone", "a question about a number"),
        ("question: condition", "question: email", "question: email", "a question with listed answers"),
        ("[less_pain]", "[less_pane]", "less_pane", "an answer to treatment_goals, perhaps less_pain"),
        (
            "overlaps:",
            "one_of:",
            "one_of: [less_pain]",
            "expected overlaps or none_of, as treatment_goals takes several",
        ),
        ("distance: travel", "distance: 20 leagues", "distance: 20", "found '20 leagues'"),
        ("distance: travel", "age: {at_least: 9, at_most: 4}", "age:", "at_least to be no greater than at_most"),
        ("distance: travel", "budget: [plenty]", "plenty", "an answer to budget, one of nothing, up_to_5000"),
        ("distance: travel", "nearby: true", "nearby", "expected a criterion: one of the keys equals, one_of"),
        ("distance: travel", "none: [{all: [{question: condition, equals: flu}]}]", "equals: flu", "found 'flu'"),
        ("at_least: 3", "at_least: three", "at_least: three", "expected a valid integer; found 'three'"),
        ("{question: severity", "{weight: 1, question: severity", "weight: 1", "only under prefer"),
        ('"80202"', '"00000"', 'postal_code: "00000"', "a US ZIP code of five digits that has a place"),
        ('"80202"', "80202", "postal_code: 80202", "expected a valid string"),
        ("country: US", "country: XX", "country: XX", "a two-letter country code"),
        ("America/Denver", "America/Danver", "time_zone", "an IANA time zone such as America/Chicago"),
        ("[en]", "[klingon]", "klingon", "a two-letter language code"),
        ("desk@blue-mesa.example", "desk at blue-mesa", "email:", "found 'desk at blue-mesa'"),
        ("max_open: 5", "max_open: 0", "max_open", "greater than or equal to 1"),
        ("kind: clinic", "kind: study", "kind: study", "expected irb (name, number, approved_on)"),
        ("kind: clinic", "kind: hospital", "kind: hospital", "expected one of clinic, study, consultation"),
        ("product: no_product", "produkt: no_product", "produkt", "unknown key"),
    ],
)
def test_a_mistake_names_line_column_and_what_was_expected(
    tmp_path: Path, old: str, new: str, where: str, expected: str
) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    file = tmp_path / "providers.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationMistake) as caught:
        load(file)
    assert f"{file}:{at(text, where)}: " in str(caught.value)
    assert expected in str(caught.value)


def test_an_id_given_twice(tmp_path: Path) -> None:
    one_provider = SMALL.removeprefix("providers:\n")
    text = SMALL + one_provider.replace("{question: condition", "{id: a, question: condition").replace(
        "{question: severity", "{id: a, question: severity"
    )
    file = tmp_path / "providers.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationMistake) as caught:
        load(file)
    assert "each criterion of a program to have its own id; found 'a' again" in str(caught.value)
    file.write_text(SMALL + one_provider, encoding="utf-8")
    with pytest.raises(ConfigurationMistake) as caught:
        load(file)
    assert "providers[1].id: expected each provider to have its own id; found 'blue-mesa' again" in str(caught.value)
    assert str(caught.value).startswith(f"{file}:22:5: ")
