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


CAPACITY = "capacity: {max_open"
REQUIRE = "require:"
PROVIDER_KEYS = [
    ("availability: {paused: yes}", "paused", "expected true or false; found 'yes'"),
    (
        "availability: {hours: [{days: [monday]}]}",
        "monday",
        "mon, tue, wed, thu, fri, sat, sun; found 'monday'; did you mean mon?",
    ),
    ("availability: {hours: [{days: [Tuesday]}]}", "Tuesday", "did you mean tue?"),
    ("availability: {hours: [{days: []}]}", "days", "expected at least one thing in the list"),
    ("availability: {hours: [{days: [mon], opens: 9:00}]}", "opens", "a time from 00:00 to 24:00 with four digits"),
    ('availability: {hours: [{days: [mon], opens: "18:00", closes: "09:00"}]}', "{days", "opens to be before closes"),
    (
        "availability: {absences: [{first_day: 24.12.2026, last_day: 2026-12-31}]}",
        "first",
        "a date, such as 2026-11-30",
    ),
    ("availability: {absences: [{first_day: 2026-12-24, last_day: 2026-12-01}]}", "{first", "no later than last_day"),
    ("credentials: [{name: Licence, number: 7, expires_on: 2027-01-01}]", "number", 'put it in quotes, "7"'),
    ("credentials: [{name: Licence, number: A, expires_on: 2026-02-30}]", "expires", "a date, such as 2026-11-30"),
    ("credentials: [{name: Licence, number: A}]", "{name: Lic", "expected this key; it is missing"),
    ("licensed_in: [US-TX, Bavaria]", "Bavaria", "a country such as MX, or a US state such as US-TX; found 'Bavaria'"),
    ("licensed_in: US-TX", "licensed_in", "expected a list, such as [a, b]; found 'US-TX'"),
]
PROGRAM_KEYS = [
    ("inclusion: [{age: {at_least: 18}}]", "inclusion", "expected only for a study; this is a clinic"),
    ("exclusion: [{age: {at_most: 17}}]", "exclusion", "expected only for a study; this is a clinic"),
    ("review_if: [{weight: 2, distance: travel}]", "weight: 2, dist", "only under prefer"),
    ("review_if: [{question: severty, at_least: 8}]", "question: severty", "perhaps severity; found 'severty'"),
    ("review_if: [{any: [{budget: [nothing]}]}]", "{budget: [nothing]", "plays no part in whom an expert looks at"),
    ("irb: {name: B, number: C, approved_on: soon}", "approved_on", "a date, such as 2026-11-30; found 'soon'"),
]


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
        ("at_least: 3", "at_least: three", "at_least: three", "expected a whole number; found 'three'"),
        ("{question: severity", "{weight: 1, question: severity", "weight: 1", "only under prefer"),
        ("distance: travel", "all: [{weight: 5, distance: travel}]", "weight: 5", "at the whole group under prefer"),
        ('"80202"', '"8020"', 'postal_code: "8020"', "a US ZIP code of five digits; found '8020'"),
        ('"80202"', "80202", "postal_code: 80202", 'expected text; found 80202: put it in quotes, "80202"'),
        ("country: US", "country: XX", "country: XX", "a two-letter country code"),
        ("America/Denver", "America/Danver", "time_zone", "an IANA time zone such as America/Chicago"),
        ("[en]", "[klingon]", "klingon", "a two-letter language code"),
        ("desk@blue-mesa.example", "desk at blue-mesa", "email:", "found 'desk at blue-mesa'"),
        ("max_open: 5", "max_open: 0", "max_open", "expected 1 or more; found 0"),
        ("kind: clinic", "kind: study", "kind: study", "expected irb (name, number, approved_on)"),
        ("kind: clinic", "kind: hospital", "kind: hospital", "expected one of clinic, study, consultation"),
        ("product: no_product", "produkt: no_product", "produkt", "did you mean product?"),
        ("distance: travel", "region: [Texas]", "Texas", "a country or a US state, perhaps US-TX; found 'Texas'"),
        ("distance: travel", "region: [US, PR]", "PR", "expected US-PR, as ZIP codes count as the US; found 'PR'"),
        (
            "distance: travel",
            "region: nowhere",
            "region:",
            "expected licensed or a list, such as [a, b]; found 'nowhere'",
        ),
        (
            "distance: travel",
            "region: licensed",
            "region:",
            "expected the provider to state licensed_in, such as [US-TX",
        ),
        ("distance: travel", "{distance: travel, borderline: 9}", "{distance", "only beside a distance such as"),
        ("distance: travel", "distance: 100 mi", "distance: 100", "found '100 mi': did you mean 100 miles?"),
        (
            "distance: travel",
            "age: 18",
            "age: 18",
            "expected keys under it (at_least, at_most), such as {at_least: 18}; found 18",
        ),
        ("distance: travel", "age: {at_leat: 18}", "at_leat", "one of at_least, at_most; did you mean at_least?"),
        ("distance: travel", "age_months: {at_most: 9999}", "at_most: 9999", "expected 1560 or less; found 9999"),
        ("distance: travel", "any: []", "any:", "expected at least one thing in the list"),
        ("distance: travel", "any: {age: {at_least: 9}}", "any:", "begin each criterion with a dash: - {…}"),
        ("distance: travel", "language: Spanish", "language:", "expected spoken; found 'Spanish'"),
        ("at_least: 3", "at_least: 3, borderline: 0", "borderline", "expected 1 or more; found 0"),
        ("at_least: 3", "at_least: 3, weigth: 2", "weigth", "borderline; did you mean weight?"),
        (
            "at_least: 3",
            "at_least: 3, equals: 4",
            "at_least",
            "asks one thing: write two, one with equals and one with at",
        ),
        ("[lupus]", "lupus", "one_of", "expected a list, such as [a, b]; found 'lupus'"),
        ("one_of: [lupus]", "equals: true", "equals", "expected text or a whole number; found true"),
        ("max_per_day: 2", "max_per_day: 2, max_per_week: 0", "max_per_week", "expected 1 or more; found 0"),
        ("max_per_day: 2", "max_per_day: 2, max_per_month: many", "max_per_month", "a whole number; found 'many'"),
        ("[en]", "en", "languages", "expected a list, such as [a, b]; found 'en'"),
        ("country: US", "country: usa", "country", "a two-letter country code in capitals, such as US; found 'usa'"),
        ("id: denver", "id: Denver", "id: Denver", "expected lower-case letters, digits, and single hyphens"),
        ("en: Clinic,", "", "name: { es", "expected this key; it is missing"),
        ("distance: travel", "distance: 50", "distance: 50", "such as 50 miles or 80 km; found 50: say miles or km"),
        ("distance: travel", "distance: 50 mils", "distance: 50", "did you mean 50 miles?"),
        ("distance: travel", "distance: 80km", "distance: 80", "did you mean 80 km?"),
        ("distance: travel", "distance: travell", "distance: t", "did you mean travel?"),
        ("distance: travel", "distance: 50\u00a0miles", "distance: 50", "did you mean 50 miles?"),
        ("[lupus]", "[lupus sciatica]", "lupus sci", "a comma is missing between lupus and sciatica"),
        ("[lupus]", "lupus, sciatica", "one_of", "expected a list, such as [a, b]; found 'lupus'"),
        ("[lupus]", "lupus, knee osteoarthritis, b", "one_of", "expected a list, such as [a, b]; found 'lupus'"),
        ("en: Clinic", "en: Clinic, with care", "with care", "a text with a comma needs quotes"),
        (
            REQUIRE,
            "require:\n          age: {at_least: 18}\n        inclusion:",
            "require",
            "begin each criterion with a dash",
        ),
        (
            "distance: travel",
            "{region: [US], borderline: 1}",
            "borderline",
            "borderline goes only with at_least, at_most, age",
        ),
        (
            "distance: travel",
            "{region: [US], age: {at_least: 9}}",
            "region",
            "asks one thing: write two, one with age and",
        ),
        (
            "distance: travel",
            "{age: {at_least: 9}, unknown: [no]}",
            "unknown",
            "unknown goes only with one_of, none_of, ",
        ),
        (
            "distance: travel",
            "{any: [distance: travel], ask: {en: A, es: B}}",
            "ask",
            "ask goes only with equals, one_of",
        ),
        ("distance: travel", "age: 21-80", "age: 21", "such as {at_least: 21, at_most: 80}; found '21-80'"),
        ("distance: travel", "age: {min: 21}", "min: 21", "did you mean at_least?"),
        ("at_least: 3", "max: 3", "{question: severity", "did you mean at_most where it says max?"),
        ("distance: travel", "{age:18}", "{age:18}", "a space is missing after the colon: write age: 18"),
        (
            "at_least: 3",
            "at_least: 3, borderline:1",
            "borderline:1",
            "a space is missing after the colon: write borderline: 1",
        ),
        ("America/Denver", "Central", "time_zone", "found 'Central'; did you mean America/Chicago?"),
        ("America/Denver", "Mountain Standard Time", "time_zone", "did you mean America/Denver?"),
        ("America/Denver", "Denver", "time_zone", "did you mean America/Denver?"),
        ("America/Denver", "America/Danver", "time_zone", "did you mean America/Denver?"),
        ("[en]", "[esp]", "esp", "found 'esp'; did you mean es?"),
        ("[en]", "[Spanish]", "Spanish", "did you mean es?"),
        ("[en]", "[EN]", "EN", "did you mean en?"),
        ("product: no_product", "product: unapproved", "product: un", "did you mean unapproved_therapy?"),
        ("distance: travel", "age: {at_least 21}", "at_least 21", "a colon is missing after at_least"),
        ("distance: travel", "age: {at_least: 21, borderline: 2}", "borderline", "borderline beside age, not under it"),
        ("distance: travel", "region: [USA]", "USA", "perhaps US; found 'USA'"),
        ("distance: travel", "language: spokn", "language:", "found 'spokn'; did you mean spoken?"),
        ("overlaps: [less_pain]", "equals: x, budget: [nothing]", "budget", "asks one thing"),
        (
            "{weight: 2, question: treatment_goals, overlaps: [less_pain]}",
            "{budget: [nothing]}",
            "{budget",
            "only under require: what somebody can pay plays no part in the order",
        ),
        *((CAPACITY, f"{key}\n    {CAPACITY}", where, expected) for key, where, expected in PROVIDER_KEYS),
        *((REQUIRE, f"{key}\n        {REQUIRE}", where, expected) for key, where, expected in PROGRAM_KEYS),
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
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert len(places) == len(set(places)), "a mistake is told once"
    for jargon in ("valid", "tuple", "string", "dictionary", "instance", "pattern", "input", "integer"):
        assert jargon not in str(caught.value).removeprefix(str(file))


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
