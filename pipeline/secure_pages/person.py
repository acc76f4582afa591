"""What the person sees: how far the request is and, once it is answered, the ranked providers with reasons."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from config.conditions import OTHER, Evidence
from config.providers import Program, ProviderDocument
from config.screening import Question
from pipeline.consent.ledger import NEVER_SAID, Standing, read_standings
from pipeline.consent.purposes import ConsentPurpose, one_provider
from pipeline.context import Context
from pipeline.protected import Disclosure
from pipeline.protected_parts import ProtectedAnswers, open_answers, open_assessment
from pipeline.providers import read_documents
from pipeline.referral import HOLDS_THE_FACTS, read_matches, read_referrals
from pipeline.scoring.compare import Outcome
from pipeline.scoring.explanation import PersonExplanation, explain_to_person
from pipeline.scoring.rank import Match
from pipeline.secure_pages.asking import open_questions
from pipeline.secure_pages.link import Link
from pipeline.secure_pages.wording import Wording
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.submission import Sealed
from pipeline.validation import Answer


@dataclass(frozen=True, slots=True)
class Recommended:
    """One match, as the provider version it names was published.

    `shared`: the provider may see the answers now. `stopped`: the person took that back, for this provider for good.
    """

    rank: int
    document: ProviderDocument
    program: Program
    locations: tuple[str, ...]
    explanation: PersonExplanation
    shared: bool
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """An open question, in the words to ask it in; `answer` is the person's so far."""

    question: Question
    wording: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class PersonView:
    """`recommended`, best first, is there once providers were found; `questions` while they would decide a review.

    With `expert_decided`, an expert chose them: not all of their criteria need fit the answers.

    By the consent, `recipients_open` providers see the answers at one time, and `recipients_total` ever. `contact` and
    `sharing` say which consents are live.
    """

    language: str
    reference: str
    status: SubmissionStatus
    condition: str | None = None
    evidence: Evidence | None = None
    recommended: tuple[Recommended, ...] = ()
    recipients_open: int = 0
    recipients_total: int = 0
    questions: tuple[Asked, ...] = ()
    expert_decided: bool = False
    contact: bool = False
    sharing: bool = False


def read_person_view(
    context: Context, connection: Connection, link: Link, sealed: Sealed, language: str, disclosure: Disclosure
) -> PersonView:
    """Raises `SealBroken`."""
    standings = read_standings(connection, [link.submission_id], ConsentPurpose)
    contact, share = (
        standings.get((link.submission_id, each), NEVER_SAID) for each in (ConsentPurpose.CONTACT, ConsentPurpose.SHARE)
    )
    view = _view_by_status(context, connection, link, sealed, language, disclosure)
    agreed = context.screening.consent("consent_share").of_version(share.text_version)
    return replace(
        view,
        recommended=tuple(_with_stopped(each, share) for each in view.recommended),
        contact=contact.live,
        sharing=share.live,
        recipients_open=agreed.recipients_open if agreed else 0,
        recipients_total=agreed.recipients_total if agreed else 0,
    )


def _with_stopped(found: Recommended, share: Standing) -> Recommended:
    stopped = share.apart.get(one_provider(found.document.id)) is False
    return replace(found, shared=found.shared and not stopped, stopped=stopped)


def _view_by_status(
    context: Context, connection: Connection, link: Link, sealed: Sealed, language: str, disclosure: Disclosure
) -> PersonView:
    if link.submission_status is SubmissionStatus.NEEDS_REVIEW:
        questions = tuple(
            Asked(each.question, each.wording, None if each.answer is None else disclosure.reveal(each.answer))
            for each in open_questions(context, connection, sealed, language)
        )
        return PersonView(language, sealed.reference, link.submission_status, questions=questions)
    if link.submission_status is not SubmissionStatus.CANDIDATE:
        return PersonView(language, sealed.reference, link.submission_status)
    answers = open_answers(context, sealed)
    wording = Wording(context.screening, context.conditions, language)
    condition, evidence = condition_in_words(wording, answers, disclosure)
    explanation = disclosure.reveal(open_assessment(context, sealed))
    matches = read_matches(connection, [sealed.submission_id]).get(sealed.submission_id, [])
    return PersonView(
        language=language,
        reference=sealed.reference,
        status=link.submission_status,
        condition=condition,
        evidence=evidence,
        recommended=recommended(
            matches,
            read_documents(connection, [match.provider_version_id for match in matches]),
            explanation,
            wording,
            str(disclosure.reveal(answers["country"])),
            _sharing(connection, sealed.submission_id),
        ),
        expert_decided=by_expert(explanation),
    )


def condition_in_words(
    wording: Wording, answers: ProtectedAnswers, disclosure: Disclosure
) -> tuple[str, Evidence | None]:
    """The condition as the list names it, else in the person's own words; and what is known about treating it."""
    chosen = str(disclosure.reveal(answers["condition"]))
    known = wording.conditions.by_id.get(chosen)
    named = answers.get("condition_other") if chosen == OTHER else None
    in_words = str(disclosure.reveal(named)) if named is not None else ""
    return in_words or wording.condition(chosen), known.evidence if known else None


def by_expert(explanation: Mapping[str, Any]) -> bool:
    """Whether an expert chose what is recommended: nobody is shown what waits for one."""
    return bool(explanation["o"] == Outcome.NEEDS_REVIEW)


def recommended(
    matches: Iterable[Match],
    documents: Mapping[uuid.UUID, ProviderDocument],
    explanation: Mapping[str, Any],
    wording: Wording,
    country: str,
    sharing: frozenset[str] = frozenset(),
) -> tuple[Recommended, ...]:
    """The matches in words. `country` is the person's; `sharing` are the providers that may see the answers.

    Raises `LookupError` for what a version does not have.
    """
    return tuple(
        Recommended(
            rank=match.rank,
            document=document,
            program=document.program(match.program_id),
            locations=_places(document, wording, country),
            explanation=explain_to_person(
                explanation, document, match.provider_version_id, match.program_id, wording.language
            ),
            shared=match.provider_id in sharing,
        )
        for match in matches
        for document in [documents[match.provider_version_id]]
    )


def _sharing(connection: Connection, submission_id: uuid.UUID) -> frozenset[str]:
    referrals = read_referrals(connection, [submission_id]).get(submission_id, [])
    return frozenset(each.provider_id for each in referrals if ReferralStatus(each.status) in HOLDS_THE_FACTS)


def _places(document: ProviderDocument, wording: Wording, country: str) -> tuple[str, ...]:
    """Where people are seen; the country is named unless it is the person's own."""
    return tuple(
        place.city if place.country == country else f"{place.city}, {wording.country(place.country)}"
        for place in document.locations
    )
