"""Validates all answers of a submission together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from config.conditions import Conditions
from config.screening import Question, QuestionType, Screening
from pipeline.validation.problems import FieldProblem, Refused, Rule
from pipeline.validation.readers import Answer, Reader, is_blank, reader_for

AGE_OF_MAJORITY = 18  # years; below it only a guardian may ask for somebody
_OLDEST = 120  # years
_UNKNOWN_FIELDS_NAMED = 10
# A name like this was written by a program. Any other unknown name may be something a person typed: it is not repeated.
_NAME_OF_A_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Validation:
    """`answers` holds, in the order of the questions, what was asked and could be read, in normal form.

    The submission is valid if there are no problems.
    """

    answers: dict[str, Answer]
    problems: tuple[FieldProblem, ...]


def validate(screening: Screening, conditions: Conditions, raw: Mapping[str, object], received_on: date) -> Validation:
    """Read the answers in `raw` (by question id) of a submission received on `received_on`.

    An answer to a question that was not to be asked (see `When`) is left out. Never raises because of what is in `raw`.
    """
    readers = _readers(screening, conditions)
    answers: dict[str, Answer] = {}
    problems = [
        FieldProblem(name if _NAME_OF_A_FIELD.fullmatch(name) else "answers", Rule.UNKNOWN_FIELD)
        for name in sorted(raw.keys() - readers.keys())[:_UNKNOWN_FIELDS_NAMED]
    ]
    country = _country(readers, raw)
    for field, (question, read) in readers.items():
        when = question.when
        if when is not None and answers.get(when.question) not in when.is_one_of:
            continue
        answer = raw.get(field)
        if is_blank(answer):
            if question.required:
                consent = question.type is QuestionType.CONSENT
                problems.append(FieldProblem(field, Rule.CONSENT_NEEDED if consent else Rule.REQUIRED))
            continue
        try:
            answers[field] = _read(question, read, answer, country, received_on)
        except Refused as refused:
            problems.append(FieldProblem(field, refused.rule, refused.minimum, refused.maximum))
    if _is_minor(answers, received_on) and answers.get("submitter") in {"self", "caregiver"}:
        problems.append(FieldProblem("submitter", Rule.MINOR_NEEDS_GUARDIAN))
    return Validation(answers, tuple(problems))


def age_on(day: date, born: date) -> int:
    """Full years of somebody `born` on a date. Who was born on a 29 February gets older on 1 March of other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _is_minor(answers: Mapping[str, Answer], received_on: date) -> bool:
    born = answers.get("date_of_birth")
    return born is not None and age_on(received_on, date.fromisoformat(str(born))) < AGE_OF_MAJORITY


def _read(question: Question, read: Reader, raw: object, country: str | None, received_on: date) -> Answer:
    answer = read(raw, country)
    if question.type is QuestionType.DATE:
        _refuse_impossible(date.fromisoformat(str(answer)), received_on)
    return answer


def _refuse_impossible(day: date, received_on: date) -> None:
    if day > received_on:
        raise Refused(Rule.FUTURE_DATE)
    if age_on(received_on, day) > _OLDEST:
        raise Refused(Rule.TOO_LONG_AGO, maximum=_OLDEST)


def _country(readers: Mapping[str, tuple[Question, Reader]], raw: Mapping[str, object]) -> str | None:
    """Phone numbers and postal codes depend on the country, which may be asked after them."""
    try:
        return str(readers["country"][1](raw.get("country"), None))
    except Refused:
        return None


@lru_cache(maxsize=8)
def _readers(screening: Screening, conditions: Conditions) -> dict[str, tuple[Question, Reader]]:
    return {question.id: (question, reader_for(question, conditions)) for question in screening.questions}
