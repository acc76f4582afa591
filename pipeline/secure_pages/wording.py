"""Answers in words, as a page shows them beside the question's label."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from babel import Locale
from babel.dates import format_date
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, parse

from config.conditions import Conditions
from config.screening import Question, QuestionType, Screening
from pipeline.protected import Disclosure
from pipeline.protected_parts import ProtectedAnswers
from pipeline.validation import Answer


@dataclass(frozen=True, slots=True)
class Line:
    """A label and what was answered."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Wording:
    """Puts answers into words in one language."""

    screening: Screening
    conditions: Conditions
    language: str

    def lines(
        self, questions: Iterable[Question], answers: ProtectedAnswers, disclosure: Disclosure
    ) -> tuple[Line, ...]:
        """A line for each of `questions` that was answered. Nothing else is revealed."""
        return tuple(
            Line(
                question.label.in_language(self.language),
                self.value(question, disclosure.reveal(answers[question.id])),
            )
            for question in questions
            if question.id in answers
        )

    def value(self, question: Question, answer: Answer) -> str:
        """The answer in words. One that the questions no longer know is shown as it was kept."""
        if isinstance(answer, list):
            return "; ".join(self._option(question, each) for each in answer)
        text = str(answer)
        match question.type:
            case QuestionType.CHOICE:
                return self._option(question, text)
            case QuestionType.CONDITION:
                return self.condition(text)
            case QuestionType.COUNTRY:
                return self.country(text)
            case QuestionType.LANGUAGE:
                return str(Locale.parse(self.language).languages.get(text, text)).capitalize()
            case QuestionType.DATE:
                return format_date(dt.date.fromisoformat(text), format="long", locale=self.language)
            case QuestionType.PHONE:
                return _phone(text)
            case _:
                return text

    def condition(self, condition_id: str) -> str:
        found = self.conditions.by_id.get(condition_id)
        return found.label.in_language(self.language) if found else condition_id

    def country(self, code: str) -> str:
        return str(Locale.parse(self.language).territories.get(code, code))

    def _option(self, question: Question, option_id: str) -> str:
        found = next((option for option in question.options if option.id == option_id), None)
        return found.label.in_language(self.language) if found else option_id


def _phone(number: str) -> str:
    try:
        return format_number(parse(number), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return number
