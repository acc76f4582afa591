"""What the person sees: how far the request is and, once it is answered, the ranked providers with reasons."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from config.conditions import OTHER, Evidence
from config.providers import Program, ProviderDocument
from pipeline.context import Context
from pipeline.providers import read_documents
from pipeline.referral import HOLDS_THE_FACTS, read_matches, read_referrals
from pipeline.scoring.compare import Outcome
from pipeline.scoring.explanation import PersonExplanation, explain_to_person
from pipeline.secure_pages.asking import OpenQuestion, open_questions
from pipeline.secure_pages.link import Link
from pipeline.secure_pages.wording import Wording
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.submission import Part, Sealed


@dataclass(frozen=True, slots=True)
class Recommended:
    """One match, as the provider version it names was published. `shared`: the provider may see the answers now."""

    rank: int
    document: ProviderDocument
    program: Program
    locations: tuple[str, ...]
    explanation: PersonExplanation
    shared: bool


@dataclass(frozen=True, slots=True)
class PersonView:
    """`recommended`, best first, is there once providers were found; `questions` while they would decide a review.

    With `expert_decided`, an expert chose them: not all of their criteria need fit the answers.

    By the consent, `recipients_open` providers see the answers at one time, and `recipients_total` ever.
    """

    language: str
    reference: str
    status: SubmissionStatus
    condition: str | None = None
    evidence: Evidence | None = None
    recommended: tuple[Recommended, ...] = ()
    recipients_open: int = 0
    recipients_total: int = 0
    questions: tuple[OpenQuestion, ...] = ()
    expert_decided: bool = False


def read_person_view(context: Context, connection: Connection, link: Link, sealed: Sealed, language: str) -> PersonView:
    """Raises `SealBroken`."""
    if link.submission_status is SubmissionStatus.NEEDS_REVIEW:
        questions = open_questions(context, connection, sealed, language)
        return PersonView(language, sealed.reference, link.submission_status, questions=questions)
    if link.submission_status is not SubmissionStatus.CANDIDATE:
        return PersonView(language, sealed.reference, link.submission_status)
    answers: Mapping[str, Any] = sealed.open_json(context.vault, Part.ANSWERS)
    wording = Wording(context.screening, context.conditions, language)
    condition = context.conditions.by_id.get(answers["condition"])
    consent = context.screening.consent("consent_share")
    named = answers.get("condition_other") if answers["condition"] == OTHER else None
    explanation: Mapping[str, Any] = sealed.open_json(context.vault, Part.ASSESSMENT)
    return PersonView(
        language=language,
        reference=sealed.reference,
        status=link.submission_status,
        condition=named or wording.condition(answers["condition"]),
        evidence=condition.evidence if condition else None,
        recommended=_recommended(connection, sealed.submission_id, explanation, wording, str(answers["country"])),
        recipients_open=consent.recipients_open,
        recipients_total=consent.recipients_total,
        expert_decided=explanation["o"] == Outcome.NEEDS_REVIEW,
    )


def _recommended(
    connection: Connection, submission_id: uuid.UUID, explanation: Mapping[str, Any], wording: Wording, country: str
) -> tuple[Recommended, ...]:
    matches = read_matches(connection, [submission_id]).get(submission_id, [])
    referrals = read_referrals(connection, [submission_id]).get(submission_id, [])
    documents = read_documents(connection, [match.provider_version_id for match in matches])
    holding = {each.provider_id for each in referrals if ReferralStatus(each.status) in HOLDS_THE_FACTS}
    return tuple(
        Recommended(
            rank=match.rank,
            document=document,
            program=document.program(match.program_id),
            locations=_places(document, wording, country),
            explanation=explain_to_person(
                explanation, document, match.provider_version_id, match.program_id, wording.language
            ),
            shared=match.provider_id in holding,
        )
        for match in matches
        for document in [documents[match.provider_version_id]]
    )


def _places(document: ProviderDocument, wording: Wording, country: str) -> tuple[str, ...]:
    """Where people are seen; the country is named unless it is the person's own."""
    return tuple(
        place.city if place.country == country else f"{place.city}, {wording.country(place.country)}"
        for place in document.locations
    )
