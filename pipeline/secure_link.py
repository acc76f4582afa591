"""The links in emails: unguessable, expiring, stored only as hashes.

A link's token is derived from its email's id under the index keyset, so that rendering the same email again gives the
same bytes, and no token needs to be kept.
"""

import base64
import datetime as dt
import hashlib
import hmac
import re
import uuid
from enum import StrEnum

from pipeline.vault import Vault

CODE_DIGITS = 8
CODE_VALID = dt.timedelta(minutes=10)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""How 32 bytes look, URL-safe and without padding."""

_UNSUBSCRIBE_TOKEN = re.compile(r"[A-Za-z0-9_-]{54}")
"""16 bytes of the email's id and 24 of the signature."""


class Audience(StrEnum):
    PERSON = "person"
    PROVIDER = "provider"


def token_for(vault: Vault, email_id: uuid.UUID) -> str:
    """The token of the link in an email: 256 bits, URL-safe."""
    return _encode(vault.derive_token("link", email_id))


def token_hash(token: str) -> bytes | None:
    """What is stored of a token; `None` for a string that no token looks like. No two strings have the same hash."""
    if _TOKEN.fullmatch(token) is None:
        return None
    raw = base64.urlsafe_b64decode(token + "=")
    # The last character has two bits to spare, which decoding ignores: only one of four spellings is the token.
    return hashlib.sha256(raw).digest() if _encode(raw) == token else None


def link_url(public_url: str, vault: Vault, email_id: uuid.UUID) -> str:
    """The absolute URL that an email carries."""
    return f"{public_url}/s/{token_for(vault, email_id)}"


def unsubscribe_url(public_url: str, vault: Vault, email_id: uuid.UUID) -> str:
    """Where the recipient of an email can end mail of its class (RFC 8058). It opens nothing, so it needs no row."""
    return f"{public_url}/u/{_encode(email_id.bytes + _unsubscribe_signature(vault, email_id))}"


def email_to_unsubscribe(vault: Vault, token: str) -> uuid.UUID | None:
    """The email that a token of `unsubscribe_url` names; `None` unless we signed it."""
    if _UNSUBSCRIBE_TOKEN.fullmatch(token) is None:
        return None
    raw = base64.urlsafe_b64decode(token + "==")
    email_id = uuid.UUID(bytes=raw[:16])
    return email_id if hmac.compare_digest(raw[16:], _unsubscribe_signature(vault, email_id)) else None


def _unsubscribe_signature(vault: Vault, email_id: uuid.UUID) -> bytes:
    return vault.derive_token("unsubscribe", email_id)[:24]


def one_time_code(vault: Vault, code_id: uuid.UUID) -> str:
    """The digits of a one-time code, derived and never stored; eight digits against five attempts."""
    number = int.from_bytes(vault.derive_token("code", code_id)[:8]) % 10**CODE_DIGITS
    return f"{number:0{CODE_DIGITS}d}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
