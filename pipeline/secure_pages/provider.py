"""What a provider sees: the minimum it needs to say whether it takes the referral, and to reach the person."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from config.providers import Program, ProviderDocument
from config.screening import DataClass, LocalizedText, Question, QuestionType, Screening
from pipeline.context import Context
from pipeline.models import ProviderMatch, Referral
from pipeline.providers import read_documents
from pipeline.scoring.explanation import ProviderExplanation, explain_to_provider
from pipeline.secure_pages.link import Link
from pipeline.secure_pages.wording import Line, Wording
from pipeline.status import ReferralStatus
from pipeline.submission import Part, Sealed
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
    context: Context, connection: Connection, link: Link, sealed: Sealed, language: str
) -> ReferralView:
    """The view of a referral that is offered or accepted. Raises `SealBroken`."""
    row = connection.execute(
        select(Referral.table(), ProviderMatch.program_id)
        .join(
            ProviderMatch,
            (ProviderMatch.submission_id == Referral.submission_id)
            & (ProviderMatch.provider_id == Referral.provider_id),
        )
        .where(Referral.id == link.referral_id)
        .order_by(ProviderMatch.rank)
        .limit(1)
    ).one()
    document = read_documents(connection, [row.provider_version_id])[row.provider_version_id]
    zone = ZoneInfo(document.time_zone)
    answers: Mapping[str, Any] = sealed.open_json(context.vault, Part.ANSWERS)
    explanation: Mapping[str, Any] = sealed.open_json(context.vault, Part.ASSESSMENT)
    wording = Wording(context.screening, context.conditions, language)
    return ReferralView(
        language=language,
        reference=sealed.reference,
        document=document,
        program=document.program(row.program_id),
        received_on=sealed.received_at.astimezone(zone).date(),
        answer_by=(row.expires_at or row.closed_at).astimezone(zone),
        contact=wording.lines(_contact(context.screening), answers),
        facts=(
            *_age(answers, sealed.received_at.date(), language),
            *wording.lines(_health(context.screening), answers),
            *_consents(context.screening, answers, language),
        ),
        comparison=explain_to_provider(explanation, document, row.provider_version_id, row.program_id, language),
        accepted=ReferralStatus(row.status) is ReferralStatus.ACCEPTED,
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


def _age(answers: Mapping[str, Any], received_on: dt.date, language: str) -> tuple[Line, ...]:
    if "date_of_birth" not in answers:
        return ()
    years = age_on(received_on, dt.date.fromisoformat(answers["date_of_birth"]))
    return (Line(_AGE.in_language(language), _YEARS.in_language(language).format(years=years)),)


def _consents(screening: Screening, answers: Mapping[str, Any], language: str) -> tuple[Line, ...]:
    """What the person agreed to: the ground on which any of this is shown."""
    return tuple(
        Line(question.label.in_language(language), _AGREED.in_language(language).format(version=answers[question.id]))
        for question in screening.questions
        if question.type is QuestionType.CONSENT and question.id in answers
    )
