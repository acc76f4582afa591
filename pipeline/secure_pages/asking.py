"""What to ask the person whose request is in review: exactly the questions that would decide it."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from config.providers import ProviderDocument
from config.screening import LocalizedText, Question
from pipeline.context import Context
from pipeline.protected import Protected
from pipeline.providers import read_documents
from pipeline.scoring.assess import ReviewReason
from pipeline.scoring.record import ProgramRecord, leaves_by_id, read_explanation
from pipeline.scoring.verdict import Verdict
from pipeline.submission import Part, Sealed
from pipeline.validation import Answer

MOST_ADDED = 3
"""So often are answers added to one request. Each time makes another email; after these an expert decides."""

_REVIEWED_WHATEVER_IS_ANSWERED = frozenset(
    {
        ReviewReason.FREE_TEXT_CONDITION.value,
        ReviewReason.CONTRADICTION.value,
        ReviewReason.EXPERT_RULE.value,
    }
)


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question of the form, the words to ask it in, and what was answered so far ("not sure", perhaps)."""

    question: Question
    wording: str
    answer: Protected[Answer] | None


def open_questions(context: Context, connection: Connection, sealed: Sealed, language: str) -> tuple[OpenQuestion, ...]:
    """What the programs that need information would know from the person, in the order of the form.

    Nothing if an expert has to look at the request whatever is answered or answers were added often enough, and no
    question that the form would not have asked this person. `sealed` holds the answers and, if it was scored, the
    assessment. Raises `SealBroken`.
    """
    waiting = undecided(context, sealed)
    documents = read_documents(connection, [record.provider_version_id for record in waiting])
    return questions_of(context, sealed, waiting, documents, language)


def undecided(context: Context, sealed: Sealed) -> tuple[ProgramRecord, ...]:
    """The programs that answers of the person would decide; see `open_questions`. Raises `SealBroken`."""
    if Part.ASSESSMENT not in sealed.parts or not may_be_asked(sealed.parts[Part.ANSWERS].number):
        return ()
    explanation: Mapping[str, Any] = sealed.open_json(context.vault, Part.ASSESSMENT)
    if _REVIEWED_WHATEVER_IS_ANSWERED.intersection(explanation["w"]):
        return ()
    return tuple(record for record in read_explanation(explanation) if _needs_answers(record))


def questions_of(
    context: Context,
    sealed: Sealed,
    waiting: Sequence[ProgramRecord],
    documents: Mapping[uuid.UUID, ProviderDocument],
    language: str,
) -> tuple[OpenQuestion, ...]:
    """The questions of `waiting` programs, whose versions are in `documents`. Raises `SealBroken`."""
    wordings = _wordings(waiting, documents)
    answers: Mapping[str, Answer] = sealed.open_json(context.vault, Part.ANSWERS)
    return tuple(
        OpenQuestion(
            question,
            _common(wordings[question.id], question.label).in_language(language),
            Protected(answers[question.id], question.data_class) if question.id in answers else None,
        )
        for question in context.screening.questions
        if question.id in wordings and _is_asked(question, answers)
    )


def may_be_asked(number: int) -> bool:
    """Whether more may be asked of a person who has sent answers `number` times, the form included."""
    return number <= MOST_ADDED


def _needs_answers(record: ProgramRecord) -> bool:
    """A provider that was closed when it was judged had no say in the outcome."""
    return record.verdict is Verdict.UNKNOWN and record.closed is None and bool(record.questions)


def _wordings(
    records: Sequence[ProgramRecord], documents: Mapping[uuid.UUID, ProviderDocument]
) -> dict[str, set[LocalizedText | None]]:
    """How each open question is asked by the programs that ask it; `None` by those that leave that to the form."""
    wordings: dict[str, set[LocalizedText | None]] = defaultdict(set)
    for record in records:
        criteria = leaves_by_id(documents[record.provider_version_id].program(record.program_id))
        questions_of = Counter(record.questions.values())
        for question_id, criterion_id in record.questions.items():
            # Words for one question do not fit the other where a criterion needs two, such as a place and a distance.
            alone = questions_of[criterion_id] == 1
            wordings[question_id].add(criteria[criterion_id].ask if alone else None)
    return wordings


def _common(wordings: set[LocalizedText | None], label: LocalizedText) -> LocalizedText:
    """The programs' words if all of them ask alike, else the form's."""
    first, *others = wordings
    return label if others or first is None else first


def _is_asked(question: Question, answers: Mapping[str, Answer]) -> bool:
    when = question.when
    return when is None or answers.get(when.question) in when.is_one_of
