"""A log's hashes in tiles of 256 (https://c2sp.org/tlog-tiles): reading any node, and adding leaves at the end.

A row per leaf would cost more than a third of the pipeline; a tile is one row for 256 of them.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from pipeline import bulk
from pipeline.audit.tree import HASH_BYTES, root_of, tree_root
from pipeline.models import AuditTile

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EVENT_ID_BYTES = 16

FetchTile = Callable[[int, int], bytes]
"""Level and index of a tile → its hashes so far. Raises `TileMissing`."""

_COLUMNS = ("log", "level", "tile_index", "hashes", "event_ids", "lowest_event", "highest_event")
# Not an upsert: SQLite would take it for a REPLACE, which the tiles' trigger refuses.
_GROW = (
    "UPDATE audit_tile SET hashes = v.hashes, event_ids = v.event_ids, lowest_event = v.lowest_event, "
    "highest_event = v.highest_event FROM v "
    "WHERE audit_tile.log = v.log AND audit_tile.level = v.level AND audit_tile.tile_index = v.tile_index"
)


class TileMissing(Exception):
    """A tile that the log's size asks for is not there, or is too short."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf to be added, and the event it is of."""

    hash: bytes
    event_id: uuid.UUID


@dataclass(slots=True)
class Tiles:
    """Nodes of a log of `size` leaves, out of its tiles, each fetched once."""

    size: int
    fetch: FetchTile
    _fetched: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def node(self, level: int, index: int) -> bytes:
        """The root of the leaves from `index * 2**level` to `(index + 1) * 2**level`. Raises `TileMissing`."""
        tile_level, above = divmod(level, TILE_HEIGHT)
        tile_index, first = divmod(index << above, TILE_WIDTH)
        hashes = self.hashes(tile_level, tile_index)
        wanted = hashes[first : first + (1 << above)]
        if len(wanted) != 1 << above:
            raise TileMissing(f"tile {tile_index} of level {tile_level} is too short")
        return root_of(wanted)

    def hashes(self, level: int, tile_index: int) -> list[bytes]:
        """One tile's hashes. Raises `TileMissing`."""
        place = (level, tile_index)
        if place not in self._fetched:
            self._fetched[place] = self.fetch(level, tile_index)
        return split_hashes(self._fetched[place])

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (all of them without). Raises `TileMissing`."""
        return tree_root(self.size if size is None else size, self.node)


def stored_tiles(connection: Connection, log: int, size: int) -> Tiles:
    """The tiles of a log in the database."""
    statement = select(AuditTile.hashes).where(AuditTile.log == log)

    def fetch(level: int, tile_index: int) -> bytes:
        wanted = statement.where(AuditTile.level == level, AuditTile.tile_index == tile_index)
        found = connection.execute(wanted).scalar_one_or_none()
        if found is None:
            raise TileMissing(f"tile {tile_index} of level {level} is not there")
        return bytes(found)

    return Tiles(size, fetch)


def check_growing(connection: Connection, log: int, size: int) -> None:
    """Whether leaves can be added to a log that has `size`. Raises `TileMissing`."""
    level = 0
    while size:
        _growing(connection, log, level, size)
        level, size = level + 1, size // TILE_WIDTH


def append_leaves(connection: Connection, log: int, size: int, leaves: Sequence[Leaf]) -> int:
    """Add leaves to a log that has `size`; the new size. The caller holds the log's row. Raises `TileMissing`."""
    grown: list[tuple[object, ...]] = []
    new: list[tuple[object, ...]] = []
    added = [leaf.hash for leaf in leaves]
    level, start = 0, size
    while added:
        first = start - start % TILE_WIDTH
        growing = _growing(connection, log, level, start)
        ids = growing.event_ids + b"".join(leaf.event_id.bytes for leaf in leaves) if level == 0 else b""
        hashes = [*split_hashes(growing.hashes), *added]
        full = []
        for offset in range(0, len(hashes), TILE_WIDTH):
            tile = hashes[offset : offset + TILE_WIDTH]
            named = ids[offset * EVENT_ID_BYTES : (offset + len(tile)) * EVENT_ID_BYTES]
            row = _row(log, level, (first + offset) // TILE_WIDTH, tile, named if level == 0 else None)
            (grown if growing.hashes and offset == 0 else new).append(row)
            if len(tile) == TILE_WIDTH:
                full.append(root_of(tile))
        level, start, added = level + 1, first // TILE_WIDTH, full
    bulk.execute(connection, _GROW, bulk.column_types(AuditTile.table(), _COLUMNS), grown)
    bulk.insert(connection, AuditTile.table(), _COLUMNS, new)
    return size + len(leaves)


def split_hashes(raw: bytes) -> list[bytes]:
    return [raw[place : place + HASH_BYTES] for place in range(0, len(raw), HASH_BYTES)]


def split_event_ids(raw: bytes) -> Iterator[uuid.UUID]:
    for place in range(0, len(raw), EVENT_ID_BYTES):
        yield uuid.UUID(bytes=raw[place : place + EVENT_ID_BYTES])


def tile_path(level: int, tile_index: int, width: int = TILE_WIDTH) -> str:
    """Where tlog-tiles puts a tile: `tile/0/x001/234`, a partial one with `.p/<width>` behind."""
    digits = f"{tile_index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    named = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{named}" + ("" if width == TILE_WIDTH else f".p/{width}")


@dataclass(frozen=True, slots=True)
class _Growing:
    hashes: bytes = b""
    event_ids: bytes = b""


def _growing(connection: Connection, log: int, level: int, start: int) -> _Growing:
    """The last tile of a level that has `start` hashes, if it is not full."""
    width = start % TILE_WIDTH
    if not width:
        return _Growing()
    row = connection.execute(
        select(AuditTile.hashes, AuditTile.event_ids).where(
            AuditTile.log == log, AuditTile.level == level, AuditTile.tile_index == start // TILE_WIDTH
        )
    ).one_or_none()
    if row is None or len(row.hashes) != width * HASH_BYTES:
        raise TileMissing(f"the last tile of level {level} does not have the {width} hashes that it should")
    return _Growing(bytes(row.hashes), bytes(row.event_ids or b""))


def _row(log: int, level: int, tile_index: int, hashes: Sequence[bytes], event_ids: bytes | None) -> tuple[object, ...]:
    raw = event_ids or b""
    ids = [raw[place : place + EVENT_ID_BYTES] for place in range(0, len(raw), EVENT_ID_BYTES)]
    lowest, highest = (uuid.UUID(bytes=min(ids)), uuid.UUID(bytes=max(ids))) if ids else (None, None)
    return (log, level, tile_index, b"".join(hashes), event_ids, lowest, highest)
