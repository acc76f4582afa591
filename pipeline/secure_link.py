"""The links in emails: unguessable, expiring, stored only as hashes.

A link's token is derived from its email's id under the index keyset, so that rendering the same email again gives the
same bytes, and no token needs to be kept.
"""

import base64
import binascii
import datetime as dt
import hashlib
import uuid
from enum import StrEnum

from pipeline.vault import Vault

TOKEN_BYTES = 32
CODE_DIGITS = 8
CODE_VALID = dt.timedelta(minutes=10)


class Audience(StrEnum):
    PERSON = "person"
    PROVIDER = "provider"


def token_for(vault: Vault, email_id: uuid.UUID) -> str:
    """The token of the link in an email: 256 bits, URL-safe."""
    return base64.urlsafe_b64encode(vault.derive_token("link", email_id)).decode().rstrip("=")


def token_hash(token: str) -> bytes | None:
    """What is stored of a token; `None` for a string that no token looks like."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    return hashlib.sha256(raw).digest() if len(raw) == TOKEN_BYTES and token.isascii() else None


def link_url(public_url: str, vault: Vault, email_id: uuid.UUID) -> str:
    """The absolute URL that an email carries."""
    return f"{public_url}/s/{token_for(vault, email_id)}"


def one_time_code(vault: Vault, code_id: uuid.UUID) -> str:
    """The digits of a one-time code, derived and never stored; eight digits against five attempts."""
    number = int.from_bytes(vault.derive_token("code", code_id)[:8]) % 10**CODE_DIGITS
    return f"{number:0{CODE_DIGITS}d}"
