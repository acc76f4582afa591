"""Program: fill a PostgreSQL database with finished submissions and their history, as if it had run for two years.

A few real submissions go the whole way; PostgreSQL copies them over and over (`bench.seed_copies` says what is not true
of a copy), and every record's leaf is put into the log. Nothing is due afterwards, and the schema is as migrated.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection

from bench.failure import BenchFailed
from bench.seed_copies import COPIED, STEP_SECONDS, Copies, insert_copies
from bench.seed_sample import SIZE, work_off_sample
from config.settings import MailTransport, Settings
from pipeline.audit.log_state import lock_log
from pipeline.audit.tiles import Leaf, append_leaves
from pipeline.context import Context, open_context
from pipeline.db import utc_now
from pipeline.operations.prepare import prepare

YEARS = 2
_STEPS = round(YEARS * 365.25 * 86400 / STEP_SECONDS)
_COPIES_AT_ONCE = 128
_CONNECTIONS = 2
_MOST_LEAVES_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class Seeded:
    """`rows` in all tables; `seconds` of copying them, and of making statistics afterwards."""

    submissions: int
    rows: int
    copying: float
    analyzing: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.copying


@dataclass(frozen=True, slots=True)
class TableSize:
    """Bytes of a table: what rows take (with what is stored out of line), and its indexes."""

    name: str
    rows: int
    heap: int
    indexes: int


def seed(context: Context, submissions: int, on_progress: Callable[[int], None] = lambda _done: None) -> Seeded:
    """Add about `submissions` finished submissions (a multiple of the sample) to a prepared PostgreSQL database.

    `on_progress` is told how many are there. Raises `BenchFailed`.
    """
    if not context.database.is_postgresql:
        raise BenchFailed("only PostgreSQL is filled: large installations run on nothing else")
    originals = work_off_sample(context, first_person=time.time_ns() // 1_000_000)
    begin = _first_number(context)
    end = begin + max(1, round(submissions / SIZE) - 1)
    started = time.perf_counter()
    rows, done = 0, SIZE
    counting = threading.Lock()

    def copy(first: int) -> None:
        nonlocal rows, done
        copies = Copies(originals, first, min(first + _COPIES_AT_ONCE, end) - 1, begin, end, _STEPS)
        made = _copy(context, copies)
        with counting:
            rows += made
            done += (copies.last - copies.first + 1) * SIZE
            on_progress(done)

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(copy, range(begin, end, _COPIES_AT_ONCE)))
    copied = time.perf_counter()
    _analyze(context)
    return Seeded(done, rows, copied - started, time.perf_counter() - copied)


def table_sizes(connection: Connection) -> list[TableSize]:
    """Every table that a submission leaves rows in, the largest first; rows as counted by the last statistics."""
    names = [table.__tablename__ for table in COPIED] + ["audit_tile", "suppression"]
    found = connection.exec_driver_sql(
        "SELECT relname, greatest(reltuples, 0)::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname = ANY(%(names)s)",
        {"names": names},
    )
    return sorted((TableSize(*row) for row in found), key=lambda each: -(each.heap + each.indexes))


def _copy(context: Context, copies: Copies) -> int:
    with context.database.write_soon() as connection:
        if _may_skip_triggers(connection):
            # What the copies refer to is copied with them; asking for each row would take longer than writing it.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        rows, leaves = insert_copies(connection, copies)
        _append(connection, leaves)
        return rows


def _may_skip_triggers(connection: Connection) -> bool:
    asked = connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(asked.scalar_one())


def _append(connection: Connection, leaves: Sequence[Leaf]) -> None:
    """Behind what the log has; whoever copies at the same time waits here."""
    held = None
    while held is None:
        held = lock_log(connection)
        if held is None:
            time.sleep(0.05)
    size = held.size
    for some in _portions(leaves):
        size = append_leaves(connection, held.number, size, some)
    connection.exec_driver_sql(
        "UPDATE audit_log SET size = %s, sequenced_at = %s WHERE number = %s", (size, utc_now(), held.number)
    )


def _portions(leaves: Sequence[Leaf]) -> Iterator[Sequence[Leaf]]:
    for first in range(0, len(leaves), _MOST_LEAVES_AT_ONCE):
        yield leaves[first : first + _MOST_LEAVES_AT_ONCE]


def _first_number(context: Context) -> int:
    """Above the numbers of copies that are there."""
    with context.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) / %s + 1 FROM submission", (SIZE,)).scalar_one())


def _analyze(context: Context) -> None:
    """As autovacuum leaves a table that has rested: it would come anyway, and just when something is measured."""
    with context.database.read() as connection:
        for name in (*(table.__tablename__ for table in COPIED), "audit_tile", "suppression", "job", "audit_pending"):
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {name}")


def main(arguments: Sequence[str]) -> int:
    chosen = _parser().parse_args(arguments)
    settings = Settings(database_url=chosen.database_url, mail_transport=MailTransport.NULL)
    prepare(settings)
    context = open_context(settings)

    def tell(done: int) -> None:
        print(f"\r{done:,} of {chosen.submissions:,}", end="", file=sys.stderr, flush=True)

    try:
        seeded = seed(context, chosen.submissions, tell)
        with context.database.read() as connection:
            sizes = table_sizes(connection)
    except BenchFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        context.database.dispose()
    print(file=sys.stderr)
    print("\n".join(describe(seeded, sizes)))
    return 0


def describe(seeded: Seeded, sizes: Sequence[TableSize]) -> list[str]:
    """Markdown: how fast it was, and what stands where."""
    together = TableSize(
        "together",
        sum(each.rows for each in sizes),
        sum(each.heap for each in sizes),
        sum(each.indexes for each in sizes),
    )
    total, of_all = together.heap + together.indexes, seeded.submissions
    return [
        f"{of_all:,} submissions, {seeded.rows:,} rows in {seeded.copying:.0f} s:",
        f"{seeded.rows_per_second:,.0f} rows/s. Statistics took {seeded.analyzing:.0f} s. {total / 2**30:.1f} GiB.\n",
        "| table | rows | rows a submission | bytes a submission | of these indexes |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_row(each, of_all) for each in sizes),
        _row(together, of_all),
    ]


def _row(size: TableSize, of_all: int) -> str:
    total = size.heap + size.indexes
    each = (f"{size.rows / of_all:.2f}", f"{total / of_all:,.0f}", f"{size.indexes / of_all:,.0f}")
    return f"| {size.name} | {size.rows:,} | {' | '.join(each)} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.seed",
        description="Fill a PostgreSQL database with finished submissions. Keys and network are those of the settings.",
    )
    parser.add_argument("--database-url", required=True, help="SQLAlchemy URL; migrated first if need be")
    parser.add_argument("--submissions", type=int, default=1_000_000, help="how many are added (1,000,000)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
