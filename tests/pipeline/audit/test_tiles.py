import hashlib
import itertools
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pipeline.audit.log_state import find_leaf
from pipeline.audit.tiles import Leaf, TileMissing, Tiles, append_leaves, stored_tiles, tile_path
from pipeline.audit.tree import inclusion_proof, root_from_inclusion
from pipeline.db import Database
from pipeline.models import AuditTile
from tests.pipeline.audit.test_tree import naive

_numbers = itertools.count(1000)
SMALL = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def leaves(count: int, start: int = 0) -> list[Leaf]:
    """Leaves whose ids do not come in order, as ids of several machines do not."""
    return [
        Leaf(hashlib.sha256(number.to_bytes(4, "big")).digest(), uuid.UUID(int=(number ^ 5) << 64 | 7))
        for number in range(start, start + count)
    ]


def append(database: Database, log: int, steps: list[int]) -> int:
    size = 0
    for step in steps:
        with database.write() as connection:
            size = append_leaves(connection, log, size, leaves(step, size))
    return size


def rows(database: Database, log: int) -> list[tuple[object, ...]]:
    columns = [column for column in AuditTile.table().c if column.name != "log"]
    with database.read() as connection:
        found = connection.execute(select(*columns).where(AuditTile.log == log).order_by(*columns[:2]))
        return [tuple(row) for row in found]


@given(st.lists(st.integers(0, 600), min_size=1, max_size=6), st.data())
@SMALL
def test_however_leaves_are_added_roots_and_proofs_are_those_of_the_tree(
    sqlite_database: Database, steps: list[int], data: st.DataObject
) -> None:
    log = next(_numbers)
    size = append(sqlite_database, log, steps)
    hashes = [leaf.hash for leaf in leaves(size)]
    with sqlite_database.read() as connection:
        tiles = stored_tiles(connection, log, size)
        assert tiles.root() == naive(hashes)
        if not size:
            return
        earlier, index = data.draw(st.integers(1, size)), data.draw(st.integers(0, size - 1))
        assert tiles.root(earlier) == naive(hashes[:earlier])
        path = inclusion_proof(index, size, tiles.node)
        assert root_from_inclusion(hashes[index], index, size, path) == tiles.root()
        assert find_leaf(connection, log, leaves(1, index)[0].event_id) == index
        assert find_leaf(connection, log, leaves(1, size)[0].event_id) is None


def test_the_rows_do_not_depend_on_how_leaves_were_added(database: Database) -> None:
    """Up to a third level, with the borders of tiles hit, passed and just missed."""
    total = 256 * 256 + 300
    one, many = next(_numbers), next(_numbers)
    append(database, one, [total])
    append(database, many, [1, 254, 1, 1, 255, 257, 5000, 256 * 256 - 5769, 299, 1])
    assert rows(database, one) == rows(database, many)
    assert {(row[0], row[1]) for row in rows(database, one)} >= {(2, 0), (1, 1), (0, 257)}
    with database.read() as connection:
        tiles = stored_tiles(connection, many, total)
        assert tiles.root() == naive([leaf.hash for leaf in leaves(total)])


def test_a_tile_that_is_too_short_or_not_there_is_said_so() -> None:
    short = Tiles(300, lambda level, index: bytes(32 * 10))
    with pytest.raises(TileMissing, match="too short"):
        short.root()


def test_leaves_are_not_added_to_a_tile_that_lost_some(sqlite_database: Database) -> None:
    append(sqlite_database, 1, [10])
    with sqlite_database.write() as connection, pytest.raises(TileMissing, match="does not have the 11 hashes"):
        append_leaves(connection, 1, 11, leaves(1))


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (1, 999, 256, "tile/1/999"),
        (1, 1000, 8, "tile/1/x001/000.p/8"),
    ],
)
def test_a_tile_has_the_place_that_tlog_tiles_gives_it(level: int, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path
