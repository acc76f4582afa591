from typing import Any

import pytest

from pipeline.intake.json_api import JsonSubmission, read_submission
from pipeline.intake.payload import PayloadMistake


def test_answers_and_the_senders_id_are_taken() -> None:
    assert read_submission({"answers": {"email": 1}, "submission_id": "a-1"}) == JsonSubmission({"email": 1}, "a-1")
    assert read_submission({"answers": {}}) == JsonSubmission({}, None)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "answers: required"),
        ({"answers": []}, "answers: wrong_type"),
        ({"answers": {}, "Jane Doe": 1}, "body: unknown_field"),
        ({"answers": {}, "submission_id": 7}, "submission_id: wrong_type"),
        ({"answers": {}, "submission_id": "x" * 101}, "submission_id: too_long"),
        ({"answers": {}, "submission_id": "a\0"}, "submission_id: control_characters"),
        ({"answers": {}, "submission_id": " "}, "submission_id: control_characters"),
    ],
)
def test_another_shape_is_refused_by_field_and_rule(body: dict[str, Any], named: str) -> None:
    with pytest.raises(PayloadMistake) as caught:
        read_submission(body)
    assert str(caught.value) == named
