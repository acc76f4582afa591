"""Requests as the doors of Careroute get them: the JSON API, a signed webhook, the hosted form."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from config.sources import Source
from pipeline.intake.webflow import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.config.shipped import KEY, SCREENING, SECRET, SOURCES

WEBFLOW: Source = SOURCES.by_id["webflow-site"]
_CONSENTS = frozenset(SCREENING.consent(name).version for name in ("consent_contact", "consent_share"))


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. `name` tells it apart from others in messages of failed tests."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def to_api(name: str, answers: Mapping[str, Any]) -> Request:
    """To the JSON API, under `name` as the sender's own id."""
    return raw_to_api(name, json.dumps({"submission_id": name, "answers": answers}, ensure_ascii=False).encode())


def raw_to_api(name: str, body: bytes) -> Request:
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    return Request(name, "/v1/submissions", body, headers)


def to_hook(name: str, answers: Mapping[str, Any]) -> Request:
    """To the webhook, as Webflow sends the form that `sources.yaml` describes, with `name` as Webflow's id."""
    data = {WEBFLOW.fields[question]: _as_webflow(answer) for question, answer in answers.items()}
    payload = {"triggerType": "form_submission", "payload": {"id": name, "data": data}}
    return raw_to_hook(name, json.dumps(payload, ensure_ascii=False).encode())


def raw_to_hook(name: str, body: bytes) -> Request:
    timestamp = str(int(time.time() * 1000))
    headers = {
        "content-type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(body, timestamp, SecretStr(SECRET)),
    }
    return Request(name, f"/v1/hooks/{WEBFLOW.id}", body, headers)


def to_form(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The fields a browser sends for the hosted form."""
    fields: dict[str, Any] = {}
    for question, answer in answers.items():
        if question == "date_of_birth":
            parts = zip(("year", "month", "day"), str(answer).split("-"), strict=True)
            fields |= {f"{question}-{part}": value for part, value in parts}
        else:
            fields[question] = [str(item) for item in answer] if isinstance(answer, list) else str(answer)
    return fields


def _as_webflow(answer: Any) -> Any:
    """Several boxes come as one text with commas; an agreement as a ticked box. Ids of options stand for labels."""
    if isinstance(answer, list):
        return ", ".join(answer)
    return "true" if answer in _CONSENTS else answer
