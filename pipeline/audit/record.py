"""One audit record: its canonical form, leaf hash and authentication code.

The leaf hash is RFC 6962's (SHA-256 over a zero byte and the leaf), over the RFC 8785 form of every column before it.
Only strings, integers, booleans and null occur, so both databases and any verifier agree byte for byte.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType
from typing import Any

import orjson

from pipeline.audit.actions import Action, Actor, Detail

CANONICAL_VERSION = 1
LEAF_PREFIX = b"\x00"
MAC_BYTES = 32

DetailValue = str | int | bool | None

_HAS_A_FORM: frozenset[type] = frozenset({str, int, bool, NoneType, uuid.UUID, dt.datetime, bytes, memoryview})


@dataclass(frozen=True, slots=True)
class Entry:
    """What a step says of itself; numbered and hashed when its transaction is about to commit."""

    actor: Actor
    action: Action
    submission_id: uuid.UUID | None
    occurred_at: dt.datetime
    request_id: str | None = None
    job_id: int | None = None
    attempt: int | None = None
    reason: str | None = None
    details: Mapping[Detail, DetailValue] | None = None
    health_ciphertext: bytes | None = None
    health_commitment: bytes | None = None


COLUMNS = (
    "id",
    "occurred_at",
    "actor",
    "action",
    "submission_id",
    "seq",
    "request_id",
    "job_id",
    "attempt",
    "reason",
    "details",
    "health_ciphertext",
    "health_commitment",
    "canonical_version",
)
"""The columns of `audit_event` that enter the leaf, in order."""


_IN_FORM = tuple(sorted(COLUMNS))


def canonical_details(details: Mapping[Detail, DetailValue] | None) -> str:
    """The details as RFC 8785 JSON; what is stored is exactly what is hashed."""
    return canonical_json(details).decode() if details else "{}"


def canonical_form(columns: Mapping[str, Any]) -> bytes:
    """RFC 8785 JSON of the columns: times as RFC 3339 UTC with microseconds, ids as text, bytes as hex.

    Raises TypeError for a value of any other type, which two databases could write differently.
    """
    chosen = {name: columns[name] for name in _IN_FORM}
    if not _HAS_A_FORM.issuperset(map(type, chosen.values())):
        strange = {type(value).__name__ for value in chosen.values()} - {known.__name__ for known in _HAS_A_FORM}
        raise TypeError(f"a {', '.join(sorted(strange))} has no canonical form")
    return orjson.dumps(chosen, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def canonical_json(value: Mapping[str, DetailValue] | Mapping[Detail, DetailValue]) -> bytes:
    """RFC 8785 JSON of a flat object of strings, integers, booleans and null, with ASCII names.

    For these, sorted compact JSON *is* the canonical form, and orjson makes it many times faster than a full
    implementation; a test holds it against one.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def leaf_hash(columns: Mapping[str, Any]) -> bytes:
    """SHA-256(0x00 || canonical form), RFC 6962 section 2.1."""
    return hashlib.sha256(LEAF_PREFIX + canonical_form(columns)).digest()


def row(entry: Entry, event_id: uuid.UUID, seq: int, authenticate: Callable[[bytes, int], bytes]) -> tuple[Any, ...]:
    """The full `audit_event` row: `COLUMNS`, then leaf hash and MAC."""
    values = (
        event_id,
        entry.occurred_at,
        str(entry.actor),
        entry.action.value,
        entry.submission_id,
        seq,
        entry.request_id,
        entry.job_id,
        entry.attempt,
        None if entry.reason is None else str(entry.reason),  # a member of a StrEnum as its text
        canonical_details(entry.details),
        entry.health_ciphertext,
        entry.health_commitment,
        CANONICAL_VERSION,
    )
    leaf = leaf_hash(dict(zip(COLUMNS, values, strict=True)))
    return (*values, leaf, authenticate(leaf, MAC_BYTES))


def _plain(value: Any) -> str:
    """What orjson does not write by itself as the form wants it."""
    return _time(value) if isinstance(value, dt.datetime) else bytes(value).hex()


@lru_cache(maxsize=64)  # all records of a transaction carry one time
def _time(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
