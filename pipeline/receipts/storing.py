"""Keeping events: each once, with a job that will apply it, before the provider is told that we have it."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from pipeline import bulk, ledger
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.ledger import NewJob
from pipeline.models import MailEvent, MailTally
from pipeline.receipts.events import SENDGRID, ReadBatch, Tally

RECEIPTS_LANE = "receipts"

_COLUMNS = (
    "id",
    "transport",
    "event_key",
    "event",
    "code",
    "occurred_at",
    "received_at",
    "attempt_id",
    "provider_message_id",
    "address_index",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """How many events a request had that we could read, and how many of them were not known yet."""

    events: int
    new: int


def store_events(context: Context, batch: ReadBatch, wake: Callable[[str], None]) -> Stored:
    """Keep the batch in one transaction of three statements, whatever its size. `wake` is told after the commit."""
    now = utc_now()
    # In the order of their keys, so that two posts of the same batch wait for one another instead of deadlocking.
    rows = [
        (
            uuid7(),
            SENDGRID,
            event.key,
            event.kind.value,
            event.code,
            event.occurred_at,
            now,
            event.attempt_id,
            event.provider_message_id,
            event.address_index,
        )
        for event in sorted(batch.events, key=lambda event: event.key)
    ]
    names = ", ".join(_COLUMNS)
    with context.database.write() as connection:
        found = bulk.fetch(
            connection,
            f"INSERT INTO mail_event ({names}) SELECT {names} FROM v WHERE true "  # noqa: S608 - names of our own columns
            "ON CONFLICT (event_key) DO NOTHING RETURNING id, event",
            bulk.column_types(MailEvent.table(), _COLUMNS),
            rows,
        )
        ids = [row[0] if isinstance(row[0], uuid.UUID) else uuid.UUID(row[0]) for row in found]
        fed = ledger.enqueue(connection, [NewJob(RECEIPTS_LANE, event_id, None) for event_id in ids])
        counts = Counter(str(row[1]) for row in found)
        counts += Counter({tally.value: number for tally, number in batch.left_out.items()})
        counts[Tally.REPEATED.value] = len(rows) - len(found)
        count_events(connection, SENDGRID, counts)
    for lane in fed:
        wake(lane)
    return Stored(len(rows), len(found))


def count_events(connection: Connection, transport: str, counts: Mapping[str, int]) -> None:
    """Add to the tallies. Every transaction that reports events meets here: let it be the last thing one does."""
    later = "greatest" if connection.dialect.name == "postgresql" else "max"
    now = utc_now()
    bulk.insert(
        connection,
        MailTally.table(),
        ("transport", "event", "count", "last_at"),
        [(transport, event, number, now) for event, number in sorted(counts.items()) if number],
        "ON CONFLICT (transport, event) DO UPDATE SET count = mail_tally.count + excluded.count, "
        f"last_at = {later}(mail_tally.last_at, excluded.last_at)",
    )
