"""What SendGrid's Mail Send takes, looked at before the call: a breach costs no request and no good name with it.

Sources: SendGrid, "Mail Send: Limitations" and "Mail Send: Errors"; the prose of its OpenAPI description.

    size          the whole email must be less than 30 MB
    recipients    at most 1,000 in 1,000 personalizations; ours is exactly one, as nobody may learn of another
    address       "Unicode encoding is not supported" for `from`; a recipient that is not ASCII gets a 202 and is then
                  dropped as invalid
    name          names of recipients cannot hold ";" or ","
    header        `x-sg-id`, `To`, `Subject` … cannot be overridden; `X-SMTPAPI` would carry orders past all of this
    custom_args   less than 10,000 bytes; SendGrid keeps them as data that is not personal, so: one random id
    key           no categories (kept like custom arguments), no `send_at`, no template, nothing that we do not set
    tracking      open, click, subscription and analytics tracking are off, and said to be
    subject       at least one character, one line, at most what a line may hold (RFC 5322, 2.1.1: 998)
    content       text/plain before text/html, neither empty

Recipients are given without a name. So no name of a person, with or without a comma, needs to be altered, and the
provider learns none; the sender's name is not under that limit, and is left as it is: SendGrid quotes it where it must.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

LARGEST_BYTES = 30_000_000
LARGEST_CUSTOM_ARGS_BYTES = 10_000
LONGEST_SUBJECT = 998

TRACKING_OFF: Mapping[str, Mapping[str, bool]] = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}

_KEYS = {"personalizations", "from", "reply_to", "subject", "content", "headers", "tracking_settings"}
_RESERVED_HEADERS = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
    "x-smtpapi",
}
_HEADER_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322, 2.2: printable ASCII without the colon


def breach(body: Mapping[str, Any], size: int) -> str | None:
    """The first limit that a request body of `size` bytes does not keep, by its name above; None if it keeps all."""
    return next((name for name, kept in _kept(body, size) if not kept), None)


def _kept(body: Mapping[str, Any], size: int) -> Iterator[tuple[str, bool]]:
    """Each limit with whether it is kept; asked for one after the other, as some make sense only after others."""
    yield "size", size < LARGEST_BYTES
    yield "key", body.keys() <= _KEYS
    yield "recipients", len(body["personalizations"]) == 1
    (personalization,) = body["personalizations"]
    yield "key", personalization.keys() <= {"to", "custom_args"}
    yield "recipients", len(personalization["to"]) == 1
    (recipient,) = personalization["to"]
    people = (recipient, body["from"], body.get("reply_to", recipient))
    yield "address", all(person["email"].isascii() for person in people)
    yield "name", not re.search(r"[;,]", recipient.get("name", ""))
    yield "header", all(_is_free(name, value) for name, value in body["headers"].items())
    yield "custom_args", _is_one_random_id(personalization.get("custom_args", {}))
    yield "tracking", body["tracking_settings"] == TRACKING_OFF
    subject = body["subject"]
    yield "subject", 0 < len(subject.strip()) <= LONGEST_SUBJECT and len(subject.splitlines()) == 1
    content = body["content"]
    yield "content", [part["type"] for part in content] == ["text/plain", "text/html"]
    yield "content", all(part["value"] for part in content)


def _is_free(name: str, value: str) -> bool:
    """Whether a header may be set, and is one line."""
    is_line = bool(_HEADER_NAME.fullmatch(name)) and value.isascii() and value.isprintable()
    return is_line and name.lower() not in _RESERVED_HEADERS


def _is_one_random_id(custom_args: Mapping[str, str]) -> bool:
    if custom_args.keys() != {"attempt_id"} or len(str(custom_args)) >= LARGEST_CUSTOM_ARGS_BYTES:
        return False
    try:
        return UUID(custom_args["attempt_id"]).version == 4
    except ValueError:
        return False
