"""One stored explanation, told to the person and the provider. What staff read is in `test_staff`."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from config.providers import ProviderDocument, load_providers
from config.screening import LANGUAGES
from pipeline.scoring import Network, explain_to_person, explain_to_provider, score
from pipeline.scoring.explanation import PersonExplanation, ProviderExplanation, read_explanation
from pipeline.scoring.facts import Answer
from pipeline.scoring.verdict import Verdict
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.network_files import program, provider, version_id

ANSWERS: dict[str, Answer] = {
    "condition": "fibromyalgia",
    "severity": 5,
    "contraindications": ["anticoagulants"],
    "date_of_birth": "1980-01-01",
}
CONDITION = {"question": "condition", "one_of": ["fibromyalgia", "lupus"]}
STUDY: dict[str, Any] = {
    "kind": "study",
    "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
}
TEXAS = {"country": "US", "postal_code": "78701"}
THEN = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stored(document: ProviderDocument, answers: Mapping[str, Answer] = ANSWERS) -> dict[str, Any]:
    network = Network.of([(version_id(document.id), document)])
    explanation: dict[str, Any] = json.loads(json.dumps(score(answers, network, THEN.date(), THEN).explanation))
    return explanation


def told(
    document: ProviderDocument, language: str = "en", answers: Mapping[str, Answer] = ANSWERS
) -> tuple[PersonExplanation, ProviderExplanation]:
    which = (stored(document, answers), document, version_id(document.id), "clinic", language)
    return explain_to_person(*which), explain_to_provider(*which)


def test_the_person_reads_own_words_usual_words_and_what_is_not_known() -> None:
    own = CONDITION | {"person": {"en": "They see people with this.", "es": "Atienden a personas con esto."}}
    prefer = [{"question": "onset_months", "at_least": 6}, {"question": "severity", "at_least": 9}]
    document = provider(program([own, {"age": {"at_least": 18}}], prefer))
    person, own_provider = told(document)
    assert person.reasons == ("They see people with this.", "The age is within what this program takes.")
    assert person.not_known == ("We do not know: time since it began, in months (6 or more).",)
    assert own_provider == ProviderExplanation(
        met=("Condition", "Age (18 or more)"), not_known=("Time since it began, in months (6 or more)",)
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
    assert own_provider.met[1:] == ("Age (up to 60)", "None of your exclusions applies to the answers")


def test_what_a_study_excludes_is_told_as_one_sentence_and_its_rules_for_review_are_not_told() -> None:
    excluded = [
        {"question": "contraindications", "overlaps": ["pregnancy"]},
        {"question": "prior_treatments", "overlaps": ["cell_therapy"]},
    ]
    rules = [{"question": "severity", "at_least": 9}, {"question": "onset_months", "at_least": 240}]
    document = provider(program([], **STUDY, inclusion=[CONDITION], exclusion=excluded, review_if=rules))
    person, own_provider = told(document, answers=ANSWERS | {"prior_treatments": ["medication"]})
    assert person.reasons == (
        "This program lists the condition you named.",
        "Nothing you told us is among what this program excludes.",
    )
    assert (person.not_known, own_provider.not_known) == ((), ())
    unanswered, own_provider = told(document)
    assert unanswered.reasons == ("This program lists the condition you named.",)
    assert unanswered.not_known == ("We do not know: earlier treatments.",)
    assert own_provider == ProviderExplanation(met=("Condition",), not_known=("Earlier treatments",))


@pytest.mark.parametrize(
    ("criterion", "english", "spanish"),
    [
        (
            {"region": "licensed"},
            "It says that it is licensed where you live.",
            "Indica que tiene licencia donde usted vive.",
        ),
        (
            {"region": ["MX", "US-TX"]},
            "This program takes people who live where you do.",
            "Este programa recibe personas que viven donde usted vive.",
        ),
        (
            {"age_months": {"at_most": 1200}},
            "The age is within what this program takes.",
            "La edad está dentro de lo que acepta este programa.",
        ),
        (
            {"question": "country", "equals": "US"},
            "This program takes people from the country you named.",
            "Este programa recibe personas del país que usted indicó.",
        ),
        (
            {"question": "prior_treatments", "none_of": ["surgery"]},
            "Nothing you told us about this is excluded: earlier treatments.",
            "Nada de lo que indicó sobre esto se excluye: tratamientos anteriores.",
        ),
    ],
)
def test_usual_words_of_a_met_leaf(criterion: dict[str, Any], english: str, spanish: str) -> None:
    document = provider(program([criterion]), licensed_in=["US-TX"])
    answers = ANSWERS | TEXAS | {"prior_treatments": ["medication"]}
    assert told(document, "en", answers)[0].reasons == (english,)
    assert told(document, "es", answers)[0].reasons == (spanish,)


@pytest.mark.parametrize("budget", [{"budget": "up_to_5000"}, {}])
def test_the_provider_reads_nothing_about_what_the_person_can_pay(budget: dict[str, Answer]) -> None:
    document = provider(program([CONDITION, {"budget": ["up_to_5000", "up_to_10000"]}]))
    person, own_provider = told(document, answers=ANSWERS | budget)
    assert own_provider == ProviderExplanation(met=("Condition",))
    assert any("budget" in line for line in person.lines)


def test_a_met_criterion_that_excludes_is_told_to_the_provider_as_such() -> None:
    excluded = {"question": "contraindications", "none_of": ["pregnancy"]}
    document = provider(program([CONDITION, excluded]))
    assert told(document)[1].met == ("Condition", "Safety exclusions: nothing that you exclude")
    assert told(document, "es")[1].met[1] == "Exclusiones por seguridad: nada de lo que usted excluye"


def test_a_question_of_the_programs_own_stands_beside_what_is_not_known() -> None:
    ask = {"en": "Since when?", "es": "¿Desde cuándo?"}
    document = provider(program([CONDITION], [{"question": "onset_months", "at_least": 6, "ask": ask}]))
    name = "time since it began, in months (6 or more)"
    assert told(document)[0].not_known == (f"We do not know: {name}. This program asks: Since when?",)
    assert told(document, "es")[0].not_known[0].endswith("Este programa pregunta: ¿Desde cuándo?")


def test_an_answer_just_outside_is_not_called_unknown_and_the_person_reads_who_looked_at_it() -> None:
    document = provider(program([CONDITION, {"age_months": {"at_most": 560}, "borderline": 6}]))
    explanation = stored(document)
    assert (explanation["o"], explanation["w"]) == ("needs_review", ["borderline"])
    person, own_provider = told(document)
    name = "age (up to 560 months)"
    assert person.not_known == (
        f"Your answer is just outside of what this program states, and an expert has looked at it: {name}.",
    )
    assert own_provider == ProviderExplanation(met=("Condition",), borderline=("Age (up to 560 months)",))
    spanish, _ = told(document, "es")
    assert spanish.not_known[0].endswith("y un experto la ha revisado: edad (hasta 560 meses).")


def test_a_preference_missed_by_a_little_needs_no_expert_and_is_not_said_to_have_had_one() -> None:
    document = provider(program([CONDITION], [{"question": "severity", "at_least": 6, "borderline": 1}]))
    assert stored(document)["o"] == "candidate"
    name = "effect on daily life, 0 to 10 (6 or more)"
    assert told(document)[0].not_known == (f"Your answer is just outside of what this program states: {name}.",)


@pytest.mark.parametrize(
    ("product", "other", "expected"),
    [
        ("no_product", {}, []),
        ("approved_use", {}, ["approved for certain uses only"]),
        ("unapproved_therapy", {}, ["has not been approved by the U.S. Food", "ask whether the FDA has reviewed it"]),
        (
            "investigational",
            STUDY,
            ["This is research.", "voluntary, and you can stop", "Fictional Board (number F-1) reviewed"],
        ),
    ],
)
def test_notices(product: str, other: dict[str, Any], expected: list[str]) -> None:
    person, _ = told(provider(program([CONDITION], product=product, **other)))
    assert len(person.notices) == len(expected)
    for notice, part in zip(person.notices, expected, strict=True):
        assert part in notice
    if other:
        assert "(IRB) is not approval by the FDA" in person.notices[-1]


@pytest.mark.parametrize(("product", "told_so"), [("unapproved_therapy", True), ("no_product", False)])
def test_a_product_offered_abroad_is_said_to_be_out_of_the_fdas_reach(product: str, *, told_so: bool) -> None:
    abroad = [{"id": "tijuana", "city": "Tijuana", "country": "MX", "postal_code": "22010"}]
    person, _ = told(provider(program([CONDITION], product=product), locations=abroad))
    assert any("outside the United States" in notice for notice in person.notices) is told_so


def test_what_the_first_release_stored_stays_readable() -> None:
    version = version_id("blue-mesa")
    criteria = {"condition": "m", "severity": "u", "age": "n"}
    programs = [{"g": "clinic", "r": "n", "s": 50, "c": criteria}]
    old = {"d": "2026-11-01", "o": "no_match", "w": [], "p": [{"p": "blue-mesa", "v": str(version), "g": programs}]}
    (record,) = read_explanation(old)
    assert record.criteria == {"condition": Verdict.MET, "severity": Verdict.UNKNOWN, "age": Verdict.NOT_MET}
    assert (record.provider_id, record.provider_version_id, record.program_id) == ("blue-mesa", version, "clinic")
    assert (record.verdict, record.score) == (Verdict.NOT_MET, 50)
    assert (record.borderline, record.questions, record.closed, record.expert_rule) == (frozenset(), {}, None, False)
    document = provider(program([CONDITION, {"question": "severity", "at_least": 3}, {"age": {"at_most": 40}}]))
    person = explain_to_person(old, document, version, "clinic", "en")
    assert person.not_known == ("We do not know: effect on daily life, 0 to 10 (3 or more).",)


def test_a_program_the_explanation_does_not_name() -> None:
    document = provider(program([CONDITION]))
    with pytest.raises(LookupError, match="does not name"):
        explain_to_person(stored(document), document, uuid4(), "clinic", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sample_network_promises_nothing(language: str) -> None:
    network_file = load_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS)
    versions = [(version_id(document.id), document) for document in network_file.providers]
    explanation = score(ANSWERS, Network.of(versions), date(2026, 11, 22), THEN).explanation
    said = [
        line
        for version, document in versions
        for offered in document.programs
        for line in (
            offered.summary.in_language(language),
            offered.name.in_language(language),
            *explain_to_person(explanation, document, version, offered.id, language).lines,
            *explain_to_provider(explanation, document, version, offered.id, language).lines,
        )
    ]
    promises = ("cure", "heal", "effective", "eligible", "recommended", "proven", "eficaz", "curar", "elegible")
    assert [line for line in said for word in promises if word in line.lower().replace("health", "")] == []
