"""What SendGrid says about the body of POST /v3/mail/send, as a check that can be run.

The rules come from SendGrid's own OpenAPI description where the file is at hand, with an overlay for what it gets wrong
or leaves out; without the file the overlay's rules alone are checked. What the overlay adds is from the description's
prose and from SendGrid's pages "Mail Send: Limitations" and "Mail Send: Errors".
"""

import json
import re
import time
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
_LARGEST_BYTES = 30_000_000
_FURTHEST_SECONDS = 72 * 3600
_RESERVED_HEADERS = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
}
_HEADER_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322, 2.2: printable ASCII without the colon
_TEXT_ARGUMENTS = {"type": "object", "additionalProperties": {"type": "string"}}
_HEADERS = {"type": "object", "additionalProperties": {"type": "string"}}
_ONE_LINE = {"type": "string", "minLength": 1, "pattern": r"^[^\r\n]*$"}
_PERSON = {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "pattern": "@"}}}
_PART = {
    "type": "object",
    "required": ["type", "value"],
    "properties": {"type": {"type": "string", "minLength": 1}, "value": {"type": "string", "minLength": 1}},
}


class Contract:
    """Checks bodies. `complete` says whether the whole description was at hand."""

    def __init__(self, openapi: Path | None) -> None:
        self.complete = openapi is not None and openapi.exists()
        schema = _described(openapi) if openapi is not None and self.complete else {"type": "object", "properties": {}}
        self._validator = Draft202012Validator(_overlaid(schema), format_checker=FormatChecker())

    def violations(self, body: object, *, size: int | None = None) -> list[str]:
        """What is wrong with a body of so many bytes, each as "place: rule". Empty if it may be sent."""
        found = [f"{error.json_path}: {error.message}" for error in self._validator.iter_errors(body)]
        return found or list(_beyond_schema(body, len(json.dumps(body)) if size is None else size))


def _described(openapi: Path) -> dict[str, Any]:
    """The schema of the request body, with the components its references point to."""
    document = json.loads(openapi.read_text(encoding="utf-8"))
    content = document["components"]["requestBodies"]["PostMailSend"]["content"]
    return {**content["application/json"]["schema"], "components": document["components"]}


def _overlaid(described: dict[str, Any]) -> dict[str, Any]:
    """The gaps that SOURCES.md beside the description lists, and what its prose says but its schema does not."""
    schema = deepcopy(described)
    properties = schema["properties"]
    complete = "personalizations" in properties
    if not complete:
        one = {"type": "object", "required": ["to"], "properties": {"to": {"type": "array", "items": _PERSON}}}
        properties["personalizations"] = {"type": "array", "maxItems": 1000, "items": one}
        properties["from"] = _PERSON
        properties["content"] = {"type": "array", "items": _PART}
    personalization = properties["personalizations"]["items"]["properties"]
    properties["custom_args"] = _TEXT_ARGUMENTS  # typed as a string, but an object in every client
    properties["headers"] = _HEADERS
    personalization |= {"custom_args": _TEXT_ARGUMENTS, "headers": _HEADERS, "subject": _ONE_LINE}
    personalization["to"] |= {"minItems": 1, "maxItems": _MOST_RECIPIENTS}
    properties["personalizations"]["minItems"] = 1
    properties["content"]["minItems"] = 1
    schema["required"] = ["personalizations", "from", "subject", "content"]
    if complete:
        properties["subject"] = _ONE_LINE
        # A misspelt key would be ignored in silence, and with it the setting it was meant to be.
        schema["components"] = {"schemas": schema["components"]["schemas"]}
        _close(properties)
        schema["additionalProperties"] = False
        for person in ("MailFrom", "MailTo"):
            _close(schema["components"]["schemas"][person])
    return schema


def _close(part: Any) -> None:
    """Allow no keys beyond those described, wherever keys are described."""
    if isinstance(part, list):
        for each in part:
            _close(each)
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict):
            part.setdefault("additionalProperties", False)
        for each in part.values():
            _close(each)


def _beyond_schema(body: Any, size: int) -> Iterator[str]:
    if size >= _LARGEST_BYTES:
        yield "$: not less than 30 MB"
    yield from _about_content(body)
    yield from _about_recipients(body)
    if "reply_to" in body and "reply_to_list" in body:
        yield "$.reply_to_list: not together with reply_to"
    for place in (body, *body["personalizations"]):
        if len(json.dumps(place.get("custom_args", {}))) >= _CUSTOM_ARGS_BYTES:
            yield "$.custom_args: not less than 10000 bytes"
        if place.get("send_at", 0) > time.time() + _FURTHEST_SECONDS:
            yield "$.send_at: more than 72 hours ahead"
        for name, value in place.get("headers", {}).items():
            if name.lower() in _RESERVED_HEADERS:
                yield f"$.headers: {name} is reserved"
            if not _HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
                yield f"$.headers: {name} is not a header of one line in ASCII"


def _about_content(body: Any) -> Iterator[str]:
    types = [part["type"] for part in body["content"]]
    order = {"text/plain": 0, "text/html": 1}
    if types != sorted(types, key=lambda each: order.get(each, 2)):
        yield "$.content: text/plain must come before text/html, and both before others"
    if len(set(types)) < len(types):
        yield "$.content: a type occurs twice"
    if any(re.search(r"[;,\r\n]", each) for each in types):
        yield "$.content: a type with parameters"


def _about_recipients(body: Any) -> Iterator[str]:
    if not body["from"]["email"].isascii():
        yield "$.from: Unicode is not supported"
    everyone = [
        person
        for personalization in body["personalizations"]
        for field in ("to", "cc", "bcc")
        for person in personalization.get(field, ())
    ]
    if len(everyone) > _MOST_RECIPIENTS:
        yield "$.personalizations: more than 1000 recipients"
    if len({person["email"].lower() for person in everyone}) < len(everyone):
        yield "$.personalizations: an address occurs twice"
    if any(re.search(r"[;,]", person.get("name", "")) for person in everyone):
        yield "$.personalizations: a name holds a semicolon or a comma"
    if any(not person["email"].isascii() for person in everyone):
        yield "$.personalizations: it would be accepted, and dropped as invalid: not ASCII"
