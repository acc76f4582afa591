"""Records that wait to be put into the log: which come next, in which order, and whether they are as written."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, text

from pipeline import bulk
from pipeline.audit.log_state import leaves_among
from pipeline.audit.record import MAC_BYTES
from pipeline.audit.stored import StoredRecord, read_records
from pipeline.audit.tiles import Leaf
from pipeline.models import AuditPending

_MISSING = "the record is not there"
_NOT_THE_COLUMNS = "its columns do not match its leaf hash"
_IN_THE_LOG = "it is in the log already"
_NO_ID = "its id is none of ours"
NOT_OUR_MAC = "its MAC is not ours"
_GAP = {"submission_id": "uuid", "first": "integer", "last": "integer", "most": "integer"}
_SYSTEM_GAP = {"first": "integer", "last": "integer", "most": "integer"}

_WAITING = text("SELECT event_id FROM audit_pending WHERE refused IS NULL ORDER BY event_id LIMIT :limit")
"""As the driver gives it: what is no id is to be refused, and not to fail."""
_BEHIND = (
    "SELECT e.id FROM v JOIN audit_event e ON {about} AND e.seq BETWEEN v.first AND v.last "
    "JOIN audit_pending p ON p.event_id = e.id AND p.refused IS NULL LIMIT (SELECT max(most) FROM v)"
)

Place = tuple[str | None, int]
"""Of a record in its series: the submission it is about (None: about none) and its number."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Leaves to be added, in order, and the records that cannot be, each with the reason.

    A refused one is named as it stands in the database: anything may, in SQLite. `is_full`: more may wait.
    """

    leaves: Sequence[Leaf]
    refused: Sequence[tuple[Any, str]]
    is_full: bool


def look_again(connection: Connection) -> None:
    """What was refused for its MAC waits again: the keyset that did not know it may have been an older one."""
    refused = AuditPending.refused == NOT_OUR_MAC
    # Asked first, as it is nearly never so, and SQLite has one writer.
    if connection.execute(select(AuditPending.event_id).where(refused).limit(1)).first() is not None:
        connection.execute(AuditPending.table().update().where(refused).values(refused=None))


def read_batch(connection: Connection, log: int, is_authentic: Callable[[bytes, bytes], bool], limit: int) -> Batch:
    """The records that have waited longest, about `limit` of them, each recomputed; none that the log has already.

    By id, which is by time; but those of one series by their numbers, whatever the clocks of the machines that wrote
    them said. A record that waits is visible only when those before it in its series are: they lock their series.
    """
    waiting = list(connection.execute(_WAITING, {"limit": limit}).scalars())
    records, refused = _read(connection, waiting, is_authentic)
    # With everything that waits in hand, nothing can be left behind.
    is_full = len(waiting) == limit
    while is_full:
        known = {event_id for event_id, _ in refused}
        behind = _left_behind(connection, records, limit + len(known))
        more, wrong = _read(connection, [event_id for event_id in behind if event_id not in known], is_authentic)
        records += more
        refused += wrong
        if not more:
            break
    there = leaves_among(connection, log, [uuid.UUID(record.id) for record in records])
    leaves = [Leaf(record.leaf_hash, uuid.UUID(record.id)) for record in in_order(records)]
    refused += [(event_id, _IN_THE_LOG) for event_id in there]
    return Batch([leaf for leaf in leaves if leaf.event_id not in there], refused, is_full)


def take(connection: Connection, batch: Batch) -> None:
    """Remove what is in the log from what waits; what was refused stays, with the reason."""
    bulk.execute(
        connection,
        "DELETE FROM audit_pending WHERE event_id IN (SELECT event_id FROM v)",
        {"event_id": "uuid"},
        [(leaf.event_id,) for leaf in batch.leaves],
    )
    bulk.execute(
        connection,
        "UPDATE audit_pending SET refused = v.refused FROM v WHERE audit_pending.event_id = v.event_id",
        {"event_id": "uuid", "refused": "text"},
        list(batch.refused),
    )


def in_order(records: Iterable[StoredRecord]) -> list[StoredRecord]:
    """By id; those of one series take the places that they have among the others in the order of their numbers."""
    ordered = sorted(records, key=lambda record: record.id)
    places: dict[str | None, list[int]] = defaultdict(list)
    for place, record in enumerate(ordered):
        places[record.submission_id].append(place)
    for taken in places.values():
        if len(taken) > 1:
            series = sorted((ordered[place] for place in taken), key=lambda record: record.seq)
            for place, record in zip(taken, series, strict=True):
                ordered[place] = record
    return ordered


def _read(
    connection: Connection, event_ids: Sequence[Any], is_authentic: Callable[[bytes, bytes], bool]
) -> tuple[list[StoredRecord], list[tuple[Any, str]]]:
    """The records that are as written, and what is wrong with the others. Ids as the driver gives them."""
    digits = [_digits(event_id) for event_id in event_ids]
    found = read_records(connection, [each for each in digits if each is not None])
    records: list[StoredRecord] = []
    refused: list[tuple[Any, str]] = []
    for event_id, named in zip(event_ids, digits, strict=True):
        record = None if named is None else found.get(named)
        problem = _NO_ID if named is None else _problem(record, is_authentic)
        if record is not None and problem is None:
            records.append(record)
        else:
            refused.append((event_id, problem or _MISSING))
    return records, refused


def _digits(event_id: Any) -> str | None:
    """SQLite keeps ids as text, and takes whatever it is given. Text that is no id names no record."""
    if isinstance(event_id, uuid.UUID):
        return event_id.hex
    return event_id if isinstance(event_id, str) else None


def _problem(record: StoredRecord | None, is_authentic: Callable[[bytes, bytes], bool]) -> str | None:
    if record is None:
        return _MISSING
    leaf = record.computed_leaf
    if leaf is None or leaf != record.leaf_hash:
        return _NOT_THE_COLUMNS
    if not isinstance(record.mac, bytes) or len(record.mac) != MAC_BYTES or not is_authentic(leaf, record.mac):
        return NOT_OUR_MAC
    return None


def _left_behind(connection: Connection, records: Sequence[StoredRecord], most: int) -> list[Any]:
    """Ids that wait and come, by their numbers, before or between these: a clock that was ahead put them behind."""
    gaps = [(about, first, last, most) for about, first, last in _gaps(records)]
    found: list[Any] = bulk.fetch(
        connection,
        _BEHIND.format(about="e.submission_id = v.submission_id"),
        _GAP,
        [(uuid.UUID(about), *numbers) for about, *numbers in gaps if about is not None],
    )
    found += bulk.fetch(
        connection,
        _BEHIND.format(about="e.submission_id IS NULL"),
        _SYSTEM_GAP,
        [tuple(numbers) for about, *numbers in gaps if about is None],
    )
    return [row[0] for row in found]


def _gaps(records: Sequence[StoredRecord]) -> Iterator[tuple[str | None, int, int]]:
    """Where numbers are missing in each series, and the one before its first: series, first and last of them."""
    series: dict[str | None, list[int]] = defaultdict(list)
    for record in records:
        series[record.submission_id].append(record.seq)
    for about, numbers in series.items():
        numbers.sort()
        before = max(0, numbers[0] - 2)
        for number in numbers:
            if number > before + 1:
                yield about, before + 1, number - 1
            before = number
