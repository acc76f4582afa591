"""The body of `POST /v1/submissions`: `{"answers": {…}, "submission_id": "the sender's own id"}`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.intake.payload import PayloadMistake, PayloadRule

LONGEST_VENDOR_ID = 100  # characters


@dataclass(frozen=True, slots=True)
class JsonSubmission:
    """Raw answers by question id, and the sender's id of the submission if it gave one."""

    answers: Mapping[str, object]
    vendor_id: str | None


def read_submission(body: Mapping[str, Any]) -> JsonSubmission:
    """Take a body apart. What the answers say is not looked at.

    Raises:
        PayloadMistake: the body has another shape; names the field.
    """
    if body.keys() - {"answers", "submission_id"}:
        raise PayloadMistake(PayloadRule.UNKNOWN_FIELD)
    answers = body.get("answers")
    if answers is None:
        raise PayloadMistake(PayloadRule.REQUIRED, "answers")
    if not isinstance(answers, dict):
        raise PayloadMistake(PayloadRule.WRONG_TYPE, "answers")
    return JsonSubmission(answers, _vendor_id(body.get("submission_id")))


def _vendor_id(raw: object) -> str | None:
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise PayloadMistake(PayloadRule.WRONG_TYPE, "submission_id")
    if len(raw) > LONGEST_VENDOR_ID:
        raise PayloadMistake(PayloadRule.TOO_LONG, "submission_id")
    if not raw.strip() or not raw.isprintable():
        raise PayloadMistake(PayloadRule.CONTROL_CHARACTERS, "submission_id")
    return raw
