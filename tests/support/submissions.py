"""Submissions as a JSON source sends them."""

import json
from typing import Any

from pipeline.context import Context
from pipeline.intake.accept import Arrival, Kept, accept
from tests.config.shipped import ANSWERS

SOURCE = "network-site"
"""The shipped source that sends JSON."""


def answers(**changes: Any) -> dict[str, Any]:
    """A complete valid set of answers, with `changes`; a question changed to `None` is left out."""
    return {name: value for name, value in {**ANSWERS, **changes}.items() if value is not None}


def person(number: int, **changes: Any) -> dict[str, Any]:
    """Answers of one of many people who differ in name, address and date of birth, and fit the same providers."""
    return answers(
        first_name=f"Ana {number}",
        email=f"ana.{number}@example.org",
        date_of_birth=f"19{60 + number % 30}-03-{1 + number % 28:02}",
        **changes,
    )


def body(given: dict[str, Any], vendor_id: str | None = None) -> bytes:
    """The bytes of `POST /v1/submissions`."""
    payload: dict[str, Any] = {"answers": given}
    return json.dumps(payload | ({"submission_id": vendor_id} if vendor_id else {})).encode()


def arrival(given: dict[str, Any] | None = None, **other: Any) -> Arrival:
    """An arrival from `SOURCE`; `other` are fields of `Arrival`, such as `vendor_id`."""
    return Arrival(**{"source": SOURCE, "body": body(answers() if given is None else given), **other})


def submit(context: Context, given: dict[str, Any] | None = None, **changes: Any) -> Kept:
    """Keep `given` (else complete valid answers) with `changes`, as the web does before it answers."""
    kept = accept(context, arrival({**(answers() if given is None else given), **changes}), lambda _lane: None)
    assert isinstance(kept, Kept)
    return kept
