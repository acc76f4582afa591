"""Form submissions as Webflow's webhooks (Data API v2, `form_submission`) send them."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from pipeline.intake.json_api import LONGEST_VENDOR_ID
from pipeline.intake.mapping import MappingFailure, MappingReason

SIGNATURE_HEADER = "x-webflow-signature"
TIMESTAMP_HEADER = "x-webflow-timestamp"
TOLERANCE = timedelta(minutes=5)


class SignatureRule(StrEnum):
    """Why a request is not taken as Webflow's."""

    NO_LIVE_SECRET = "no_live_secret"  # noqa: S105 - a rule's name
    NO_SIGNATURE = "no_signature"
    NO_TIMESTAMP = "no_timestamp"
    STALE_TIMESTAMP = "stale_timestamp"
    WRONG_SIGNATURE = "wrong_signature"


class SignatureRefused(Exception):
    """The request was not signed with a live secret in the last five minutes."""

    def __init__(self, rule: SignatureRule) -> None:
        super().__init__(rule.value)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class WebflowForm:
    """What one submission of a form held: Webflow's id of it, and the values by field name."""

    vendor_id: str | None
    data: Mapping[str, object]


def verify_signature(raw: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr], now: datetime) -> None:
    """Check the hex HMAC-SHA256 of `timestamp:body`, the timestamp in milliseconds, against every live secret.

    `headers` are looked up by lower-case name; `now` is aware.

    Raises:
        SignatureRefused: naming the rule.
    """
    if not secrets:
        raise SignatureRefused(SignatureRule.NO_LIVE_SECRET)
    signature = headers.get(SIGNATURE_HEADER, "").strip().lower().encode("utf-8", "surrogatepass")
    if not signature:
        raise SignatureRefused(SignatureRule.NO_SIGNATURE)
    timestamp = headers.get(TIMESTAMP_HEADER, "").strip()
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise SignatureRefused(SignatureRule.NO_TIMESTAMP)
    if abs(now.timestamp() - int(timestamp) / 1000) > TOLERANCE.total_seconds():
        raise SignatureRefused(SignatureRule.STALE_TIMESTAMP)
    # Every secret is tried, so that the time taken does not tell which one was right.
    matches = [hmac.compare_digest(sign(raw, timestamp, secret).encode(), signature) for secret in secrets]
    if not any(matches):
        raise SignatureRefused(SignatureRule.WRONG_SIGNATURE)


def sign(raw: bytes, timestamp: str, secret: SecretStr) -> str:
    """The signature that Webflow gives a body sent at `timestamp` (milliseconds since 1970)."""
    key = secret.get_secret_value().encode()
    return hmac.new(key, timestamp.encode() + b":" + raw, hashlib.sha256).hexdigest()


def read_form(body: Mapping[str, Any]) -> WebflowForm:
    """Take a webhook's body apart.

    Raises:
        MappingFailure: it is not a `form_submission`.
    """
    payload = body.get("payload")
    data = payload.get("data") if isinstance(payload, dict) else None
    if (
        body.get("triggerType", "form_submission") != "form_submission"
        or not isinstance(payload, dict)
        or not isinstance(data, dict)
    ):
        raise MappingFailure(MappingReason.NOT_THE_VENDORS_SHAPE)
    return WebflowForm(_vendor_id(payload.get("id")), data)


def _vendor_id(raw: object) -> str | None:
    usable = isinstance(raw, str) and 0 < len(raw) <= LONGEST_VENDOR_ID and raw.isprintable()
    return str(raw) if usable else None
