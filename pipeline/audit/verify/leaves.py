"""Records against the log: for each leaf of a range of tiles the record is there, and is what was put into the log."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, String, select, type_coerce

from pipeline.audit.stored import StoredRecord, read_records
from pipeline.audit.tiles import EVENT_ID_BYTES, TILE_WIDTH, split_hashes
from pipeline.audit.tree import HASH_BYTES, root_of
from pipeline.audit.verify.findings import (
    COLUMNS_CHANGED,
    LEAF_HASH_CHANGED,
    NOT_AS_LOGGED,
    RECORD_GONE,
    Finding,
    Findings,
)
from pipeline.audit.verify.records import IsAuthentic, check_code
from pipeline.audit.verify.values import as_bytes, as_digits, is_number, unreadable
from pipeline.db import Database
from pipeline.models import AuditArchive, AuditTile

_TILES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class TileRange:
    """Tiles `first` up to, not with, `end` of level 0 of a log that had `size` leaves when verification began."""

    log: int
    size: int
    first: int
    end: int

    @property
    def end_leaf(self) -> int:
        return min(self.end * TILE_WIDTH, self.size)


@dataclass(frozen=True, slots=True)
class CheckedRange:
    """What became of a range: records looked at, leaves whose records are archived, findings."""

    records: int
    archived: int
    findings: Findings


def check_tiles(database: Database, tiles: TileRange, is_authentic: IsAuthentic | None) -> CheckedRange:
    """Check a range; if something in it cannot be read at all, the rest of it."""
    try:
        with database.snapshot() as connection:
            return check_range(connection, tiles, is_authentic)
    except Exception as error:  # noqa: BLE001 - whatever somebody wrote into a column
        finding = unreadable(f"tile {tiles.first} of level 0", error, tiles.first * TILE_WIDTH)
    if tiles.end - tiles.first == 1:
        return CheckedRange(0, 0, Findings(1, [finding]))
    parts = [
        check_tiles(database, replace(tiles, first=n, end=n + 1), is_authentic) for n in range(tiles.first, tiles.end)
    ]
    findings = Findings()
    for part in parts:
        findings.merge(part.findings)
    return CheckedRange(sum(part.records for part in parts), sum(part.archived for part in parts), findings)


def check_range(connection: Connection, tiles: TileRange, is_authentic: IsAuthentic | None) -> CheckedRange:
    """Check the records of a range, and its full tiles against the level above.

    `connection` must read one snapshot. It may be of a later one than the log's size: leaves only come after.
    """
    archives = _archives(connection, tiles)
    above = _level_above(connection, tiles)
    records = archived = 0
    findings = Findings()
    for first in range(tiles.first, tiles.end, _TILES_AT_ONCE):
        found = _read_tiles(connection, tiles.log, first, min(first + _TILES_AT_ONCE, tiles.end))
        leaves: list[tuple[int, str, bytes]] = []
        for index in range(first, min(first + _TILES_AT_ONCE, tiles.end)):
            width = min(TILE_WIDTH, tiles.size - index * TILE_WIDTH)
            findings.add(_check_tile(index, width, found.get(index), above))
            if index in found:
                leaves.extend(_leaves(index, width, found[index]))
        there = read_records(connection, [event_id for _, event_id, _ in leaves])
        for leaf, event_id, tiled in leaves:
            record = there.get(event_id)
            if record is not None:
                records += 1
            elif any(start <= leaf < end for start, end in archives):
                archived += 1
                continue
            problem = _problem(record, tiled, is_authentic)
            if problem is not None:
                findings.add([Finding(_dashed(event_id), problem, leaf)])
    return CheckedRange(records, archived, findings)


def _problem(record: StoredRecord | None, tiled: bytes, is_authentic: IsAuthentic | None) -> str | None:
    if record is None:
        return RECORD_GONE
    computed = record.computed_leaf
    if computed == tiled:
        return check_code(record, is_authentic) if record.leaf_hash == tiled else LEAF_HASH_CHANGED
    return NOT_AS_LOGGED if computed == record.leaf_hash else COLUMNS_CHANGED


def _check_tile(index: int, width: int, tile: "_Tile | None", above: Mapping[int, bytes]) -> Iterator[Finding]:
    about, leaf = f"tile {index} of level 0", index * TILE_WIDTH
    if tile is None:
        yield Finding(about, "it is not there", leaf)
    elif not tile.is_even or len(tile.hashes) < width * HASH_BYTES:
        yield Finding(about, "it does not have the leaves that it should", leaf)
    elif width == TILE_WIDTH and root_of(split_hashes(tile.hashes)) != above.get(index):
        yield Finding(about, "the level above has another hash of it", leaf)
    elif (tile.lowest, tile.highest) != _bounds(tile.event_ids):
        yield Finding(about, "its lowest and highest event are not those of its leaves", leaf)


def _leaves(index: int, width: int, tile: "_Tile") -> Iterator[tuple[int, str, bytes]]:
    """Number, event id (32 hex digits) and hash of each leaf that the tile really has."""
    digits = tile.event_ids.hex()
    for place in range(min(width, len(tile.hashes) // HASH_BYTES, len(tile.event_ids) // EVENT_ID_BYTES)):
        event_id = digits[place * 2 * EVENT_ID_BYTES : (place + 1) * 2 * EVENT_ID_BYTES]
        yield index * TILE_WIDTH + place, event_id, tile.hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES]


@dataclass(frozen=True, slots=True)
class _Tile:
    """`lowest` and `highest` are the hex digits of ids, or whatever else is there."""

    hashes: bytes
    event_ids: bytes
    lowest: object
    highest: object

    @property
    def is_even(self) -> bool:
        """Whether it has leaves, whole hashes, and as many ids."""
        leaves, rest = divmod(len(self.hashes), HASH_BYTES)
        return leaves > 0 and not rest and len(self.event_ids) == leaves * EVENT_ID_BYTES


def _read_tiles(connection: Connection, log: int, first: int, end: int) -> dict[int, _Tile]:
    rows = connection.execute(
        select(
            AuditTile.tile_index,
            AuditTile.hashes,
            AuditTile.event_ids,
            type_coerce(AuditTile.lowest_event, String),  # not to be made an id of: it may be none
            type_coerce(AuditTile.highest_event, String),
        ).where(AuditTile.log == log, AuditTile.level == 0, AuditTile.tile_index >= first, AuditTile.tile_index < end)
    )
    return {
        index: _Tile(as_bytes(hashes), as_bytes(ids), as_digits(low), as_digits(high))
        for index, hashes, ids, low, high in rows
    }


def _level_above(connection: Connection, tiles: TileRange) -> dict[int, bytes]:
    """What level 1 has of each full tile of the range, by its index."""
    rows = connection.execute(
        select(AuditTile.tile_index, AuditTile.hashes).where(
            AuditTile.log == tiles.log,
            AuditTile.level == 1,
            AuditTile.tile_index >= tiles.first // TILE_WIDTH,
            AuditTile.tile_index <= (tiles.end - 1) // TILE_WIDTH,
        )
    )
    return {
        above * TILE_WIDTH + place: each
        for above, hashes in rows
        for place, each in enumerate(split_hashes(as_bytes(hashes)))
    }


def _archives(connection: Connection, tiles: TileRange) -> Sequence[tuple[int, int]]:
    rows = connection.execute(
        select(AuditArchive.first_leaf, AuditArchive.end_leaf).where(
            AuditArchive.log == tiles.log,
            AuditArchive.first_leaf < tiles.end_leaf,
            AuditArchive.end_leaf > tiles.first * TILE_WIDTH,
        )
    )
    return [(first, end) for first, end in rows if is_number(first) and is_number(end)]


def _bounds(event_ids: bytes) -> tuple[str, str]:
    ids = [event_ids[place : place + EVENT_ID_BYTES] for place in range(0, len(event_ids), EVENT_ID_BYTES)]
    return min(ids).hex(), max(ids).hex()


def _dashed(digits: str) -> str:
    return str(uuid.UUID(digits))
