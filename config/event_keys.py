"""The public keys by which a mail provider's event webhook is recognised, from the setting that holds them."""

import base64
import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

EventKeys = tuple[ec.EllipticCurvePublicKey, ...]

_WANTED = "is not a verification key as SendGrid shows it (base64 of a P-256 public key, beginning MFkw)"


def read_event_keys(text: str) -> EventKeys:
    """The keys of a comma-separated list, each the base64 of a DER SubjectPublicKeyInfo on curve P-256.

    Raises ValueError saying which of them, by number, is no such key.
    """
    given = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(_read(each, number) for number, each in enumerate(given, start=1))


def _read(text: str, number: int) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise ValueError(f"number {number} {_WANTED}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"number {number} {_WANTED}")  # noqa: TRY004 - what is wrong is a setting's text
    return key
