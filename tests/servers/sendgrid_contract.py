"""What SendGrid says about the body of POST /v3/mail/send, as a check that can be run.

The rules come from SendGrid's own OpenAPI description where the file is at hand, with an overlay for what it gets wrong
or leaves out; without the file the overlay's rules alone are checked.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from config.settings import ROOT

OPENAPI = ROOT.parent / "shared" / "sendgrid" / "tsg_mail_v3.json"
"""Where the description lies beside a checkout of the project; it is not part of the repository."""

_MOST_RECIPIENTS = 1000
_CUSTOM_ARGS_BYTES = 10_000
_RESERVED_HEADERS = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
}
_TEXT_ARGUMENTS = {"type": "object", "additionalProperties": {"type": "string"}}


class Contract:
    """Checks bodies. `complete` says whether the whole description was at hand."""

    def __init__(self, openapi: Path | None) -> None:
        self.complete = openapi is not None and openapi.exists()
        schema = _described(openapi) if openapi is not None and self.complete else {"type": "object", "properties": {}}
        self._validator = Draft202012Validator(_overlaid(schema), format_checker=FormatChecker())

    def violations(self, body: object) -> list[str]:
        """What is wrong with a body, each as "place: rule". Empty if it may be sent."""
        found = [f"{error.json_path}: {error.message}" for error in self._validator.iter_errors(body)]
        return found or list(_beyond_schema(body))


def _described(openapi: Path) -> dict[str, Any]:
    """The schema of the request body, with the components its references point to."""
    document = json.loads(openapi.read_text(encoding="utf-8"))
    content = document["components"]["requestBodies"]["PostMailSend"]["content"]
    return {**content["application/json"]["schema"], "components": document["components"]}


def _overlaid(described: dict[str, Any]) -> dict[str, Any]:
    """The gaps that SOURCES.md beside the description lists, and what its prose says but its schema does not."""
    schema = deepcopy(described)
    properties = schema["properties"]
    properties["custom_args"] = _TEXT_ARGUMENTS  # typed as a string, but an object in every client
    person = {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "pattern": "@"}}}
    if "personalizations" in properties:
        personalization = properties["personalizations"]["items"]["properties"]
        personalization["custom_args"] = _TEXT_ARGUMENTS
        personalization["to"] |= {"minItems": 1, "maxItems": _MOST_RECIPIENTS}
    else:
        to = {"type": "array", "items": person, "minItems": 1, "maxItems": _MOST_RECIPIENTS}
        one = {"type": "object", "required": ["to"], "properties": {"to": to, "custom_args": _TEXT_ARGUMENTS}}
        properties["personalizations"] = {"type": "array", "minItems": 1, "maxItems": 1000, "items": one}
        properties["from"] = person
        properties["content"] = {"type": "array"}
    properties["content"]["minItems"] = 1
    schema["required"] = ["personalizations", "from", "subject", "content"]
    # A misspelt key would be ignored in silence, and with it the setting it was meant to be.
    if "tracking_settings" in properties:
        schema["additionalProperties"] = False
        properties["tracking_settings"]["additionalProperties"] = False
    return schema


def _beyond_schema(body: Any) -> Iterator[str]:
    types = [part["type"] for part in body["content"]]
    if types != sorted(types, key=["text/plain", "text/html"].index):
        yield "$.content: text/plain must come before text/html"
    for place in (body, *body["personalizations"]):
        if len(json.dumps(place.get("custom_args", {}))) > _CUSTOM_ARGS_BYTES:
            yield "$.custom_args: longer than 10000 bytes"
        for name in place.get("headers", {}):
            if name.lower() in _RESERVED_HEADERS:
                yield f"$.headers: {name} is reserved"
