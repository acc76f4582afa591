"""Sealed parts of a submission, opened as protected values: whoever shows, writes or sends facts opens them here."""

from collections.abc import Mapping
from typing import Any

from config.screening import DataClass
from pipeline.context import Context
from pipeline.protected import Protected
from pipeline.submission import Part, Sealed
from pipeline.validation import Answer

ProtectedAnswers = Mapping[str, Protected[Answer]]
"""By question id, each of its question's class of data: public ones too, so that nobody has to tell them apart."""


def open_answers(context: Context, sealed: Sealed) -> ProtectedAnswers:
    """All answers. Raises `SealBroken`, and `KeyError` if the answers were not read."""
    raw: Mapping[str, Answer] = sealed.open_json(context.vault, Part.ANSWERS)
    asked = context.screening.by_id
    return {
        # What the questions no longer know may be about health.
        name: Protected(answer, asked[name].data_class if name in asked else DataClass.HEALTH)
        for name, answer in raw.items()
    }


def open_assessment(context: Context, sealed: Sealed) -> Protected[Mapping[str, Any]]:
    """The explanation: which criteria fit says what the answers were. Raises as `open_answers` does."""
    return Protected(sealed.open_json(context.vault, Part.ASSESSMENT), DataClass.HEALTH)


def open_address(context: Context, sealed: Sealed) -> Protected[str] | None:
    """The person's email address alone, for the many emails that need no more. Raises as `open_answers` does."""
    raw: Mapping[str, Answer] = sealed.open_json(context.vault, Part.ANSWERS)
    address = raw.get("email")
    return Protected(str(address), DataClass.CONTACT) if address else None
