"""Limits kept before the call: each is named, and the stand-in's contract, drawn from SendGrid's own words, agrees."""

from copy import deepcopy
from typing import Any

import pytest

from pipeline.transports.sendgrid import request_body
from pipeline.transports.sendgrid_limits import LARGEST_BYTES, breach
from tests.pipeline.transports.messages import message
from tests.servers.sendgrid_contract import OPENAPI, Contract

RULED_BY_US = {"tracking", "recipients", "custom_args", "key"}
"""Stricter than SendGrid: it would take categories, a second recipient, a custom argument with a name in it."""


def with_change(path: str, value: object) -> dict[str, Any]:
    """A good body with one place changed; "DEL" takes a key away."""
    body: Any = deepcopy(request_body(message()))
    place = body
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        place = place[step]
    if value == "DEL":
        del place[last]
    else:
        place[last] = value
    changed: dict[str, Any] = body
    return changed


def test_what_we_send_keeps_all() -> None:
    body = request_body(message())
    assert breach(body, LARGEST_BYTES - 1) is None
    assert breach(body, LARGEST_BYTES) == "size"
    assert breach(with_change("from/name", "Ñandú, S.A."), 1) is None, "the sender's name is not under that limit"
    assert breach(with_change("subject", "x" * 998), 1) is None


@pytest.mark.parametrize(
    ("path", "value", "limit"),
    [
        ("personalizations", [], "recipients"),
        ("personalizations", [{"to": [{"email": "a@x.example"}]}, {"to": [{"email": "b@x.example"}]}], "recipients"),
        ("personalizations/0/to", [{"email": "a@x.example"}, {"email": "b@x.example"}], "recipients"),
        ("personalizations/0/to", [], "recipients"),
        ("personalizations/0/cc", [{"email": "b@x.example"}], "key"),
        ("personalizations/0/subject", "another", "key"),
        ("personalizations/0/to/0/email", "ñandú@person.example", "address"),
        ("from/email", "cuidado@órgano.example", "address"),
        ("reply_to", {"email": "ñ@org.example"}, "address"),
        ("personalizations/0/to/0/name", "Smith, Ann", "name"),
        ("personalizations/0/to/0/name", "Ann; Smith", "name"),
        *((f"headers/{name}", "x", "header") for name in ("To", "SUBJECT", "reply-to", "X-SG-EID", "DKIM-Signature")),
        ("headers/X-SMTPAPI", '{"category": "x"}', "header"),
        ("headers/X-Two", "one\r\nBcc: b@x.example", "header"),
        ("headers/X-Ñ", "x", "header"),
        ("headers/X-Value", "ñ", "header"),
        ("personalizations/0/custom_args", {}, "custom_args"),
        ("personalizations/0/custom_args", {"attempt_id": "ann@person.example"}, "custom_args"),
        ("personalizations/0/custom_args/name", "Ann", "custom_args"),
        ("personalizations/0/custom_args/attempt_id", "x" * 10_000, "custom_args"),
        # Version 1: a clock and a machine, not chance.
        ("personalizations/0/custom_args/attempt_id", "c232ab00-9414-11ec-b3c8-9f6bdeced846", "custom_args"),
        ("custom_args", {"attempt_id": "1"}, "key"),
        ("categories", ["fibromyalgia"], "key"),
        ("send_at", 1, "key"),
        ("template_id", "d-1", "key"),
        ("tracking_settings/open_tracking/enable", True, "tracking"),
        ("tracking_settings/ganalytics", "DEL", "tracking"),
        ("subject", "", "subject"),
        ("subject", "two\nlines", "subject"),
        ("subject", "x" * 999, "subject"),
        ("content", [], "content"),
        ("content/0/value", "", "content"),
        ("content/0/type", "text/html", "content"),
    ],
)
def test_each_limit_has_its_name(path: str, value: object, limit: str) -> None:
    body = with_change(path, value)
    assert breach(body, 1) == limit
    if limit not in RULED_BY_US and OPENAPI.exists() and not path.startswith(("headers/X-SMTPAPI", "reply_to")):
        assert Contract(OPENAPI).violations(body) or value == "x" * 999, "SendGrid would have refused it"
