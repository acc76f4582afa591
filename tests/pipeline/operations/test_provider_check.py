"""What `providers check` says of a file: one row an oddity, with the place it points at and the sentence it says."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.operations.provider_check import Checked, check_providers
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
FINE = """\
providers:
  - id: blue-mesa
    name: Blue Mesa
    contact: {name: Desk, email: desk@blue-mesa.example}
    languages: [en, es]
    time_zone: America/Denver
    licensed_in: [US-CO, US-TX]
    credentials: [{name: State licence, number: A-1, expires_on: 2027-06-30}]
    availability: {absences: [{first_day: 2026-12-20, last_day: 2027-01-06}]}
    locations:
      - {id: denver, city: Denver, country: US, postal_code: "80202"}
    capacity: {max_open: 5, max_per_day: 2, max_per_week: 8, max_per_month: 20, target_per_month: 10}
    programs:
      - id: clinic
        kind: clinic
        product: no_product
        name: {en: Clinic, es: Clínica}
        summary: {en: Examination, es: Examen}
        require:
          - {question: condition, one_of: [lupus, sciatica]}
          - {age: {at_least: 18, at_most: 80}, borderline: 2}
          - {question: onset_months, at_least: 3, ask: {en: How long?, es: ¿Cuánto?}}
          - {question: contraindications, none_of: [pregnancy, active_cancer]}
          - {question: diagnosis_confirmed, one_of: [yes], unknown: [in_progress]}
          - any:
              - {distance: 100 miles}
              - {region: licensed}
        prefer:
          - {weight: 2, question: severity, at_least: 5}
          - {weight: 1, language: spoken}
        review_if:
          - {age: {at_least: 70}}
      - id: study
        kind: study
        product: investigational
        irb: {name: Board, number: B-1, approved_on: 2026-02-01}
        name: {en: Study, es: Estudio}
        summary: {en: A study, es: Un estudio}
        inclusion:
          - {question: condition, equals: fibromyalgia}
        exclusion:
          - {question: contraindications, overlaps: [pregnancy]}
"""
AGE = "- {age: {at_least: 18, at_most: 80}, borderline: 2}"
CONDITION = "- {question: condition, one_of: [lupus, sciatica]}"
PREFER = "- {weight: 2, question: severity, at_least: 5}"
ANY = "- {region: licensed}\n"
AGAIN = "\n          "
EVERY_INTEREST = (
    "{question: treatment_interests, "
    "overlaps: [msc_bone_marrow, msc_adipose, msc_umbilical, study_participation, undecided]}"
)
MONTH_777 = "{question: onset_months, at_least: 777, at_most: 777}"
FIBROMYALGIA = "- {question: condition, equals: fibromyalgia}"


def check(tmp_path: Path, text: str, at: datetime = NOW, sample: int = 100) -> Checked:
    file = tmp_path / "providers.yaml"
    file.write_text(text, encoding="utf-8")
    return check_providers(file, SCREENING, CONDITIONS, at, sample)


def line_and_column(text: str, part: str) -> tuple[int, int]:
    before = text[: text.index(part)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def test_a_file_without_anything_odd(tmp_path: Path) -> None:
    assert check(tmp_path, FINE, sample=500) == Checked((), (), providers=1, programs=2)


def test_the_shipped_network_has_nothing_odd() -> None:
    checked = check_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS, NOW)
    assert [str(problem) for problem in (*checked.errors, *checked.warnings)] == []
    assert checked.providers >= 20


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        # contradictory
        (
            AGE,
            f"{AGE}{AGAIN}- {{question: condition, equals: copd}}",
            "{question: condition, equals: copd",
            "condition (line 20)",
        ),
        (
            AGE,
            "- {age: {at_least: 65}}\n          - {age: {at_most: 40}}",
            "{age: {at_most: 40",
            "both this and age (line 21)",
        ),
        (AGE, "- {age: {at_least: 2}}\n          - {age_months: {at_most: 23}}", "{age_months", "age (line 21)"),
        (
            AGE,
            "- {question: contraindications, overlaps: [pregnancy]}",
            "{question: contraindications, none_of",
            "fit both",
        ),
        (
            AGE,
            "- {question: travel, one_of: [none]}\n          - distance: travel",
            "distance: travel",
            "travel (line 21)",
        ),
        (AGE, "- {question: country, equals: US}\n          - region: [MX]", "region: [MX]", "both this and country"),
        (AGE, "- {question: country, equals: MX}\n          - region: [US]", "region: [US]", "both this and country"),
        (
            "- {question: contraindications, overlaps: [pregnancy]}",
            "- {question: condition, one_of: [fibromyalgia, lupus]}",
            "{question: condition, one_of: [fibromyalgia",
            "both this and condition",
        ),
        (
            ANY,
            "- all: [{age: {at_most: 30}}, {age: {at_least: 31}}]\n",
            "{age: {at_least: 31",
            "fit both this and age (line 27)",
        ),
        # unreachable
        (
            AGE,
            "- {age: {at_least: 121}}",
            "{age: {at_least: 121",
            "0 to 120 years, so nobody can ever fit this program",
        ),
        (
            PREFER,
            "- {question: severity, at_least: 11}",
            "{question: severity, at_least: 11",
            "from 0 to 10, so it never gives",
        ),
        (PREFER, "- {age: {at_least: 85}}", "{age: {at_least: 85", "nobody who fits age (line 21) can meet this"),
        (ANY, "- {age: {at_least: 90}}\n", "{age: {at_least: 90", "so this alternative lets nobody in"),
        ("- {age: {at_least: 70}}", "- {age: {at_most: 12}}", "{age: {at_most: 12", "so it never asks for an expert"),
        (
            "overlaps: [pregnancy]}",
            "overlaps: [pregnancy]}\n          - {age: {at_least: 130}}",
            "{age: {at_least: 130",
            "so it excludes nobody",
        ),
        # vacuous
        (
            AGE,
            "- {question: sex_at_birth, one_of: [female, male, intersex, undisclosed]}",
            "{question: sex",
            "is answered",
        ),
        (
            AGE,
            "- {question: severity, at_least: 0}",
            "{question: severity, at_least: 0",
            "goes from 0 to 10, so it excludes nobody",
        ),
        (AGE, f"- {EVERY_INTEREST}", EVERY_INTEREST, "everybody meets this"),
        (
            PREFER,
            "- {age: {at_least: 16}}",
            "{age: {at_least: 16",
            "everybody who fits age (line 21) meets this as well",
        ),
        ("- {age: {at_least: 70}}", "- {age: {at_least: 10}}", "{age: {at_least: 10", "waits for an expert"),
        # shadowed
        (
            AGE,
            "- {age: {at_least: 18}}\n          - {age: {at_least: 21}}",
            "{age: {at_least: 18",
            "fits age (line 22) fits this",
        ),
        (ANY, "- {distance: 160 km}\n", "{distance: 160 km", "whoever meets this meets distance (line 26) as well"),
        (
            AGE,
            f"- {{question: condition, none_of: [fibromyalgia]}}{AGAIN}{AGE}",
            "{question: condition, none_of",
            "everybody who fits condition",
        ),
        (
            "overlaps: [pregnancy]}",
            "overlaps: [pregnancy]}\n          - {question: condition, equals: lupus}",
            "{question: condition, equals: lupus",
            "excludes nobody else",
        ),
        (
            "- {age: {at_least: 70}}",
            "- {age: {at_least: 70}}\n          - {age: {at_least: 75}}",
            "{age: {at_least: 75",
            "age (line 32)",
        ),
        # settings without effect
        (
            AGE,
            "- {age: {at_least: 18, at_most: 125}}",
            "at_most: 125",
            "go from 0 to 120, so this limit excludes nobody",
        ),
        (AGE, "- {age: {at_least: 18}, ask: {en: Age?, es: ¿Edad?}}", "ask: {en: Age", "this question is never put"),
        (PREFER, "- {question: severity, at_least: 5, ask: {en: A?, es: B?}}", "ask: {en: A?", "only what decides"),
        ("unknown: [in_progress]", "unknown: [in_progress, yes]", "yes]}\n          - any", "listed under one_of too"),
        # upkeep
        ("2027-06-30", "2026-11-21", "expires_on", "State licence has expired"),
        ("2027-06-30", "2026-12-22", "expires_on", "State licence expires in 30 days"),
        ("2027-06-30", "2026-11-22", "expires_on", "State licence expires today"),
        (
            "first_day: 2026-12-20, last_day: 2027-01-06",
            "first_day: 2026-11-01, last_day: 2026-11-21",
            "{first_day",
            "is over",
        ),
        ('"80202"', '"00000"', "postal_code", "no place is known for the ZIP code 00000"),
        ("max_per_day: 2", "max_per_day: 9", "max_per_day", "9 a day are never reached, as at most 8 a week"),
        ("max_per_week: 8", "max_per_week: 21", "max_per_week", "21 a week are never reached, as at most 20 a month"),
        ("target_per_month: 10", "target_per_month: 21", "target_per_month", "a target of 21 a month is never reached"),
        # slips
        (
            "[US-CO, US-TX]",
            "[CO, US-TX]",
            "CO, US-TX",
            "CO is the country Colombia. For the state of Colorado write US-CO.",
        ),
        ("[US-CO, US-TX]", "[US-TX, MX]", "licensed_in", "its locations are in US-CO, and this names neither"),
        (ANY, "- {region: [US-CO, IN]}\n", "IN]", "IN is the country India. For the state of Indiana write US-IN."),
        (
            PREFER,
            "- {question: contraindications, overlaps: [none]}",
            "none]",
            "none, so has none of contraindications, meets",
        ),
        (
            "none_of: [pregnancy, active_cancer]",
            "none_of: [active_cancer, none]",
            "none]",
            "does not meet this; only who has one can: remove none if that is not meant",
        ),
        (
            PREFER,
            "- {question: severity, at_least: 5, at_most: 6, borderline: 3}",
            "borderline: 3",
            "wider than what it surrounds, 5 to 6",
        ),
        ("availability: {", "availability: {paused: true, ", "paused", "matched with nobody while paused is true"),
        (
            PREFER,
            "- {id: age, question: severity, at_least: 5}",
            "id: age,",
            "age (line 21) asks for age too, and is called age_2",
        ),
        # nobody in the sample
        (
            FIBROMYALGIA,
            f"{FIBROMYALGIA}{AGAIN}- {MONTH_777}",
            "id: study",
            "onset_months (line 41) stood in the way of 100",
        ),
    ],
)
def test_a_warning_names_the_place_what_is_odd_and_what_to_do(
    tmp_path: Path, old: str, new: str, where: str, expected: str
) -> None:
    assert FINE.count(old) == 1
    text = FINE.replace(old, new)
    checked = check(tmp_path, text)
    assert checked.errors == ()
    [warning] = checked.warnings
    assert (warning.line, warning.column) == line_and_column(text, where)
    assert expected in warning.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2027-06-30", "2026-12-23"),
        ("first_day: 2026-12-20, last_day: 2027-01-06", "first_day: 2026-11-01, last_day: 2026-11-22"),
        ("max_per_day: 2", "max_per_day: 8"),
        (AGE, "- {age: {at_least: 18, at_most: 71}}"),
        (AGE, "- {age: {at_least: 18, at_most: 120}}"),
        ("- {age: {at_least: 70}}", "- {age_months: {at_least: 971}}"),
        ("[US-CO, US-TX]", "[US]"),
        (PREFER, "- {question: severity, at_least: 5, at_most: 6, borderline: 2}"),
        (AGE, f"- {{id: age, age: {{at_least: 18}}}}{AGAIN}- {{id: old, age: {{at_most: 80}}}}"),
        (ANY, "- {region: [US-CO, MX]}\n"),
        # Whoever waits for results is left open by the one and refused by the other.
        (AGE, "- {question: diagnosis_confirmed, one_of: [yes, no]}"),
        (ANY, "- {distance: travel}\n"),
        (AGE, f"- {{region: [US-PR, US-TX]}}{AGAIN}{AGE}"),
        (PREFER, "- {age: {at_least: 19}}"),
    ],
)
def test_what_only_looks_odd(tmp_path: Path, old: str, new: str) -> None:
    text = FINE.replace(old, new)
    assert text != FINE
    assert check(tmp_path, text, sample=0).warnings == ()


def test_a_day_is_the_providers_own(tmp_path: Path) -> None:
    text = FINE.replace("2027-06-30", "2026-11-22")
    late_on_the_22nd_in_denver = datetime(2026, 11, 23, 6, 59, tzinfo=UTC)
    [warning] = check(tmp_path, text, late_on_the_22nd_in_denver).warnings
    assert "expires today" in warning.message
    [warning] = check(tmp_path, text, late_on_the_22nd_in_denver.replace(hour=7)).warnings
    assert "has expired" in warning.message


@pytest.mark.parametrize(
    ("preference", "told"),
    [("{weight: 2, question: severity, at_least: 5}", True), ("{weight: 2, question: severity, at_least: 6}", False)],
)
def test_a_program_that_is_never_the_better_one(tmp_path: Path, preference: str, *, told: bool) -> None:
    text = f"""{FINE}      - id: children
        kind: clinic
        product: no_product
        name: {{en: Clinic, es: Clínica}}
        summary: {{en: Examination, es: Examen}}
        require:
          - {{question: condition, one_of: [fibromyalgia]}}
          - {{age: {{at_most: 17}}}}
          - {{question: contraindications, none_of: [pregnancy, active_cancer]}}
        prefer:
          - {preference}
"""
    text = text.replace(
        "        exclusion:",
        "        prefer: [{weight: 2, id: strong, question: severity, at_least: 5}]\n        exclusion:",
    )
    messages = [warning.message for warning in check(tmp_path, text).warnings]
    assert [("is taken by study, which stands before it" in message) for message in messages] == [True] * told


def test_a_file_with_errors_is_not_looked_over_for_more(tmp_path: Path) -> None:
    checked = check(tmp_path, FINE.replace("[lupus, sciatica]", "[lupuss]").replace("2027-06-30", "2020-01-01"))
    assert checked.warnings == ()
    [error] = checked.errors
    assert "perhaps lupus" in error.message


def test_what_is_too_entangled_to_tell_is_passed_over(tmp_path: Path) -> None:
    """Twenty times one of six is more cases than there are grains of sand."""
    questions = ("severity", "onset_months")
    tangle = ""
    for n in range(0, 60, 3):
        parts = [f"{{question: {questions[m % 2]}, at_least: {n + m}, at_most: {n + m + 1}}}" for m in range(6)]
        tangle += f"          - any: [{', '.join(parts)}]\n"
    text = FINE.replace(f"          {AGE}\n", tangle)
    assert check(tmp_path, text, sample=0).errors == ()
