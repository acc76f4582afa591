"""Which attempt to send an email an event is about.

By the attempt id that went out with it; else by the message id the provider answered the call with; else, for bad news
that came without the attempt id (a server may return mail long after the connection ended), by the address: see
`candidates`.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from pipeline.models import Email, EmailAttempt, MailEvent
from pipeline.receipts.events import EventKind
from pipeline.status import EmailStatus
from pipeline.transports.receipt import SendOutcome

RECENT = dt.timedelta(hours=72)
"""So long SendGrid keeps trying to deliver a message; bad news about it is not expected later."""
CLOCKS_APART = dt.timedelta(minutes=5)

_BAD_NEWS = frozenset({EventKind.BOUNCED, EventKind.BLOCKED, EventKind.DROPPED, EventKind.COMPLAINED})


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of `mail_event` that was not applied yet."""

    id: uuid.UUID
    transport: str
    kind: EventKind
    code: str | None
    occurred_at: dt.datetime
    attempt_id: uuid.UUID | None
    provider_message_id: str | None
    address_index: bytes | None

    @property
    def is_told_by_address(self) -> bool:
        """Bad news that names no message at all."""
        return self._may_be_told_by_address and self.provider_message_id is None

    @property
    def may_name_a_lost_answer(self) -> bool:
        """Bad news with a message id alone: it may be one that we were never told, since a call's answer was lost."""
        return self._may_be_told_by_address and self.provider_message_id is not None

    @property
    def _may_be_told_by_address(self) -> bool:
        return self.kind in _BAD_NEWS and self.attempt_id is None and self.address_index is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call about one email. `under_way`: it has not been answered yet, as far as is on record.

    `answer_lost`: it may have been accepted under a message id that we do not know.
    """

    id: uuid.UUID
    email_id: uuid.UUID
    submission_id: uuid.UUID
    address_index: bytes
    started_at: dt.datetime
    under_way: bool
    answer_lost: bool


def read_events(connection: Connection, event_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, StoredEvent]:
    """Those that still have to be applied, by id."""
    rows = connection.execute(
        select(MailEvent.table()).where(MailEvent.id.in_(event_ids), MailEvent.applied_at.is_(None))
    )
    return {
        row.id: StoredEvent(
            row.id,
            row.transport,
            EventKind(row.event),
            row.code,
            row.occurred_at,
            row.attempt_id,
            row.provider_message_id,
            bytes(row.address_index) if row.address_index is not None else None,
        )
        for row in rows
    }


def candidates(connection: Connection, events: Sequence[StoredEvent]) -> Mapping[uuid.UUID, tuple[Attempt, ...]]:
    """The attempts that each event may be about, by the event's id: one, if it is named; several, newest first, if
    only the address is known: then it is the newest of which nothing bad is known yet (see `applying`).

    A message id that we do not know is mostly another's, who writes to the same address. It is taken for ours where
    exactly one recent call to the address lost its answer.
    """
    by_id = _by_id(connection, {e.attempt_id for e in events if e.attempt_id is not None})
    by_message = _by_message(connection, {e.provider_message_id for e in events if e.provider_message_id is not None})
    unnamed = [
        event
        for event in events
        if event.is_told_by_address or (event.may_name_a_lost_answer and event.provider_message_id not in by_message)
    ]
    by_address = _by_address(connection, unnamed)
    found: dict[uuid.UUID, tuple[Attempt, ...]] = {}
    for event in events:
        attempt = by_id.get(event.attempt_id) if event.attempt_id is not None else None
        if attempt is None and event.provider_message_id is not None:
            attempt = by_message.get(event.provider_message_id)
        if attempt is not None:
            found[event.id] = (attempt,)
        else:
            found[event.id] = _to_the_address(event, by_address)
    return found


def written_to(connection: Connection, addresses: set[bytes]) -> set[bytes]:
    """Those of the addresses, by blind index, that any email was ever sent to."""
    if not addresses:
        return set()
    statement = select(EmailAttempt.address_index).where(EmailAttempt.address_index.in_(addresses)).distinct()
    return {bytes(found) for found in connection.execute(statement).scalars()}


def _to_the_address(event: StoredEvent, by_address: Mapping[bytes, Sequence[Attempt]]) -> tuple[Attempt, ...]:
    to_it = by_address.get(event.address_index, ()) if event.address_index is not None else ()
    recent = tuple(each for each in to_it if _is_recent(each, event.occurred_at))
    if event.is_told_by_address:
        return recent
    lost = tuple(each for each in recent if each.answer_lost) if event.may_name_a_lost_answer else ()
    return lost if len(lost) == 1 else ()


def _is_recent(attempt: Attempt, occurred_at: dt.datetime) -> bool:
    return occurred_at - RECENT <= attempt.started_at <= occurred_at + CLOCKS_APART


_COLUMNS = select(
    EmailAttempt.id,
    EmailAttempt.email_id,
    EmailAttempt.address_index,
    EmailAttempt.started_at,
    EmailAttempt.outcome,
    EmailAttempt.provider_message_id,
    Email.submission_id,
    Email.status,
    Email.attempt_id.label("mark"),
).join(Email, Email.id == EmailAttempt.email_id)


def _by_id(connection: Connection, ids: set[uuid.UUID]) -> dict[uuid.UUID, Attempt]:
    if not ids:
        return {}
    return {row.id: _attempt(row) for row in connection.execute(_COLUMNS.where(EmailAttempt.id.in_(ids)))}


def _by_message(connection: Connection, ids: set[str]) -> dict[str, Attempt]:
    if not ids:
        return {}
    wanted = _COLUMNS.where(EmailAttempt.provider_message_id.in_(ids)).order_by(EmailAttempt.started_at)
    rows = connection.execute(wanted)
    return {row.provider_message_id: _attempt(row) for row in rows}


def _by_address(connection: Connection, events: Sequence[StoredEvent]) -> dict[bytes, list[Attempt]]:
    """Newest first."""
    if not events:
        return {}
    statement = _COLUMNS.where(
        EmailAttempt.address_index.in_({event.address_index for event in events}),
        EmailAttempt.started_at >= min(event.occurred_at for event in events) - RECENT,
    ).order_by(EmailAttempt.started_at.desc())
    found: dict[bytes, list[Attempt]] = {}
    for row in connection.execute(statement):
        found.setdefault(bytes(row.address_index), []).append(_attempt(row))
    return found


def _attempt(row: Any) -> Attempt:
    under_way = row.status == EmailStatus.QUEUED and row.mark == row.id
    answer_lost = row.outcome in {None, SendOutcome.UNCERTAIN} and row.provider_message_id is None
    return Attempt(
        row.id, row.email_id, row.submission_id, bytes(row.address_index), row.started_at, under_way, answer_lost
    )
