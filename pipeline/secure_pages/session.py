"""The short session that a second factor opens: a random key, stored hashed, good for one link only."""

import base64
import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from pipeline.models import SecureSession
from pipeline.secure_pages.link import Link
from pipeline.unit_of_work import UnitOfWork

SESSION = dt.timedelta(minutes=15)
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The second factor is needed first."""

    link: Link


def begin_session(unit: UnitOfWork, link: Link) -> str:
    """Collect a new session of the locked link, and forget those that have ended; returns the key."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode().rstrip("=")
    ended = delete(SecureSession).where(SecureSession.link_id == link.id, SecureSession.expires_at <= unit.now)
    unit.connection.execute(ended)
    unit.insert(SecureSession.table(), token_hash=_hash(key), link_id=link.id, expires_at=unit.now + SESSION)
    return key


def is_session(connection: Connection, link: Link, key: str | None, now: dt.datetime) -> bool:
    """Whether `key` is that of a live session of this very link."""
    if not key:
        return False
    statement = select(SecureSession.link_id).where(
        SecureSession.token_hash == _hash(key), SecureSession.link_id == link.id, SecureSession.expires_at > now
    )
    return connection.execute(statement).one_or_none() is not None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
