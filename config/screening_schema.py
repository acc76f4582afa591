"""The questions as JSON Schema, for the API's description and for clients that check before they send."""

from typing import Any

from config.conditions import Conditions
from config.screening import LANGUAGES, Question, QuestionType, Screening


def answers_json_schema(screening: Screening, conditions: Conditions) -> dict[str, Any]:
    """JSON Schema (2020-12) of the `answers` object: exactly the questions, with types, options and limits.

    It describes the normal form. The API is more lenient in places (a condition by its synonym, a country by its
    name), and stricter in what no schema can say (consents, minors, questions that depend on others).
    """
    return {
        "type": "object",
        "title": "Answers",
        "description": f"Answers by question id; questions of version {screening.version}.",
        "properties": {question.id: _property(question, conditions) for question in screening.questions},
        "required": [question.id for question in screening.questions if question.required and question.when is None],
        "additionalProperties": False,
    }


def _property(question: Question, conditions: Conditions) -> dict[str, Any]:
    return {"title": question.label.en, "description": _description(question), **_shape(question, conditions)}


def _description(question: Question) -> str:
    parts = [question.help.en] if question.help else []
    if question.when is not None:
        parts.append(f"Asked only when {question.when.question} is {' or '.join(question.when.is_one_of)}.")
    if question.options:
        parts.append("; ".join(f"{option.id}: {option.label.en}" for option in question.options) + ".")
    if question.consent is not None:
        parts.append(f"The version of the text agreed to, which is: {question.consent.text.en}")
    return " ".join(parts) or question.label.en


_SHAPES: dict[QuestionType, dict[str, Any]] = {
    QuestionType.EMAIL: {"type": "string", "format": "email", "maxLength": 254},
    QuestionType.PHONE: {"type": "string", "maxLength": 40, "examples": ["+14155550132"]},
    QuestionType.DATE: {"type": "string", "format": "date"},
    QuestionType.COUNTRY: {"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["US"]},
    QuestionType.POSTAL_CODE: {"type": "string", "maxLength": 12},
    QuestionType.LANGUAGE: {"type": "string", "enum": list(LANGUAGES)},
}


def _shape(question: Question, conditions: Conditions) -> dict[str, Any]:
    options = {"type": "string", "enum": list(question.option_ids)}
    match question.type:
        case QuestionType.TEXT:
            return {"type": "string", "maxLength": question.max_length}
        case QuestionType.INTEGER:
            return {"type": "integer", "minimum": question.minimum, "maximum": question.maximum}
        case QuestionType.CHOICE:
            return options
        case QuestionType.CHOICES:
            return {"type": "array", "items": options, "uniqueItems": True}
        case QuestionType.CONDITION:
            return {"type": "string", "enum": list(conditions.by_id)}
        case _:
            consent = {"type": "string", "const": question.consent.version} if question.consent else {}
            return consent or _SHAPES[question.type]
