"""A submission in review as an expert reads it: the answers in words, and what the software found, program by program.

Reading it is an access to health facts: it is on record before anything is shown.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from config.screening import DataClass, QuestionType, Screening
from pipeline.audit.actions import Actor, Detail
from pipeline.audit.record import DetailValue
from pipeline.context import Context
from pipeline.models import Duplicate, Review, Submission
from pipeline.protected import Disclosure, Purpose, disclose
from pipeline.protected_parts import ProtectedAnswers, open_answers, open_assessment
from pipeline.providers import NetworkInForce, read_documents
from pipeline.scoring.availability import closed
from pipeline.scoring.explanation import ProgramRecord, StaffExplanation, explain_to_staff, read_explanation
from pipeline.scoring.staff_words import CLOSED
from pipeline.scoring.verdict import Verdict
from pipeline.secure_pages.wording import Line, Wording
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.validation.answers import age_on

_LANGUAGE = "en"
"""Of the command line."""


class ReviewRefused(Exception):
    """It cannot be read or decided; nothing was changed. The message says why, and no answer."""


class Telling(ReviewRefused):
    """A refusal whose message tells of the person, so that to hear it is an access like reading the case."""


class NotOffered(Telling):
    """Programs cannot be offered. The message says of each why; that one does not fit tells of the person."""


class ConditionStands(Telling):
    """The person chose a condition of the list, which an expert does not name."""


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """All that an expert needs. `reasons` are codes of `ReviewReason`.

    `found` is told of the programs that fit or need information. `questions` would decide the latter: the form's words
    by question id. `obstacles` say why a program (`provider/program`) cannot be offered now; `None`: it can. `joined`
    are the references of later forms of the same person: what they say is not in `answers`.
    """

    submission_id: uuid.UUID
    reference: str
    source: str
    received_at: dt.datetime
    queued_at: dt.datetime
    reasons: tuple[str, ...]
    answers: tuple[Line, ...]
    found: StaffExplanation
    questions: Mapping[str, str]
    obstacles: Mapping[str, str | None]
    joined: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InReview:
    """A submission that is in review, locked: its place in the queue, its latest answers and their assessment."""

    sealed: Sealed
    reasons: tuple[str, ...]
    queued_at: dt.datetime


def open_case(context: Context, actor: Actor, submission_id: uuid.UUID) -> ReviewCase:
    """The case, after the commit that records who reads it. Raises `ReviewRefused` and `SealBroken`."""
    with context.database.read() as connection:
        in_force = context.networks.current(connection)
    with begin(context.database, context.keys, actor) as unit:
        waiting = lock_in_review(unit, submission_id)
        return _read_case(context, unit, waiting, in_force, record_access(unit, submission_id))


def record_access(unit: UnitOfWork, submission_id: uuid.UUID) -> Disclosure:
    """Whoever acts in this unit of work learns of a person's health once it is committed."""
    return disclose(unit, submission_id, Purpose.REVIEW, str(unit.actor))


def disclosure_to(actor: Actor) -> dict[Detail, DetailValue]:
    """The details of the record that an expert reads a case."""
    return {Detail.PURPOSE: Purpose.REVIEW.value, Detail.RECIPIENT: str(actor)}


def lock_in_review(unit: UnitOfWork, submission_id: uuid.UUID) -> InReview:
    """Lock a submission and read what its review is about. Raises `ReviewRefused` unless it is in review."""
    head = unit.lock([submission_id]).get(submission_id)
    if head is None or head.status is not SubmissionStatus.NEEDS_REVIEW:
        raise ReviewRefused("not in review" + (f" (its status is {head.status})" if head else ""))
    queued = unit.connection.execute(select(Review.table()).where(Review.submission_id == submission_id)).one()
    sealed = read_sealed(unit.connection, [submission_id], [Part.ANSWERS, Part.ASSESSMENT]).get(submission_id)
    if sealed is None:
        raise ReviewRefused("its answers were erased")
    return InReview(sealed, tuple(queued.reasons.split(",")), queued.queued_at)


def name_of(record: ProgramRecord) -> str:
    """How people call a program: `provider/program`."""
    return f"{record.provider_id}/{record.program_id}"


def obstacle(record: ProgramRecord, in_force: NetworkInForce, at: dt.datetime) -> str | None:
    """Why an expert cannot offer a judged program at a moment; `None`: it can be offered."""
    if record.verdict is Verdict.NOT_MET:
        return "does not fit"
    document = in_force.document_offering(record)
    if document is None:
        return "no longer in force"
    reason = closed(document, at)
    return f"closed ({CLOSED[reason]})" if reason is not None else None


def _read_case(
    context: Context, unit: UnitOfWork, waiting: InReview, in_force: NetworkInForce, disclosure: Disclosure
) -> ReviewCase:
    sealed = waiting.sealed
    explanation = disclosure.reveal(open_assessment(context, sealed))
    records = [record for record in read_explanation(explanation) if record.verdict is not Verdict.NOT_MET]
    return ReviewCase(
        submission_id=sealed.submission_id,
        reference=sealed.reference,
        source=sealed.source,
        received_at=sealed.received_at,
        queued_at=waiting.queued_at,
        reasons=waiting.reasons,
        answers=_answers(context, open_answers(context, sealed), sealed.received_at.date(), disclosure),
        found=_found(unit, explanation, records),
        questions={
            question_id: _label(question_id, context.screening)
            for record in records
            for question_id in record.questions
        },
        obstacles={name_of(record): obstacle(record, in_force, unit.now) for record in records},
        joined=_joined(unit, sealed.submission_id),
    )


def _joined(unit: UnitOfWork, submission_id: uuid.UUID) -> tuple[str, ...]:
    """The references of the forms that were joined to this submission, in the order received."""
    later = (
        select(Submission.reference)
        .join(Duplicate, Duplicate.submission_id == Submission.id)
        .where(Duplicate.duplicate_of == submission_id)
        .order_by(Submission.received_at, Submission.id)
    )
    return tuple(unit.connection.execute(later).scalars())


def _found(unit: UnitOfWork, explanation: Mapping[str, Any], records: Sequence[ProgramRecord]) -> StaffExplanation:
    """The explanation of these programs: what does not fit is not an expert's question."""
    documents = read_documents(unit.connection, [record.provider_version_id for record in records])
    told = explain_to_staff(explanation, documents)
    kept = {(record.provider_version_id, record.program_id) for record in records}
    programs = (program for program in told.programs if (program.provider_version_id, program.program_id) in kept)
    return replace(told, programs=tuple(programs))


def _label(question_id: str, screening: Screening) -> str:
    asked = screening.by_id.get(question_id)
    return asked.label.in_language(_LANGUAGE) if asked else question_id


def _answers(
    context: Context, answers: ProtectedAnswers, received_on: dt.date, disclosure: Disclosure
) -> tuple[Line, ...]:
    """What was said, without who said it: contact data decides nothing, and an age does for a date of birth."""
    wording = Wording(context.screening, context.conditions, _LANGUAGE)
    asked = [
        question
        for question in context.screening.questions
        if question.data_class is not DataClass.CONTACT and question.type is not QuestionType.CONSENT
    ]
    lines = wording.lines(asked, answers, disclosure)
    if "date_of_birth" not in answers:
        return lines
    born = dt.date.fromisoformat(str(disclosure.reveal(answers["date_of_birth"])))
    return (Line("Age when the form was received", f"{age_on(received_on, born)} years"), *lines)
