"""What stands on the pages: for the person, reasons and evidence; for a provider, no more than it needs."""

import pytest

from config.conditions import EvidenceLevel
from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.providers import publish
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from pipeline.secure_pages.opening import open_page
from pipeline.secure_pages.person import PersonView
from pipeline.secure_pages.provider import ReferralView
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin
from tests.config.shipped import ANSWERS
from tests.pipeline.secure_pages.links import BORN, NEXT, PROVIDERS, Referred, referred


def person_view(case: Referred, language: str = "en", kind: EmailKind = EmailKind.RECOMMENDATION) -> PersonView:
    opened = open_page(case.context, case.token(kind), None, BORN, language, "request")
    assert isinstance(opened.view, PersonView)  # type: ignore[union-attr]
    return opened.view  # type: ignore[union-attr]


def referral_view(case: Referred, language: str, provider_id: str = PROVIDERS[0]) -> ReferralView:
    session = case.provider_session(provider_id)
    opened = open_page(case.context, case.provider_token(provider_id), session, None, language, "request")
    assert isinstance(opened.view, ReferralView)  # type: ignore[union-attr]
    return opened.view  # type: ignore[union-attr]


def test_the_person_sees_ranked_providers_with_reasons_and_who_may_see_the_answers(sqlite_context: Context) -> None:
    case = referred(sqlite_context)
    english, spanish = person_view(case), person_view(case, "es")
    assert [each.document.id for each in english.recommended[:4]] == [*PROVIDERS, NEXT]
    assert [each.rank for each in english.recommended] == list(range(1, len(english.recommended) + 1))
    assert [each.shared for each in english.recommended[:4]] == [True, True, True, False]
    assert all(each.explanation.reasons for each in english.recommended)
    assert english.evidence is not None
    assert english.evidence.level in set(EvidenceLevel)
    assert (english.condition, spanish.condition) == ("Fibromyalgia", "Fibromialgia")
    for one, other in zip(english.recommended, spanish.recommended, strict=True):
        assert not set(one.explanation.reasons) & set(other.explanation.reasons)
    consent = sqlite_context.screening.consent("consent_share")
    promised = (consent.recipients_open, consent.recipients_total)
    assert (english.recipients_open, english.recipients_total) == promised == (3, 5)
    assert not english.expert_decided
    decline = ProviderAnswer(accepts=False, reason="other")
    token, session = case.provider_token(), case.provider_session()
    answer_referral(sqlite_context, token, session, decline, None, "request", lambda _lane: None)
    assert not person_view(case).recommended[0].shared


def test_what_was_recommended_is_shown_as_it_was_published_then(
    sqlite_context: Context, network: tuple[ProviderDocument, ...]
) -> None:
    case = referred(sqlite_context)
    renamed = [
        document.model_copy(update={"name": "Renamed", "programs": document.programs[:1]})
        for document in network
        if document.id not in PROVIDERS[1:]
    ]
    with begin(sqlite_context.database, sqlite_context.keys, actions.staff("tests")) as unit:
        publish(unit, renamed)
    names = {each.document.name for each in person_view(case).recommended}
    assert "Renamed" not in names
    by_id = {document.id: document for document in network}
    assert {by_id[provider_id].name for provider_id in PROVIDERS} <= names
    assert referral_view(case, "en").document.name == by_id[PROVIDERS[0]].name


@pytest.mark.parametrize(
    ("changes", "kind", "status"),
    [
        ({"condition": "other", "condition_other": "Rare"}, EmailKind.IN_REVIEW, SubmissionStatus.NEEDS_REVIEW),
        ({}, EmailKind.JOINED, SubmissionStatus.DUPLICATE),
    ],
)
def test_before_there_is_an_answer_the_page_tells_how_far_it_is(
    sqlite_context: Context, changes: dict[str, str], kind: EmailKind, status: SubmissionStatus
) -> None:
    referred(sqlite_context)
    view = person_view(referred(sqlite_context, **changes), kind=kind)
    assert (view.status, view.condition, view.recommended) == (status, None, ())


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_provider_sees_what_it_needs_in_words_and_no_more(sqlite_context: Context, language: str) -> None:
    case = referred(sqlite_context)
    view = referral_view(case, language)
    contact = {line.label: line.value for line in view.contact}
    facts = {line.label: line.value for line in view.facts}
    label = {name: sqlite_context.screening.question(name).label.in_language(language) for name in ANSWERS}
    assert contact[label["email"]] == ANSWERS["email"]
    assert contact[label["phone"]] == "+1 415-555-0132"
    assert contact[label["country"]] == {"en": "United States", "es": "Estados Unidos"}[language]
    assert contact[label["language"]] == {"en": "Spanish", "es": "Español"}[language]
    assert facts[label["condition"]] == {"en": "Fibromyalgia", "es": "Fibromialgia"}[language]
    prior = {"en": "Medication; Physical therapy", "es": "Medicamentos; Fisioterapia"}[language]
    assert facts[label["prior_treatments"]] == prior
    assert facts[label["severity"]] == "7"
    assert ANSWERS["consent_share"] in facts[label["consent_share"]]
    assert not {label["budget"], label["date_of_birth"], label["travel"]} & (contact.keys() | facts.keys())
    said = " ".join((*contact.values(), *facts.values()))
    assert "1975" not in said, "the date of birth opens the person's own page"
    assert not set(sqlite_context.screening.question("budget").option_ids) & set(said.split())
    assert str(view.answer_by.tzinfo) == view.document.time_zone
    condition = {"en": "Condition", "es": "Padecimiento"}[language]
    assert condition in view.comparison.met
    refused = {
        "en": "Earlier treatments: nothing that you exclude",
        "es": "Tratamientos anteriores: nada de lo que usted excluye",
    }[language]
    assert refused in view.comparison.met
    assert view.comparison.not_known == ()
