"""One event of SendGrid's Event Webhook, in our words.

Kept are what happened, when, a code, and what tells which email it is about; the address only as its blind index. Free
text (`reason`, `response`) is read for a code and let go: mail servers quote addresses in it.
"""

import datetime as dt
import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.suppression import address_index
from pipeline.vault import Vault

SENDGRID = "sendgrid"


class EventKind(StrEnum):
    """What a provider can report. `blocked` is a bounce that says nothing against the address."""

    PROCESSED = "processed"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    DROPPED = "dropped"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


class Tally(StrEnum):
    """What is only counted, beside the kinds."""

    UNREADABLE = "unreadable"  # an event without a name, or without a time
    IGNORED = "ignored"  # of a sort that we do not ask for: opens, clicks
    REPEATED = "repeated"
    UNMATCHED = "unmatched"  # about no email of ours


class DropCode(StrEnum):
    """Why SendGrid did not try, from the closed list of its reasons."""

    BOUNCED_ADDRESS = "bounced-address"
    SPAM_REPORTING_ADDRESS = "spam-reporting-address"
    UNSUBSCRIBED_ADDRESS = "unsubscribed-address"
    INVALID = "invalid"
    OTHER = "other"


class BodyUnreadable(Exception):
    """The body is not a JSON list."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """`key` is the hash by which a repeat is recognised."""

    key: bytes
    kind: EventKind
    code: str | None
    occurred_at: dt.datetime
    attempt_id: uuid.UUID | None
    provider_message_id: str | None
    address_index: bytes | None


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """The readable events of one request, and how many others there were, by why they are left out."""

    events: list[ProviderEvent] = field(default_factory=list)
    left_out: Counter[Tally] = field(default_factory=Counter)


_NAMES: Mapping[str, EventKind] = {
    "processed": EventKind.PROCESSED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
}
_DROPS: Mapping[str, DropCode] = {
    "bounced address": DropCode.BOUNCED_ADDRESS,
    "spam reporting address": DropCode.SPAM_REPORTING_ADDRESS,
    "unsubscribed address": DropCode.UNSUBSCRIBED_ADDRESS,
    "invalid": DropCode.INVALID,
}
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")  # RFC 3463
_REPLY = re.compile(r"([245]\d\d)(?:[ -]([245]\.\d{1,3}\.\d{1,3})\b)?")  # RFC 5321, 4.2; RFC 2034
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


def read_events(raw: bytes, vault: Vault) -> ReadBatch:
    """The events of a request's body, which the provider has signed.

    Raises:
        BodyUnreadable: it is not a JSON list.
    """
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        raise BodyUnreadable from None
    if not isinstance(given, list):
        raise BodyUnreadable
    batch = ReadBatch()
    for each in given:
        name = each.get("event") if isinstance(each, dict) else None
        occurred_at = _time(each.get("timestamp")) if isinstance(each, dict) else None
        if not isinstance(name, str) or occurred_at is None:
            batch.left_out[Tally.UNREADABLE] += 1
        elif (kind := _NAMES.get(name)) is None:
            batch.left_out[Tally.IGNORED] += 1
        else:
            batch.events.append(_read(each, kind, occurred_at, vault))
    return batch


def _read(given: Mapping[str, Any], kind: EventKind, occurred_at: dt.datetime, vault: Vault) -> ProviderEvent:
    if kind is EventKind.BOUNCED and _is_block(given):
        kind = EventKind.BLOCKED
    code = _drop_code(given) if kind is EventKind.DROPPED else _code(given)
    return ProviderEvent(
        key=_key(given),
        kind=kind,
        code=code,
        occurred_at=occurred_at,
        attempt_id=_attempt_id(given.get("attempt_id")),
        provider_message_id=_message_id(given.get("sg_message_id")),
        address_index=_address_index(given.get("email"), vault),
    )


def _is_block(given: Mapping[str, Any]) -> bool:
    """SendGrid's word is `type`; an event without it is judged by its status code."""
    kind = given.get("type")
    return kind == "blocked" or (kind != "bounce" and str(given.get("status", "")).startswith("4"))


def _key(given: Mapping[str, Any]) -> bytes:
    """SHA-256 of the provider's id of the event; of all of it, for one that has none."""
    name = given.get("sg_event_id")
    text = name if isinstance(name, str) and name else json.dumps(given, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _time(given: object) -> dt.datetime | None:
    """A Unix time in seconds, as a number or its digits."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 12:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        return None
    try:
        return dt.datetime.fromtimestamp(given, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _code(given: Mapping[str, Any]) -> str | None:
    """The enhanced status code, else the reply code, that the event's status or reply begins with."""
    status = given.get("status")
    if isinstance(status, str) and _ENHANCED.fullmatch(status):
        return status
    for name in ("response", "reason", "status"):
        reply = given.get(name)
        if isinstance(reply, str) and (found := _REPLY.match(reply)):
            return found[2] or found[1]
    return None


def _drop_code(given: Mapping[str, Any]) -> DropCode:
    reason = given.get("reason")
    return _DROPS.get(reason.strip().lower(), DropCode.OTHER) if isinstance(reason, str) else DropCode.OTHER


def _attempt_id(given: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _message_id(given: object) -> str | None:
    """What stands before the first dot is the `X-Message-Id` of the call."""
    found = given.partition(".")[0] if isinstance(given, str) else ""
    return found if _MESSAGE_ID.fullmatch(found) else None


def _address_index(given: object, vault: Vault) -> bytes | None:
    if not isinstance(given, str) or not given.strip():
        return None
    try:
        return address_index(vault, given.strip())
    except UnicodeEncodeError:  # half a surrogate pair: no address
        return None
