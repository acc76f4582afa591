"""The screening form as its template shows it: sections of fields, built from the questions and what was typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from unicodedata import combining, normalize

import pycountry
from babel import Locale
from babel.lists import format_list

from config.conditions import OTHER, Conditions
from config.screening import LocalizedText, Question, QuestionType, Screening
from pipeline.translation import translations
from pipeline.validation import FieldProblem, Rule
from web.form import date_part
from web.pages import LANGUAGE_NAMES

_WIDEST_SCALE = 10


class Control(StrEnum):
    """How a question is put on the page."""

    LINE = "line"
    SELECT = "select"
    RADIOS = "radios"
    SCALE = "scale"
    CHECKBOXES = "checkboxes"
    DATE = "date"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option to choose; `value` is what is sent."""

    id: str
    value: str
    label: str
    chosen: bool
    group: str | None = None


@dataclass(frozen=True, slots=True)
class DatePart:
    """One of the three fields of a date."""

    id: str
    part: str
    value: str
    autocomplete: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """When the question is asked: in words, and as values for the script that hides it otherwise."""

    question_id: str
    question: str
    values: str
    answers: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question on the page."""

    id: str
    control: Control
    label: str
    help: str | None
    required: bool
    error: str | None
    when: Condition | None
    value: str = ""
    choices: tuple[Choice, ...] = ()
    parts: tuple[DatePart, ...] = ()
    exclusive: str | None = None
    consent_text: str | None = None
    input_type: str = "text"
    input_mode: str | None = None
    autocomplete: str | None = None

    @property
    def focus_id(self) -> str:
        """The element a link to this field goes to."""
        if self.parts:
            return self.parts[0].id
        if self.choices and self.control is not Control.SELECT:
            return self.choices[0].id
        return f"f-{self.id}"

    @property
    def described_by(self) -> str | None:
        """The ids of the texts that belong to the field, in reading order."""
        there = {"title": self.consent_text, "when": self.when, "help": self.help, "text": self.consent_text}
        there["error"] = self.error
        return " ".join(f"{self.id}-{name}" for name, text in there.items() if text) or None

    @property
    def attributes(self) -> dict[str, str | None]:
        """The attributes of its one element that depend on the question and its state."""
        return {
            "aria-describedby": self.described_by,
            "aria-invalid": "true" if self.error else None,
            "autocomplete": self.autocomplete,
            "inputmode": self.input_mode,
            "class": "short" if self.input_mode else None,
            "required": "" if self.required and not self.when else None,
        }


@dataclass(frozen=True, slots=True)
class FormSection:
    """Fields that stand together under one title."""

    id: str
    title: str
    help: str | None
    fields: tuple[Field, ...]


_AUTOCOMPLETE = {
    "guardian_name": "name",
    "first_name": "given-name",
    "last_name": "family-name",
    "sex_at_birth": "sex",
    "date_of_birth": "bday",
    "email": "email",
    "phone": "tel",
    "country": "country",
    "postal_code": "postal-code",
    "language": "language",
}
_INPUT_TYPES = {QuestionType.EMAIL: "email", QuestionType.PHONE: "tel"}
_QUOTATION_MARKS = {"en": ("“", "”"), "es": ("«", "»")}
# Day and month stand in the order people write them.
_DATE_ORDER = {"en": ("month", "day", "year"), "es": ("day", "month", "year")}


def date_parts(
    name: str, language: str, typed: Mapping[str, Sequence[str]], autocomplete: str | None
) -> tuple[DatePart, ...]:
    """The three fields of a date in the order of the language."""
    return tuple(
        DatePart(
            id=f"f-{date_part(name, part)}",
            part=part,
            value=next(iter(typed.get(date_part(name, part), ())), ""),
            autocomplete=f"{autocomplete}-{part}" if autocomplete else None,
        )
        for part in _DATE_ORDER[language]
    )


@dataclass(frozen=True, slots=True)
class FormView:
    """Builds the sections of the form in one language."""

    screening: Screening
    conditions: Conditions
    language: str

    def sections(
        self, typed: Mapping[str, Sequence[str]], problems: Iterable[FieldProblem] = ()
    ) -> tuple[FormSection, ...]:
        """Every section with what was typed in its place and the first problem of each field beside it."""
        errors = self._errors(problems)
        return tuple(
            FormSection(
                section.id,
                section.title.in_language(self.language),
                self._text(section.help),
                tuple(self._field(self.screening.question(name), typed, errors) for name in section.questions),
            )
            for section in self.screening.sections
        )

    def asked_alone(
        self,
        wordings: Mapping[str, str],
        typed: Mapping[str, Sequence[str]],
        problems: Iterable[FieldProblem] = (),
    ) -> tuple[Field, ...]:
        """Single questions, by id, in other words than the form's. None is required: they may be left for later."""
        errors = self._errors(problems)
        fields = (self._field(self.screening.question(name), typed, errors) for name in wordings)
        return tuple(replace(field, label=wordings[field.id], required=False, when=None) for field in fields)

    def _errors(self, problems: Iterable[FieldProblem]) -> dict[str, str]:
        errors: dict[str, str] = {}
        for problem in problems:
            errors.setdefault(problem.field, self._message(problem))
        return errors

    def _text(self, text: LocalizedText | None) -> str | None:
        return text.in_language(self.language) if text else None

    def _message(self, problem: FieldProblem) -> str:
        if problem.rule is Rule.NOT_A_DATE:  # validation speaks of one field, the form has three
            message = "Please enter a date that exists. The year has four digits."
            return translations(self.language, "web").gettext(message)
        return problem.message(self.language)

    def _field(self, question: Question, typed: Mapping[str, Sequence[str]], errors: Mapping[str, str]) -> Field:
        values = typed.get(question.id, ())
        control = _control(question)
        autocomplete = _AUTOCOMPLETE.get(question.id)
        return Field(
            id=question.id,
            control=control,
            label=question.label.in_language(self.language),
            help=self._text(question.help),
            required=question.required,
            error=errors.get(question.id),
            when=self._when(question),
            value=values[0] if values else "",
            choices=self._choices(question, control, values),
            parts=date_parts(question.id, self.language, typed, autocomplete) if control is Control.DATE else (),
            exclusive=question.exclusive_option,
            consent_text=self._text(question.consent.text if question.consent else None),
            input_type=_INPUT_TYPES.get(question.type, "text"),
            input_mode="numeric" if question.type is QuestionType.INTEGER else None,
            autocomplete=autocomplete,
        )

    def _choices(self, question: Question, control: Control, values: Sequence[str]) -> tuple[Choice, ...]:
        if question.type is QuestionType.CONDITION:
            return self._conditions(question, values)
        return tuple(
            Choice(f"f-{question.id}-{value}", value, label, value in values)
            for value, label in self._options(question, control)
        )

    def _conditions(self, question: Question, values: Sequence[str]) -> tuple[Choice, ...]:
        groups = {group.id: group.label.in_language(self.language) for group in self.conditions.groups}
        return tuple(
            Choice(
                id=f"f-{question.id}-{condition.id}",
                value=condition.id,
                label=condition.label.in_language(self.language),
                chosen=condition.id in values,
                group=None if condition.id == OTHER else groups[condition.group],
            )
            for condition in self.conditions.conditions
        )

    def _options(self, question: Question, control: Control) -> list[tuple[str, str]]:
        if question.consent is not None:
            return [(question.consent.version, question.label.in_language(self.language))]
        if control is Control.SCALE and question.minimum is not None and question.maximum is not None:
            return [(str(number), str(number)) for number in range(question.minimum, question.maximum + 1)]
        if question.type is QuestionType.LANGUAGE:
            return list(LANGUAGE_NAMES.items())
        if question.type is QuestionType.COUNTRY:
            return _countries(self.language)
        return [(option.id, option.label.in_language(self.language)) for option in question.options]

    def _when(self, question: Question) -> Condition | None:
        if question.when is None:
            return None
        on = self.screening.question(question.when.question)
        labels = {choice.value: choice.label for choice in self._choices(on, _control(on), ())}
        opening, closing = _QUOTATION_MARKS[self.language]
        answers = [f"{opening}{labels.get(value, value)}{closing}" for value in question.when.is_one_of]
        return Condition(
            question_id=on.id,
            question=on.label.in_language(self.language),
            values=" ".join(question.when.is_one_of),
            answers=format_list(answers, style="or", locale=self.language),
        )


def _control(question: Question) -> Control:
    match question.type:
        case QuestionType.CHOICE | QuestionType.LANGUAGE:
            return Control.RADIOS
        case QuestionType.CHOICES:
            return Control.CHECKBOXES
        case QuestionType.COUNTRY | QuestionType.CONDITION:
            return Control.SELECT
        case QuestionType.DATE:
            return Control.DATE
        case QuestionType.CONSENT:
            return Control.CONSENT
        case QuestionType.INTEGER if (question.maximum or 0) - (question.minimum or 0) <= _WIDEST_SCALE:
            return Control.SCALE
        case _:
            return Control.LINE


@cache
def _countries(language: str) -> list[tuple[str, str]]:
    names = Locale.parse(language).territories
    countries = [(country.alpha_2, names.get(country.alpha_2, country.name)) for country in pycountry.countries]
    return sorted(countries, key=lambda entry: _alphabetical(entry[1]))


def _alphabetical(name: str) -> str:
    """Accents do not count in the order: Ámsterdam stands before Berlin."""
    return "".join(letter for letter in normalize("NFD", name.casefold()) if not combining(letter))
