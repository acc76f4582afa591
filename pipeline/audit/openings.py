"""Logs after the first: each was opened by somebody, on record, and keeps every record of those before it.

Without this, whoever has the database alone could open a log of their own, leave out of it what they want gone, and
have the sequencer sign it: nothing was anchored of it yet.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson
from sqlalchemy import Connection, String, select, type_coerce

from pipeline.audit.actions import Action, Detail
from pipeline.audit.log_state import find_leaf
from pipeline.audit.record import MAC_BYTES
from pipeline.audit.stored import StoredRecord, read_records
from pipeline.audit.tiles import EVENT_ID_BYTES, TILE_WIDTH, split_event_ids, split_hashes
from pipeline.audit.tree import HASH_BYTES
from pipeline.models import AuditArchive, AuditEvent, AuditTile

IsAuthentic = Callable[[bytes, bytes], bool]
_TILES_AT_ONCE = 64


class NamedLog(Protocol):
    """A log, as far as it is needed here."""

    @property
    def number(self) -> int: ...

    @property
    def origin(self) -> str: ...


def is_opened_on_record(connection: Connection, log: NamedLog, is_authentic: IsAuthentic | None) -> bool:
    """Whether a record that is as it was written names the log. The first one needs none."""
    if log.number == 1:
        return True
    # Not to be made ids of: what is none names no record of ours.
    statement = select(type_coerce(AuditEvent.id, String)).where(AuditEvent.action == Action.LOG_OPENED.value)
    found: Sequence[Any] = connection.execute(statement).scalars().all()
    ids = [each.hex if isinstance(each, UUID) else each for each in found if isinstance(each, UUID | str)]
    return any(_names(record, log.origin, is_authentic) for record in read_records(connection, ids).values())


def missing_since(connection: Connection, earlier: NamedLog, current: NamedLog) -> Iterator[tuple[int, str, str]]:
    """What is a leaf of an earlier log, and neither here as it was then nor archived: leaf, what it is, problem."""
    archived = _archived(connection)
    for index, hashes, event_ids in _tiles(connection, earlier.number):
        leaves = len(hashes) // HASH_BYTES
        if len(hashes) != leaves * HASH_BYTES or len(event_ids) != leaves * EVENT_ID_BYTES:
            yield index * TILE_WIDTH, f"tile {index}", "it does not have whole hashes, and as many ids"
            continue
        ids = list(split_event_ids(event_ids))
        records = read_records(connection, [event_id.hex for event_id in ids])
        for place, (event_id, leaf) in enumerate(zip(ids, split_hashes(hashes), strict=True)):
            number, record = index * TILE_WIDTH + place, records.get(event_id.hex)
            if record is None:
                later = find_leaf(connection, current.number, event_id)
                if not _within(archived, earlier, number) and not _within(archived, current, later):
                    yield number, f"{event_id}", "it is gone"
            elif record.leaf_hash != leaf:
                yield number, f"{event_id}", "it is another one now"


def _tiles(connection: Connection, log: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Index, hashes and event ids of each tile of leaves."""
    after: int = -1
    while True:
        statement = (
            select(AuditTile.tile_index, AuditTile.hashes, AuditTile.event_ids)
            .where(AuditTile.log == log, AuditTile.level == 0, AuditTile.tile_index > after)
            .order_by(AuditTile.tile_index)
            .limit(_TILES_AT_ONCE)
        )
        rows = [row for row in connection.execute(statement).all() if isinstance(row.tile_index, int)]
        if not rows:
            return
        for row in rows:
            yield row.tile_index, _bytes(row.hashes), _bytes(row.event_ids)
        after = rows[-1].tile_index


def _names(record: StoredRecord, origin: str, is_authentic: IsAuthentic | None) -> bool:
    leaf = record.computed_leaf
    mac: object = record.mac
    if leaf is None or leaf != record.leaf_hash or not isinstance(mac, bytes) or len(mac) != MAC_BYTES:
        return False
    if is_authentic is not None and not is_authentic(leaf, mac):
        return False
    try:
        details: Any = orjson.loads(record.details)
    except orjson.JSONDecodeError:
        return False
    return isinstance(details, dict) and details.get(Detail.ORIGIN) == origin


def _archived(connection: Connection) -> list[tuple[int, int, int]]:
    statement = select(AuditArchive.log, AuditArchive.first_leaf, AuditArchive.end_leaf)
    rows = connection.execute(statement)
    return [(log, first, end) for log, first, end in rows if isinstance(first, int) and isinstance(end, int)]


def _within(archived: list[tuple[int, int, int]], log: NamedLog, leaf: int | None) -> bool:
    return leaf is not None and any(number == log.number and first <= leaf < end for number, first, end in archived)


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
