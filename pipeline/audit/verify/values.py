"""What is in a column, whoever put it there: SQLite takes any type in any column, and none may stop the run."""

import uuid
from concurrent.futures import BrokenExecutor
from typing import Any, TypeGuard

import orjson
from sqlalchemy.exc import DBAPIError

from pipeline.audit.stored import is_not_text
from pipeline.audit.verify.findings import Finding
from pipeline.db import is_transient

_NOT_ALLOWED = "42501"
"""PostgreSQL's insufficient_privilege: who runs this is to be told, and no record is at fault."""


def as_bytes(value: object) -> bytes:
    """Bytes as they are, anything else as none."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_id(value: object) -> bool:
    """Whether it is an id as 32 hex digits."""
    return isinstance(value, str) and len(value) == 32 and set(value) <= set("0123456789abcdef")


def as_digits(event_id: object) -> object:
    """An id as 32 hex digits, as SQLite has it; anything else as it is."""
    return event_id.hex if isinstance(event_id, uuid.UUID) else event_id


def named(event_id: object) -> str:
    """An id of 32 hex digits as it is written elsewhere; what is none, so that it can be looked for."""
    return str(uuid.UUID(str(event_id))) if is_id(event_id) else f"{event_id!r:.60}"


def read_details(details: object) -> dict[str, Any]:
    """The details of a record; none if they are not a JSON object."""
    try:
        told = orjson.loads(details) if isinstance(details, str) else None
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def unreadable(about: str, error: Exception, leaf: int | None = None) -> Finding:
    """The finding that an unexpected error is. Raises the error if it is not about what is in the database."""
    if not isinstance(error, DBAPIError):
        # A lost process, a full disk: nothing was found out about the evidence.
        if isinstance(error, OSError | MemoryError | BrokenExecutor):
            raise error
        return Finding(about, f"this part cannot be read ({type(error).__name__})", leaf)
    orig = error.orig
    if not is_not_text(error) and (is_transient(error) or getattr(orig, "sqlstate", None) == _NOT_ALLOWED):
        raise error
    return Finding(about, f"this part cannot be read ({type(orig).__name__})", leaf)
