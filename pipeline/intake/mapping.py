"""Translates a vendor's form into raw answers by question id, as `sources.yaml` says.

Only names and shapes are translated. A value that is not understood stays as it is, and validation says what is wrong.
"""

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum

from config.plain_name import plain_name
from config.screening import Question, QuestionType, Screening
from config.sources import Source

CURRENT = "current"  # in `values` of a consent: the version of the text that is in force now

_LONGEST_CHOICES = 2000  # characters; a longer list is no list of options, and is left for validation to refuse
_FULL_WIDTH_DOT = "\uff0e"  # Webflow writes it for a dot in a field's name


class MappingReason(StrEnum):
    """Why a payload from a known source could not be mapped. It is kept, in quarantine."""

    NOT_THE_VENDORS_SHAPE = "not_the_vendors_shape"
    NO_KNOWN_FIELD = "no_known_field"
    NO_EMAIL_FIELD = "no_email_field"


class MappingFailure(Exception):
    """The payload could not be mapped; holds no part of it."""

    def __init__(self, reason: MappingReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def map_fields(source: Source, screening: Screening, data: Mapping[str, object]) -> dict[str, object]:
    """Raw answers by question id from a vendor's `data` by field name.

    Raises:
        MappingFailure: none of the source's fields is there, or the one for the email is not: the form was changed, or
            it is another form. Nobody could be told anything, so people have to look.
    """
    present = {_field_name(name): value for name, value in data.items()}
    raw: dict[str, object] = {}
    for question_id, field in source.fields.items():
        question, name = screening.by_id.get(question_id), _field_name(field)
        if question is not None and name in present:
            raw[question_id] = _answer(question, present[name], source.values.get(question_id, {}))
    if not raw:
        raise MappingFailure(MappingReason.NO_KNOWN_FIELD)
    if "email" not in raw:
        raise MappingFailure(MappingReason.NO_EMAIL_FIELD)
    return raw


def _field_name(name: str) -> str:
    """Field names are typed by hand on both sides: case and spacing do not count."""
    return " ".join(unicodedata.normalize("NFC", name.replace(_FULL_WIDTH_DOT, ".")).casefold().split())


def _answer(question: Question, value: object, values: Mapping[str, str]) -> object:
    if question.type is QuestionType.CHOICES:
        return _chosen(question, value, values)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if question.type is QuestionType.CONSENT:
        return _consent(question, value, values)
    if isinstance(value, bool | int | float):
        if question.type is QuestionType.INTEGER:
            return value
        value = _written(value)
    return _one(question, value, values) if isinstance(value, str) else value


def _chosen(question: Question, value: object, values: Mapping[str, str]) -> object:
    """A list, or text in which commas separate the options (whose labels may hold commas themselves)."""
    if isinstance(value, list):
        return [_one(question, item, values) if isinstance(item, str) else item for item in value]
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST_CHOICES:
        return [value]
    names = [*values, *(label for option in question.options for label in (option.label.en, option.label.es))]
    widest = 1 + max(name.count(",") for name in names)
    parts = value.split(",")
    chosen: list[str] = []
    start = 0
    while start < len(parts):
        runs = (",".join(parts[start : start + width]) for width in range(widest, 1, -1))
        run = next((run for run in runs if _known(question, run, values)), parts[start])
        chosen.append(_one(question, run, values))
        start += 1 + run.count(",")
    return [option for option in chosen if option]


def _consent(question: Question, value: object, values: Mapping[str, str]) -> object:
    written = _written(value) if isinstance(value, bool) else value
    version = _lookup(values, written) if isinstance(written, str) else None
    if version == CURRENT and question.consent is not None:
        return question.consent.version
    if version is not None:
        return version
    # An unticked box is no consent; a ticked one that `values` does not know is no consent to a known text either.
    return None if isinstance(value, bool) or (isinstance(value, str) and value.casefold() == "false") else value


def _one(question: Question, text: str, values: Mapping[str, str]) -> str:
    return _known(question, text, values) or text.strip()


def _known(question: Question, text: str, values: Mapping[str, str]) -> str | None:
    """The option that the source's values, or a label in either language, give for `text`."""
    found = _lookup(values, text) if values else None
    if found is None and question.options:
        found = question.options_by_name.get(plain_name(text))
    return found


def _lookup(values: Mapping[str, str], text: str) -> str | None:
    found = values.get(text.strip())
    if found is None:
        wanted = plain_name(text)
        found = next((option for value, option in values.items() if plain_name(value) == wanted), None)
    return found


def _written(value: float) -> str:
    """As a person would write it: `true`, `94110`, `4.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return re.sub(r"\.0$", "", str(value))
