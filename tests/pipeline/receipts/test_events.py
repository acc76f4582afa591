"""What is read of an event, and that nothing else of it is kept."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from pipeline.keys import Keys
from pipeline.receipts.events import BodyUnreadable, EventKind, ProviderEvent, ReadBatch, Tally, read_events
from pipeline.suppression import address_index
from pipeline.vault import Vault

ATTEMPT = uuid.UUID("0d6c3f5e-1f7e-4c57-9a55-5b5b2f8c5a10")
MARKER = "zq7marker"
PLAIN = {
    "email": f"{MARKER}@example.org",
    "timestamp": 1795336000,
    "event": "delivered",
    "sg_event_id": "ZGVsaXZlcmVkLTAtMQ",
    "sg_message_id": "QkrF2ULpQ9-MzY_yhXJHmA.recvd-6f7dc4d5c8-x2jqk-1-5F5FC76C-9.0",
    "attempt_id": str(ATTEMPT),
    "response": f"250 2.0.0 OK <{MARKER}@example.org>",
}


@pytest.fixture
def vault(keys: Keys) -> Vault:
    return Vault(keys)


def read(vault: Vault, *events: object) -> ReadBatch:
    return read_events(json.dumps(events).encode(), vault)


def one(vault: Vault, **changes: Any) -> ProviderEvent:
    batch = read(vault, {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...})
    (event,) = batch.events
    return event


def test_what_is_needed_of_an_event_is_kept(vault: Vault) -> None:
    event = one(vault)
    assert (event.kind, event.code) == (EventKind.DELIVERED, "2.0.0")
    assert (event.attempt_id, event.provider_message_id) == (ATTEMPT, "QkrF2ULpQ9-MzY_yhXJHmA")
    assert event.occurred_at == dt.datetime.fromtimestamp(1795336000, dt.UTC)
    assert event.address_index == address_index(vault, f"{MARKER}@EXAMPLE.org")
    assert MARKER not in repr(event)


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"event": "processed", "response": ...}, "processed", None),
        ({"event": "deferred", "response": "451 4.3.2 please try again"}, "deferred", "4.3.2"),
        ({"event": "deferred", "response": "400 try again later"}, "deferred", "400"),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, "bounced", "5.1.1"),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, "blocked", "5.7.1"),
        ({"event": "bounce", "status": "4.2.2"}, "blocked", "4.2.2"),  # an older form, without `type`
        ({"event": "bounce", "status": "5.1.1"}, "bounced", "5.1.1"),
        ({"event": "bounce", "type": "blocked", "response": ..., "reason": "unable to get mx info"}, "blocked", None),
        ({"event": "bounce", "type": "bounce", "response": ..., "reason": f"550 {MARKER}"}, "bounced", "550"),
        ({"event": "bounce", "type": "bounce", "status": f"5.1.1 {MARKER}", "response": ...}, "bounced", None),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped", "bounced-address"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "dropped", "spam-reporting-address"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "dropped", "unsubscribed-address"),
        ({"event": "dropped", "reason": "Invalid"}, "dropped", "invalid"),
        ({"event": "dropped", "reason": f"Because of {MARKER}"}, "dropped", "other"),
        ({"event": "spamreport", "response": ...}, "complained", None),
        ({"event": "group_unsubscribe", "response": ...}, "unsubscribed", None),
    ],
)
def test_every_sort_of_event_has_our_own_name_and_code(
    vault: Vault, changes: dict[str, Any], kind: str, code: str | None
) -> None:
    event = one(vault, **changes)
    assert (event.kind, event.code) == (kind, code)
    assert MARKER not in repr(event)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"attempt_id": MARKER}, "attempt_id", None),
        ({"attempt_id": 7}, "attempt_id", None),
        ({"sg_message_id": "a\u0000b.x"}, "provider_message_id", None),
        ({"sg_message_id": ...}, "provider_message_id", None),
        ({"sg_message_id": "14c5d75ce93.dfd.64b469"}, "provider_message_id", "14c5d75ce93"),
        ({"email": "\ud800@example.org"}, "address_index", None),
        ({"email": ["a"]}, "address_index", None),
        ({"timestamp": "1795336000"}, "occurred_at", dt.datetime.fromtimestamp(1795336000, dt.UTC)),
    ],
)
def test_what_cannot_be_used_is_left_out_and_the_event_is_taken(
    vault: Vault, changes: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(one(vault, **changes), field) == value


def test_a_broken_event_does_not_lose_the_others(vault: Vault) -> None:
    nameless = {name: value for name, value in PLAIN.items() if name != "event"}
    broken: list[object] = [
        7,
        None,
        [],
        {},
        nameless,
        *({**PLAIN, "timestamp": when} for when in (None, True, -1, "soon", 1e300)),
    ]
    batch = read(vault, *broken, PLAIN, {**PLAIN, "event": "open"}, {**PLAIN, "event": "account_status_change"})
    assert len(batch.events) == 1
    assert batch.left_out == {Tally.UNREADABLE: len(broken), Tally.IGNORED: 2}


def test_an_event_is_known_by_its_id_and_without_one_by_all_of_it(vault: Vault) -> None:
    assert one(vault).key == one(vault, timestamp=1).key != one(vault, sg_event_id="other").key
    without = one(vault, sg_event_id=...)
    assert without.key == one(vault, sg_event_id=...).key != one(vault, sg_event_id=..., timestamp=1).key


@pytest.mark.parametrize("raw", [b"", b"{}", b'"x"', b"\xff", b"[" * 100_000, b"[1" + b"0" * 5000 + b"]"])
def test_a_body_that_is_no_list_is_refused(vault: Vault, raw: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        read_events(raw, vault)
