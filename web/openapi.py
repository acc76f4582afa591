"""The request body of `POST /v1/submissions` in OpenAPI terms, from the questions."""

from config.screening import LANGUAGES, Question, QuestionType, Screening
from pipeline.intake.json_api import LONGEST_VENDOR_ID

JsonSchema = dict[str, object]


def push_operation(screening: Screening) -> dict[str, object]:
    """What is added to the OpenAPI description of the operation."""
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(screening)}}},
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 255},
                "description": "The same key with the same body is answered as the first time and changes nothing.",
            }
        ],
    }


def body_schema(screening: Screening) -> JsonSchema:
    """A JSON Schema of the whole body."""
    return {
        "type": "object",
        "properties": {
            "answers": answers_schema(screening),
            "submission_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_VENDOR_ID,
                "description": "Your own id of the submission. The same id with the same body is stored once.",
            },
        },
        "required": ["answers"],
        "additionalProperties": False,
    }


def answers_schema(screening: Screening) -> JsonSchema:
    """A JSON Schema of the answers. What is asked only sometimes is not listed as required."""
    return {
        "type": "object",
        "properties": {question.id: _schema(question) for question in screening.questions},
        "required": [question.id for question in screening.questions if question.required and question.when is None],
        "additionalProperties": False,
    }


def _schema(question: Question) -> JsonSchema:
    schema: JsonSchema = {"description": question.label.en}
    match question.type:
        case QuestionType.CHOICE:
            schema |= {"type": "string", "enum": list(question.option_ids)}
        case QuestionType.CHOICES:
            schema |= {"type": "array", "uniqueItems": True, "items": {"enum": list(question.option_ids)}}
        case QuestionType.INTEGER:
            schema |= {"type": "integer", "minimum": question.minimum, "maximum": question.maximum}
        case QuestionType.DATE:
            schema |= {"type": "string", "format": "date"}
        case QuestionType.EMAIL:
            schema |= {"type": "string", "format": "email"}
        case QuestionType.LANGUAGE:
            schema |= {"type": "string", "enum": list(LANGUAGES)}
        case QuestionType.COUNTRY:
            schema |= {"type": "string", "pattern": "^[A-Z]{2}$"}
        case QuestionType.CONSENT if question.consent is not None:
            agreed = f"{question.label.en}. The version of the text that the person agreed to."
            schema |= {"type": "string", "enum": [question.consent.version], "description": agreed}
        case _:
            schema |= {"type": "string"}
    if question.max_length is not None:
        schema["maxLength"] = question.max_length
    return schema
