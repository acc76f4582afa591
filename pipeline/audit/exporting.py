"""The log out of the database into files that can be checked without it, by `tools/verify_audit.py` for one.

    checkpoint                      the latest signed note
    checkpoints/<size>              every signed note
    tile/…                          hashes, where https://c2sp.org/tlog-tiles puts them
    records/<first leaf>.jsonl      one record's canonical form a line, in leaf order
    archived.json                   leaves whose records are in archive files instead, and the digests of those

SHA-256 over a zero byte and a line (without its newline) is the leaf hash. Every line is held against the log's tile
before it is written, so that what leaves here is what was put into the log.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, select

from pipeline.audit.log_state import LogRow, Stored
from pipeline.audit.stored import StoredRecord, read_records
from pipeline.audit.tiles import EVENT_ID_BYTES, TILE_HEIGHT, TILE_WIDTH, TileMissing, tile_path
from pipeline.audit.tree import HASH_BYTES
from pipeline.db import Database
from pipeline.models import AuditArchive, AuditCheckpoint, AuditLog, AuditTile

LEAVES_IN_A_FILE = 65_536
_TILES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has: leaves, and the records of them that are not archived."""

    size: int
    records: int
    checkpoints: int


class RecordDiffers(Exception):
    """A record is not there, or not what was put into the log."""

    def __init__(self, leaf: int, event_id: str, problem: str) -> None:
        super().__init__(f"leaf {leaf}, record {event_id}: {problem}")
        self.leaf = leaf


def export_log(database: Database, log: LogRow, checkpoint: Stored, folder: Path) -> Exported:
    """Write the log as far as `checkpoint` covers it to `folder`, which is empty or not there, in flat memory.

    What a checkpoint covers stays as it is: no snapshot is held for longer than a file takes, so that the database can
    clean up meanwhile. Only an archive takes records away; one that is made now is to be waited for. Raises
    `RecordDiffers`, `TileMissing`, and OSError; what was written by then is of no use.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "checkpoint").write_text(checkpoint.note, encoding="utf-8")
    with database.snapshot() as connection:
        checkpoints = _write_checkpoints(connection, log.number, checkpoint.size, folder / "checkpoints")
    with database.snapshot() as connection:
        _write_tiles(connection, log.number, checkpoint.size, folder)
    with database.snapshot() as connection:
        archives = _write_archives(connection, log.number, checkpoint.size, folder / "archived.json")
    (folder / "records").mkdir()
    records = 0
    for first, end in _files(archives, checkpoint.size):
        with database.snapshot() as connection, (folder / "records" / f"{first:020}.jsonl").open("wb") as file:
            write_records(connection, log.number, first, end, file)
        records += end - first
    return Exported(checkpoint.size, records, checkpoints)


def write_records(connection: Connection, log: int, first_leaf: int, end_leaf: int, file: BinaryIO) -> str:
    """Write the records of leaves `first_leaf` up to, not with, `end_leaf`; the SHA-256 of what was written, hex.

    `log` is its number; `connection` reads one snapshot. Raises `RecordDiffers` at the first record that is not there
    or not as it was put into the log; what was written by then is of no use.
    """
    digest = hashlib.sha256()
    for lines in _lines(connection, log, first_leaf, end_leaf):
        digest.update(lines)
        file.write(lines)
    return digest.hexdigest()


def _lines(connection: Connection, log: int, first_leaf: int, end_leaf: int) -> Iterator[bytes]:
    expected = first_leaf
    for first_tile in range(first_leaf // TILE_WIDTH, -(-end_leaf // TILE_WIDTH), _TILES_AT_ONCE):
        leaves = [
            leaf
            for leaf in _leaves(connection, log, first_tile, first_tile + _TILES_AT_ONCE)
            if first_leaf <= leaf[0] < end_leaf
        ]
        if leaves and leaves[0][0] != expected:
            raise RecordDiffers(expected, "unknown", "its tile is not there")
        records = read_records(connection, [event_id for _, event_id, _ in leaves])
        yield b"".join(_line(leaf, event_id, tiled, records.get(event_id)) for leaf, event_id, tiled in leaves)
        expected += len(leaves)
    if expected != end_leaf:
        raise RecordDiffers(expected, "unknown", "its tile is not there, or is too short")


def _leaves(connection: Connection, log: int, first_tile: int, end_tile: int) -> Iterator[tuple[int, str, bytes]]:
    """Number, event id and hash of each leaf of some tiles."""
    rows = connection.execute(
        select(AuditTile.tile_index, AuditTile.hashes, AuditTile.event_ids)
        .where(
            AuditTile.log == log,
            AuditTile.level == 0,
            AuditTile.tile_index >= first_tile,
            AuditTile.tile_index < end_tile,
        )
        .order_by(AuditTile.tile_index)
    ).all()
    for tile_index, hashes, event_ids in rows:
        for place in range(len(hashes) // HASH_BYTES):
            event_id = bytes(event_ids or b"")[place * EVENT_ID_BYTES : (place + 1) * EVENT_ID_BYTES].hex()
            tiled = bytes(hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES])
            yield tile_index * TILE_WIDTH + place, event_id, tiled


def _line(leaf: int, event_id: str, tiled: bytes, record: StoredRecord | None) -> bytes:
    if record is None:
        raise RecordDiffers(leaf, event_id, "it is not there")
    if record.computed_leaf != tiled:
        raise RecordDiffers(leaf, event_id, "it is not what was put into the log")
    return record.form + b"\n"


def _write_checkpoints(connection: Connection, log: int, size: int, folder: Path) -> int:
    folder.mkdir()
    rows = connection.execute(
        select(AuditCheckpoint.size, AuditCheckpoint.note).where(
            AuditCheckpoint.log == log, AuditCheckpoint.size <= size
        ),
        execution_options={"yield_per": 1000},
    )
    count = 0
    for each, note in rows:
        (folder / f"{each:020}").write_text(note, encoding="utf-8")
        count += 1
    return count


def _write_tiles(connection: Connection, log: int, size: int, folder: Path) -> None:
    level = 0
    while hashes := size >> TILE_HEIGHT * level:
        rows = connection.execute(
            select(AuditTile.tile_index, AuditTile.hashes)
            .where(AuditTile.log == log, AuditTile.level == level, AuditTile.tile_index < -(-hashes // TILE_WIDTH))
            .order_by(AuditTile.tile_index),
            execution_options={"yield_per": TILE_WIDTH},
        )
        written = 0
        for index, raw in rows:
            width = min(TILE_WIDTH, hashes - index * TILE_WIDTH)
            path = folder / tile_path(level, index, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(raw)[: width * HASH_BYTES])
            written += min(width, len(raw) // HASH_BYTES)
        if written != hashes:
            raise TileMissing(f"level {level} has {written} hashes where {hashes} were due")
        level += 1


def _write_archives(connection: Connection, log: int, size: int, path: Path) -> list[tuple[int, int]]:
    """Write down which leaves have no record any more; this log's ranges, in order.

    Those of earlier logs are told too: their records are missing at the beginnings of series.
    """
    rows = connection.execute(
        select(
            AuditArchive.log,
            AuditLog.origin,
            AuditArchive.first_leaf,
            AuditArchive.end_leaf,
            AuditArchive.file_name,
            AuditArchive.digest,
        )
        .join(AuditLog, AuditLog.number == AuditArchive.log)
        .order_by(AuditArchive.log, AuditArchive.first_leaf)
    ).all()
    told = [
        {
            "origin": row.origin,
            "first_leaf": row.first_leaf,
            "end_leaf": row.end_leaf,
            "file": row.file_name,
            "digest": row.digest,
        }
        for row in rows
    ]
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return [(row.first_leaf, row.end_leaf) for row in rows if row.log == log and row.first_leaf < size]


def _files(archives: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Ranges of leaves to be written: those between the archives, in files of a bounded length."""
    first = 0
    for start, end in [*archives, (size, size)]:
        while first < start:
            until = min(start, first - first % LEAVES_IN_A_FILE + LEAVES_IN_A_FILE)
            yield first, until
            first = until
        first = max(first, end)
