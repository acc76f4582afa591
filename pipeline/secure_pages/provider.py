"""What a provider sees: the minimum it needs to say whether it takes the referral, and to reach the person."""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from config.providers import Program, ProviderDocument
from config.screening import DataClass, LocalizedText, Question, QuestionType, Screening
from pipeline.context import Context
from pipeline.models import ProviderMatch, Referral
from pipeline.protected import Disclosure
from pipeline.protected_parts import ProtectedAnswers, open_answers, open_assessment
from pipeline.providers import read_documents
from pipeline.scoring.explanation import ProviderExplanation, explain_to_provider
from pipeline.secure_pages.link import Link
from pipeline.secure_pages.wording import Line, Wording
from pipeline.status import ReferralStatus
from pipeline.submission import Sealed
from pipeline.validation.answers import age_on

_TO_REACH = frozenset({"submitter", "language"})
"""Beside contact data, what one has to know before calling: who answers, and in which language."""

_NOT_NEEDED = frozenset({"date_of_birth", "budget"})
"""An age does for the first, and it opens the person's own page; the second weakens the person's side of the talk."""

_AGE = LocalizedText(en="Age when the form was received", es="Edad al recibir el formulario")
_YEARS = LocalizedText(en="{years} years", es="{years} años")
_AGREED = LocalizedText(en="Agreed (text of version {version})", es="Aceptado (texto de la versión {version})")


@dataclass(frozen=True, slots=True)
class ReferralView:
    """`answer_by` is in the provider's time zone; for a referral that was accepted, when that was."""

    language: str
    reference: str
    document: ProviderDocument
    program: Program
    received_on: dt.date
    answer_by: dt.datetime
    contact: tuple[Line, ...]
    facts: tuple[Line, ...]
    comparison: ProviderExplanation
    accepted: bool


def read_referral_view(
    context: Context, connection: Connection, link: Link, sealed: Sealed, language: str, disclosure: Disclosure
) -> ReferralView:
    """The view of a referral that is offered or accepted. Raises `SealBroken`."""
    row = read_referred(connection, [link.referral_id] if link.referral_id else [])[link.referral_id]
    document = read_documents(connection, [row.provider_version_id])[row.provider_version_id]
    zone = ZoneInfo(document.time_zone)
    answers = open_answers(context, sealed)
    wording = Wording(context.screening, context.conditions, language)
    return ReferralView(
        language=language,
        reference=sealed.reference,
        document=document,
        program=document.program(row.program_id),
        received_on=sealed.received_at.astimezone(zone).date(),
        answer_by=(row.expires_at or row.closed_at).astimezone(zone),
        contact=wording.lines(_contact(context.screening), answers, disclosure),
        facts=referral_facts(wording, sealed, answers, disclosure),
        comparison=explain_to_provider(
            disclosure.reveal(open_assessment(context, sealed)),
            document,
            row.provider_version_id,
            row.program_id,
            language,
        ),
        accepted=ReferralStatus(row.status) is ReferralStatus.ACCEPTED,
    )


def read_referred(connection: Connection, referral_ids: Collection[uuid.UUID]) -> dict[uuid.UUID | None, Row[Any]]:
    """Referrals by id, each with the `program_id` of its provider's best match."""
    rows = connection.execute(
        select(Referral.table(), ProviderMatch.program_id)
        .join(
            ProviderMatch,
            (ProviderMatch.submission_id == Referral.submission_id)
            & (ProviderMatch.provider_id == Referral.provider_id),
        )
        .where(Referral.id.in_(referral_ids))
        .order_by(ProviderMatch.rank.desc())
    )
    return {row.id: row for row in rows}


def referral_facts(
    wording: Wording, sealed: Sealed, answers: ProtectedAnswers, disclosure: Disclosure
) -> tuple[Line, ...]:
    """What the provider judges the referral by: nothing that says who the person is or how to reach it."""
    return (
        *_age(answers, sealed.received_at.date(), wording.language, disclosure),
        *wording.lines(_health(wording.screening), answers, disclosure),
        *_consents(wording.screening, answers, wording.language, disclosure),
    )


def _contact(screening: Screening) -> list[Question]:
    return [
        question
        for question in screening.questions
        if (question.data_class is DataClass.CONTACT or question.id in _TO_REACH) and question.id not in _NOT_NEEDED
    ]


def _health(screening: Screening) -> list[Question]:
    return [
        question
        for question in screening.questions
        if question.data_class is DataClass.HEALTH and question.id not in _NOT_NEEDED
    ]


def _age(answers: ProtectedAnswers, received_on: dt.date, language: str, disclosure: Disclosure) -> tuple[Line, ...]:
    if "date_of_birth" not in answers:
        return ()
    years = age_on(received_on, dt.date.fromisoformat(str(disclosure.reveal(answers["date_of_birth"]))))
    return (Line(_AGE.in_language(language), _YEARS.in_language(language).format(years=years)),)


def _consents(
    screening: Screening, answers: ProtectedAnswers, language: str, disclosure: Disclosure
) -> tuple[Line, ...]:
    """What the person agreed to: the ground on which any of this is shown."""
    agreed = _AGREED.in_language(language)
    return tuple(
        Line(question.label.in_language(language), agreed.format(version=disclosure.reveal(answers[question.id])))
        for question in screening.questions
        if question.type is QuestionType.CONSENT and question.id in answers
    )
