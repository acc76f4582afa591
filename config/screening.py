"""The questions of the screening form, read from `screening.yaml`.

They are written down once and drive the hosted form, validation, the API's schema and the mapping of web form fields.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.plain_name import plain_name
from config.yaml_file import Location, load, refuse

LANGUAGES = ("en", "es")

QuestionId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class DataClass(StrEnum):
    """How far an answer may travel. Health facts are shown on secure pages, and written only by a transport that is
    cleared for them; contact data also serves to send email.
    """

    PUBLIC = "public"
    CONTACT = "contact"
    HEALTH = "health"

    def covers(self, other: "DataClass") -> bool:
        """Whether what may hold data of this class may hold data of the other one too."""
        order = list(DataClass)
        return order.index(self) >= order.index(other)


class QuestionType(StrEnum):
    """What an answer is once validated: text unless said otherwise."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"  # E.164
    DATE = "date"  # a day that is not in the future, YYYY-MM-DD
    INTEGER = "integer"  # int
    CHOICE = "choice"  # an option id
    CHOICES = "choices"  # a list of option ids, in the order of the options
    COUNTRY = "country"  # ISO 3166-1 alpha-2
    POSTAL_CODE = "postal_code"
    LANGUAGE = "language"  # one of LANGUAGES
    CONDITION = "condition"  # an id of conditions.yaml
    CONSENT = "consent"  # the version of the text agreed to


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LocalizedText(_Part):
    """The same text in each language of `LANGUAGES`."""

    en: Prose
    es: Prose

    def in_language(self, language: str) -> str:
        """The text in `language`; English for a language that is not one of `LANGUAGES`."""
        return self.es if language == "es" else self.en


class Option(_Part):
    """One answer that can be chosen."""

    id: QuestionId
    label: LocalizedText


class When(_Part):
    """The question is asked only when an earlier one was answered with one of these."""

    question: QuestionId
    is_one_of: tuple[str, ...] = Field(min_length=1)


class AgreedText(_Part):
    """One version of what a person agrees to, with the numbers of providers that it promises."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$")]
    text: LocalizedText
    recipients_open: int = Field(
        default=0, ge=0, le=20, description="providers that may hold an open referral at one time"
    )
    recipients_total: int = Field(default=0, ge=0, le=100, description="providers that may ever see the facts")


class ConsentText(AgreedText):
    """What a person agrees to. A change of the text is a new version; answers given to an old one no longer count.

    Requests that agreed to one of the `earlier` texts go on under that one.
    """

    earlier: tuple[AgreedText, ...] = ()

    @property
    def versions(self) -> tuple[AgreedText, ...]:
        return (self, *self.earlier)

    def of_version(self, version: str | None) -> AgreedText | None:
        """The text of a version; None for one that is not kept here any more."""
        return next((text for text in self.versions if text.version == version), None)

    @model_validator(mode="after")
    def _each_version_once(self) -> Self:
        refuse(
            (("earlier", index, "version"), f"expected each version once; found {text.version!r} again")
            for index, text in enumerate(self.earlier)
            if text.version in {each.version for each in self.versions[: index + 1]}
        )
        return self


class Question(_Part):
    """One question. `required` means: required whenever it is asked (see `when`)."""

    id: QuestionId
    type: QuestionType
    data_class: DataClass
    label: LocalizedText
    help: LocalizedText | None = None
    options: tuple[Option, ...] = ()
    exclusive_option: str | None = Field(
        default=None, description="the option that contradicts all others; both together go to review"
    )
    required: bool = False
    when: When | None = None
    max_length: int | None = Field(default=None, ge=1, le=4000, description="characters")
    minimum: int | None = None
    maximum: int | None = None
    consent: ConsentText | None = None

    @cached_property
    def option_ids(self) -> tuple[str, ...]:
        return tuple(option.id for option in self.options)

    @cached_property
    def options_by_name(self) -> dict[str, str]:
        """Option ids by the plain names (see `plain_name`) of ids and labels in every language."""
        return {
            plain_name(name): option.id
            for option in self.options
            for name in (option.label.en, option.label.es, option.id)
        }

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[tuple[Location, str]]:
        needs = {
            "options": self.type in {QuestionType.CHOICE, QuestionType.CHOICES},
            "max_length": self.type is QuestionType.TEXT,
            "minimum": self.type is QuestionType.INTEGER,
            "maximum": self.type is QuestionType.INTEGER,
            "consent": self.type is QuestionType.CONSENT,
        }
        for key, needed in needs.items():
            there = getattr(self, key) not in (None, ())
            if needed and not there:
                yield (key,), f"expected this key, as the type is {self.type}; it is missing"
            if there and not needed:
                yield (key,), f"expected no such key, as the type is {self.type}"
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield ("minimum",), f"expected at most the maximum, {self.maximum}; found {self.minimum}"
        if self.exclusive_option is not None and self.exclusive_option not in self.option_ids:
            yield ("exclusive_option",), f"expected one of {', '.join(self.option_ids)}"
        for index, option in enumerate(self.options):
            if option.id in self.option_ids[:index]:
                yield ("options", index, "id"), f"expected each option once; found {option.id!r} again"


class Section(_Part):
    """One step of the form: which questions stand together, under what title."""

    id: QuestionId
    title: LocalizedText
    help: LocalizedText | None = None
    questions: tuple[QuestionId, ...] = Field(min_length=1)


# The questions the pipeline itself reads by name (duplicates, minors, greeting, second factor, consent, matching).
_RELIED_ON = {
    "submitter": QuestionType.CHOICE,
    "guardian_name": QuestionType.TEXT,
    "first_name": QuestionType.TEXT,
    "last_name": QuestionType.TEXT,
    "email": QuestionType.EMAIL,
    "date_of_birth": QuestionType.DATE,
    "country": QuestionType.COUNTRY,
    "postal_code": QuestionType.POSTAL_CODE,
    "language": QuestionType.LANGUAGE,
    "condition": QuestionType.CONDITION,
    "condition_other": QuestionType.TEXT,
    "consent_contact": QuestionType.CONSENT,
    "consent_share": QuestionType.CONSENT,
}


class Screening(_Part):
    """All questions in the order they are asked, and the sections they stand in."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    sections: tuple[Section, ...] = Field(min_length=1)
    questions: tuple[Question, ...] = Field(min_length=1)

    # Equal screenings have equal versions; hashing all texts would make a screening too slow as a cache key.
    def __hash__(self) -> int:
        return hash(self.version)

    @cached_property
    def by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.by_id)

    def question(self, question_id: str) -> Question:
        """The question of this id.

        Raises:
            KeyError: there is none.
        """
        return self.by_id[question_id]

    def consent(self, question_id: str) -> ConsentText:
        """The text a consent question asks for.

        Raises:
            KeyError: there is no such question, or it is not about consent.
        """
        text = self.by_id[question_id].consent
        if text is None:
            raise KeyError(question_id)
        return text

    @model_validator(mode="after")
    def _questions_fit_together(self) -> Self:
        refuse([*self._mistakes_in_questions(), *self._mistakes_in_sections()])
        return self

    def _mistakes_in_questions(self) -> Iterator[tuple[Location, str]]:
        earlier: dict[str, Question] = {}
        for index, question in enumerate(self.questions):
            here: Location = ("questions", index)
            if question.id in earlier:
                yield (*here, "id"), f"expected each question once; found {question.id!r} again"
            if question.when is not None:
                on = earlier.get(question.when.question)
                if on is None:
                    found = question.when.question
                    yield (*here, "when", "question"), f"expected the id of an earlier question; found {found!r}"
                elif on.type not in {QuestionType.CHOICE, QuestionType.CONDITION}:
                    yield (*here, "when", "question"), f"expected a choice or condition; {on.id} is {on.type}"
                elif on.options and not set(question.when.is_one_of) <= set(on.option_ids):
                    yield (*here, "when", "is_one_of"), f"expected options of {on.id}: {', '.join(on.option_ids)}"
            earlier[question.id] = question
        for question_id, question_type in _RELIED_ON.items():
            if question_id not in earlier:
                yield ("questions",), f"expected a question {question_id!r} of type {question_type}; it is missing"
            elif earlier[question_id].type is not question_type:
                index = [question.id for question in self.questions].index(question_id)
                yield ("questions", index, "type"), f"expected {question_type}, as the pipeline relies on it"

    def _mistakes_in_sections(self) -> Iterator[tuple[Location, str]]:
        known = {question.id for question in self.questions}
        placed: set[str] = set()
        for section_index, section in enumerate(self.sections):
            for index, question_id in enumerate(section.questions):
                here: Location = ("sections", section_index, "questions", index)
                if question_id not in known:
                    yield here, f"expected the id of a question; found {question_id!r}"
                if question_id in placed:
                    yield here, f"expected each question in one section; found {question_id!r} again"
                placed.add(question_id)
        if missing := [question.id for question in self.questions if question.id not in placed]:
            yield ("sections",), f"expected every question in a section; missing {', '.join(missing)}"


def load_screening(path: Path) -> Screening:
    """Read the questions.

    Raises:
        ConfigurationMistake: naming line and column of everything that is wrong.
    """
    return load(path, Screening)
