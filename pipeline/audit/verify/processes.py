"""Ranges of tiles checked on all cores: each process has a connection, and keys, of its own."""

import gc
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pipeline.audit.tiles import TILE_WIDTH
from pipeline.audit.verify.leaves import CheckedRange, TileRange, check_tiles
from pipeline.audit.verify.records import IsAuthentic
from pipeline.db import Database
from pipeline.keys import load_keysets

TILES_IN_A_RANGE = 64
WORTH_PROCESSES = 50_000
"""Leaves. To start a process takes as long as to check some ten thousand records."""

_AHEAD = 4
"""Ranges handed out beyond those in work, for each process."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a process needs to open the database, and the keys unless MACs are not looked at."""

    database_url: str
    keys_dir: Path | None


def ranges_of(log: int, size: int, first_leaf: int) -> Sequence[TileRange]:
    """The log from `first_leaf`, which begins a tile, in ranges."""
    end = -(-size // TILE_WIDTH)
    return [
        TileRange(log, size, first, min(first + TILES_IN_A_RANGE, end))
        for first in range(first_leaf // TILE_WIDTH, end, TILES_IN_A_RANGE)
    ]


def check_here(
    database: Database, is_authentic: IsAuthentic | None, ranges: Sequence[TileRange]
) -> Iterator[tuple[TileRange, CheckedRange]]:
    """Check the ranges one after another, in this process."""
    for tiles in ranges:
        yield tiles, check_tiles(database, tiles, is_authentic)


def check_on_all_cores(opening: Opening, ranges: Sequence[TileRange]) -> Iterator[tuple[TileRange, CheckedRange]]:
    """The same in processes; results in the order of the ranges. Closing the iterator ends the processes."""
    count = max(1, min(len(os.sched_getaffinity(0)), len(ranges)))
    # Spawned: connections and threads of this process must not be inherited.
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_open, initargs=(opening,))
    try:
        under_way: deque[tuple[TileRange, Future[CheckedRange]]] = deque()
        for tiles in ranges:
            under_way.append((tiles, pool.submit(_check, tiles)))
            if len(under_way) > count * _AHEAD:
                done, future = under_way.popleft()
                yield done, future.result()
        for done, future in under_way:
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Opened:
    database: Database
    is_authentic: IsAuthentic | None


_opened: list[_Opened] = []
"""In a process of the pool: what it opened when it started."""


def _open(opening: Opening) -> None:
    keys = None if opening.keys_dir is None else load_keysets(opening.keys_dir)
    _opened.append(_Opened(Database(opening.database_url, pool_size=1), keys.is_authentic if keys else None))
    # Looking for cycles among rows, which make none, takes a third of the time; `_check` looks once a range.
    gc.freeze()
    gc.disable()


def _check(tiles: TileRange) -> CheckedRange:
    checked = check_tiles(_opened[0].database, tiles, _opened[0].is_authentic)
    gc.collect()
    return checked
