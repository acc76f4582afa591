"""SendGrid's Signed Event Webhook: ECDSA on P-256 with SHA-256 over the timestamp header and the raw body.

The body's bytes count as they came, with the CRLF between events and at the end: a body that was read and written again
does not verify. How old the timestamp is does not matter: failed posts are repeated for 24 hours, SendGrid does not say
whether they are signed anew, and an event that comes again has no effect.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from config.event_keys import EventKeys

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"

_ALGORITHM = ec.ECDSA(SHA256())


class SignatureRule(StrEnum):
    """Why a request is not taken as SendGrid's."""

    NO_SIGNATURE = "no_signature"
    NO_TIMESTAMP = "no_timestamp"
    WRONG_SIGNATURE = "wrong_signature"


class SignatureRefused(Exception):
    """None of the keys signed this request."""

    def __init__(self, rule: SignatureRule) -> None:
        super().__init__(rule.value)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Signature:
    """What the headers claim: `value` is the DER signature, over `timestamp` and the body."""

    value: bytes
    timestamp: bytes


def read_signature(headers: Mapping[str, str]) -> Signature:
    """The signature that `headers`, looked up by lower-case name, bring along; it takes no body to read it.

    Raises:
        SignatureRefused: there is none that could be anybody's.
    """
    given, timestamp = headers.get(SIGNATURE_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
    if not given:
        raise SignatureRefused(SignatureRule.NO_SIGNATURE)
    if not timestamp:
        raise SignatureRefused(SignatureRule.NO_TIMESTAMP)
    try:
        # Header bytes, as the server decodes them.
        return Signature(base64.b64decode(given, validate=True), timestamp.encode("latin-1"))
    except (binascii.Error, ValueError):
        raise SignatureRefused(SignatureRule.WRONG_SIGNATURE) from None


def verify(raw: bytes, headers: Mapping[str, str], keys: EventKeys) -> None:
    """Check the request against each of `keys`.

    Raises:
        SignatureRefused: naming the rule.
    """
    signature = read_signature(headers)
    if not any(_signed(key, signature.value, signature.timestamp + raw) for key in keys):
        raise SignatureRefused(SignatureRule.WRONG_SIGNATURE)


def _signed(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, _ALGORITHM)
    except InvalidSignature:
        return False
    return True
