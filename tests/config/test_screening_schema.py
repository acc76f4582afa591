import json

import pytest
from jsonschema import Draft202012Validator

from config.screening_schema import answers_json_schema
from tests.config.shipped import ANSWERS, CONDITIONS, SCREENING

SCHEMA = answers_json_schema(SCREENING, CONDITIONS)
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_schema_is_one_and_accepts_normal_answers() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(json.dumps(ANSWERS)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("first_name", "x" * 201), ("date_of_birth", "1975-02-30"), ("severity", 11), ("severity", "7")],
        *[("condition", "sadness"), ("contraindications", ["flu"]), ("contraindications", "none")],
        *[("consent_share", "2001-01-01"), ("favourite_colour", "blue"), ("country", "United States")],
    ],
)
def test_the_schema_refuses(field: str, value: object) -> None:
    assert not VALIDATOR.is_valid({**ANSWERS, field: value})


def test_questions_that_depend_on_others_are_described_and_not_required() -> None:
    assert "guardian_name" not in SCHEMA["required"]
    assert "Asked only when submitter is guardian or caregiver." in SCHEMA["properties"]["guardian_name"]["description"]
