"""The tiles among themselves: as many hashes as the log's size asks for, and each upper one the root of a full tile."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from pipeline.audit.tiles import TILE_HEIGHT, TILE_WIDTH, split_hashes
from pipeline.audit.tree import HASH_BYTES, root_of
from pipeline.audit.verify.findings import Finding
from pipeline.audit.verify.values import as_bytes, is_number
from pipeline.models import AuditTile


def check_levels(connection: Connection, log: int, size: int) -> Iterator[Finding]:
    """Check the number of hashes of every level, and the levels above the lowest against one another.

    The lowest is checked with its records, against level 1. `connection` must read the snapshot that `size` is of.
    """
    yield from _check_widths(connection, log, size)
    level = 1
    while max(size, 0) >> TILE_HEIGHT * level:
        yield from _check_level(connection, log, level, size)
        level += 1


def _check_widths(connection: Connection, log: int, size: int) -> Iterator[Finding]:
    counted = connection.execute(
        select(AuditTile.level, func.count(), func.max(AuditTile.tile_index), func.sum(func.length(AuditTile.hashes)))
        .where(AuditTile.log == log)
        .group_by(AuditTile.level)
    )
    there = {level: (tiles, last, length) for level, tiles, last, length in counted}
    level = 0
    while hashes := max(size, 0) >> TILE_HEIGHT * level:
        tiles = -(-hashes // TILE_WIDTH)
        if there.pop(level, None) != (tiles, tiles - 1, hashes * HASH_BYTES):
            yield Finding(f"level {level} of the tiles", f"it does not have the {hashes} hashes of a log of {size}")
        level += 1
    for stray in there:
        yield Finding(f"level {stray} of the tiles", f"a log of {size} has none")


def _check_level(connection: Connection, log: int, level: int, size: int) -> Iterator[Finding]:
    above: list[bytes] = []
    above_index = -1
    tiles = connection.execute(
        select(AuditTile.tile_index, AuditTile.hashes)
        .where(AuditTile.log == log, AuditTile.level == level)
        .order_by(AuditTile.tile_index),
        execution_options={"yield_per": TILE_WIDTH},
    )
    for index, raw in tiles:
        if not is_number(index):
            yield Finding(f"tile {index!r:.40} of level {level}", "its index is not a number")
            continue
        leaf = index << TILE_HEIGHT * (level + 1)
        hashes = split_hashes(as_bytes(raw))
        if len(hashes) < min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH):
            yield Finding(f"tile {index} of level {level}", "it does not have the hashes that it should", leaf)
        if len(hashes) < TILE_WIDTH:
            continue
        if index // TILE_WIDTH != above_index:
            above_index = index // TILE_WIDTH
            above = _hashes(connection, log, level + 1, above_index)
        place = index % TILE_WIDTH
        if place >= len(above) or above[place] != root_of(hashes):
            yield Finding(f"tile {index} of level {level}", "the level above has another hash of it", leaf)


def _hashes(connection: Connection, log: int, level: int, index: int) -> list[bytes]:
    statement = select(AuditTile.hashes).where(
        AuditTile.log == log, AuditTile.level == level, AuditTile.tile_index == index
    )
    return split_hashes(as_bytes(connection.execute(statement).scalar_one_or_none()))
