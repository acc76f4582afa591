"""Reading a posted screening form: what was typed, exactly as typed, and the answers in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID, uuid4

from starlette.datastructures import FormData

from config.screening import LANGUAGES, Question, QuestionType, Screening
from pipeline.validation import Answer

HONEYPOT = "contact_website"
"""A field no person sees. Programs that fill in every field give themselves away by it."""
TOKEN = "form_token"  # noqa: S105  a name of a form field
LANGUAGE = "form_language"
SWITCH_LANGUAGE = "switch_language"
DATE_PARTS = ("year", "month", "day")


@dataclass(frozen=True, slots=True)
class PostedForm:
    """One post of the form. `typed` holds every value of every field, for showing the form again unchanged."""

    typed: Mapping[str, tuple[str, ...]]
    answers: Mapping[str, object]
    language: str
    switch_to: str | None
    token: str
    honeypot_filled: bool = False

    def in_language(self, language: str) -> Self:
        """The same form in another language."""
        return replace(self, language=language)

    def with_new_token(self) -> Self:
        """The same form, to be stored as another submission when it is sent again."""
        return replace(self, token=new_token())


def new_token() -> str:
    """The idempotency key of one shown form: sending it twice gives one submission."""
    return str(uuid4())


def blank_form(language: str) -> PostedForm:
    """The form nobody has filled in yet; the emails' language is proposed to be the form's."""
    return PostedForm({"language": (language,)}, {}, language, None, new_token())


def date_part(question_id: str, part: str) -> str:
    """The field name of one part of a date."""
    return f"{question_id}-{part}"


def field_names(question: Question) -> tuple[str, ...]:
    """The names of the form fields that make up one answer."""
    if question.type is QuestionType.DATE:
        return tuple(date_part(question.id, part) for part in DATE_PARTS)
    return (question.id,)


def read_form(form: FormData, screening: Screening, language: str) -> PostedForm:
    """What was posted. Fields that are no question's are dropped; `language` is for a form that names none."""
    names = [name for question in screening.questions for name in field_names(question)]
    typed = {name: values for name in names if (values := _texts(form, name))}
    switch_to = _one(form, SWITCH_LANGUAGE)
    shown_in = _one(form, LANGUAGE)
    return PostedForm(
        typed=typed,
        answers=_answers(typed, screening),
        language=shown_in if shown_in in LANGUAGES else language,
        switch_to=switch_to if switch_to in LANGUAGES else None,
        token=_token(_one(form, TOKEN)),
        honeypot_filled=_one(form, HONEYPOT) != "",
    )


def typed_as(question: Question, answer: Answer) -> dict[str, tuple[str, ...]]:
    """What somebody would have typed into a question's fields to give an answer, in normal form."""
    if isinstance(answer, list):
        return {question.id: tuple(answer)}
    if question.type is QuestionType.DATE:
        return {
            date_part(question.id, part): (text,) for part, text in zip(DATE_PARTS, str(answer).split("-"), strict=True)
        }
    return {question.id: (str(answer),)}


def read_date(form: FormData, name: str) -> str:
    """A date from its three fields as year-month-day; not necessarily a day that exists."""
    return _joined_date({date_part(name, part): (_one(form, date_part(name, part)),) for part in DATE_PARTS}, name)


def _answers(typed: Mapping[str, tuple[str, ...]], screening: Screening) -> dict[str, object]:
    answers: dict[str, object] = {}
    for question in screening.questions:
        if question.type is QuestionType.DATE:
            answer: object = _joined_date(typed, question.id)
        elif question.type is QuestionType.CHOICES:
            answer = [value for value in typed.get(question.id, ()) if value]
        else:
            answer = typed.get(question.id, ("",))[0]
        if answer:
            answers[question.id] = answer
    return answers


def _joined_date(typed: Mapping[str, tuple[str, ...]], name: str) -> str:
    year, month, day = (typed.get(date_part(name, part), ("",))[0].strip() for part in DATE_PARTS)
    if not (year or month or day):
        return ""
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}"


def _texts(form: FormData, name: str) -> tuple[str, ...]:
    return tuple(value for value in form.getlist(name) if isinstance(value, str) and value)


def _one(form: FormData, name: str) -> str:
    texts = _texts(form, name)
    return texts[0] if texts else ""


def _token(sent: str) -> str:
    try:
        return str(UUID(sent))
    except ValueError:
        return new_token()
