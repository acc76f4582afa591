"""What a long history costs: throughput, claims and `careroute status` with few and with many finished submissions.

One database grows, seeded step by step (`bench.seed`); another is new for each round, on the same server. The command
is run in this process: everything of it but the interpreter's start.
"""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from uuid_utils.compat import uuid7

from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.measure import database_time, warm_up
from bench.parts import Chart, Figure, Part, conditions
from bench.report import servers
from bench.seed import TableSize, describe, seed, table_sizes
from bench.sides import Careroute, Workers
from cli.looking import status
from pipeline import ledger
from pipeline.context import Context
from pipeline.ledger import NewJob
from pipeline.operations.status_report import read_status
from pipeline.outreach import EMAIL_LANE

TITLE = "Growth: with a long history in the database"
WANTED_RATIO, WANTED_SECONDS = 0.9, 0.05
_PEOPLE_A_ROUND = 1_000_000
_WARM_UP_ROUNDS = 6
_LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class GrowthPlan:
    """`sizes` are finished submissions, rising. At the last of them there are `rounds` rounds, at others one."""

    sizes: tuple[int, ...] = (0, 10_000, 100_000, 1_000_000)
    submissions: int = 2000
    rounds: int = 5
    claims: int = 50
    looks: int = 50


QUICK_GROWTH_PLAN = GrowthPlan(sizes=(0, 5000), submissions=300, rounds=1, claims=10, looks=10)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of what was done over and over."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def longest(self) -> float:
        return max(self.seconds)


@dataclass(frozen=True, slots=True)
class At:
    """What was measured at one size. `ratios`: each round's throughput, as a part of an empty database's."""

    submissions: int
    throughput: tuple[float, ...]
    ratios: tuple[float, ...]
    claim: Times
    report: Times
    command: Times


@dataclass(frozen=True, slots=True)
class Growth:
    """`seeding`: the lines that say how fast it was, and what a submission takes at the last size."""

    plan: GrowthPlan
    at: tuple[At, ...]
    sizes: tuple[TableSize, ...]
    seeding: tuple[str, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.at[-1].ratios)


class Aged(Careroute):
    """Knows what is new by its id: counting all that was ever sent would cost more than sending it."""

    def begin(self, people_before: int) -> None:
        """From now on everything is of people after `people_before`, whom the database does not know."""
        self.taken_in = self.skipped = people_before
        self._first: uuid.UUID = uuid7()

    def handed_over(self) -> int:
        return int(self._ask("count(*)"))

    def last_commit(self) -> float:
        return self._ask("extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))")

    def _ask(self, what: str) -> float:
        statement = f"SELECT /* bench */ {what} FROM email WHERE id >= %s AND status = 'handed_over'"
        with self.context.database.read() as connection:
            return float(connection.exec_driver_sql(statement, (self._first,)).scalar_one())


def measure_growth(laboratory: Laboratory, plan: GrowthPlan) -> Growth:
    """Raises `BenchFailed`."""
    found: list[At] = []
    there, said = 0, ["Nothing was seeded."]
    with laboratory.fresh("growth") as (context, environment):
        for size in plan.sizes:
            if size > there:
                seeded = seed(context, size - there)
                there += seeded.submissions
                with context.database.read() as connection:
                    said = describe(seeded, table_sizes(connection))
            rounds = plan.rounds if size == plan.sizes[-1] else 1
            found.append(_measure(laboratory, plan, context, environment, there, rounds))
        with context.database.read() as connection:
            sizes = tuple(table_sizes(connection))
    return Growth(plan, tuple(found), sizes, tuple(said))


def _measure(
    laboratory: Laboratory, plan: GrowthPlan, context: Context, environment: Mapping[str, str], there: int, rounds: int
) -> At:
    aged, ratios = [], []
    for number in range(rounds):
        people_before = there * 10 + (number + 1) * _PEOPLE_A_ROUND

        def grown(before: int = people_before) -> float:
            side = Aged(context, environment, laboratory)
            try:
                return _throughput(side, plan.submissions, before)
            finally:
                side.door.close()

        def new(before: int = people_before) -> float:
            with laboratory.fresh("new") as (empty, its):
                side = Aged(empty, its, laboratory)
                try:
                    return _throughput(side, plan.submissions, before)
                finally:
                    side.door.close()

        # Each first every other time: a machine that slows down meanwhile favours none.
        first, second = (new, grown) if number % 2 else (grown, new)
        one, other = first(), second()
        with_history, without = (other, one) if number % 2 else (one, other)
        aged.append(with_history)
        ratios.append(with_history / without)
    return At(
        there,
        tuple(aged),
        tuple(ratios),
        _claims(context, plan.claims),
        _times(plan.looks, lambda: _report(context)),
        _times(plan.looks, _command(environment)),
    )


def _throughput(side: Aged, submissions: int, people_before: int) -> float:
    side.begin(people_before)
    with side.workers() as workers:
        warm_up(side, workers, _WARM_UP_ROUNDS)
        return _backlog(side, workers, submissions)


def _backlog(side: Aged, workers: Workers, submissions: int) -> float:
    side.load(submissions)
    started = database_time(side)
    side.go()
    workers.finish()
    return submissions / (side.last_commit() - started)


def _claims(context: Context, count: int) -> Times:
    """Of full batches, out of a queue as long as all of them; nothing is done about what was claimed."""
    batch = 250
    emails = f"SELECT id, submission_id FROM email ORDER BY id DESC LIMIT {batch * count}"
    with context.database.read() as connection:
        targets = connection.exec_driver_sql(emails).all()
    with context.database.write() as connection:
        ledger.enqueue(connection, [NewJob(EMAIL_LANE, email_id, about) for email_id, about in targets])
    seconds = []
    try:
        for _ in range(count):
            started = time.perf_counter()
            with context.database.write_soon() as connection:
                claimed = ledger.claim(connection, EMAIL_LANE, batch, _LEASE_SECONDS)
            if claimed:
                seconds.append(time.perf_counter() - started)
    finally:
        with context.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM job")
    if not seconds:
        raise BenchFailed("there was nothing to claim")
    return Times(tuple(seconds))


def _report(context: Context) -> None:
    with context.database.read() as connection:
        read_status(connection)


def _command(environment: Mapping[str, str]) -> Callable[[], None]:
    def run() -> None:
        with patch.dict("os.environ", environment), redirect_stdout(StringIO()):
            status(as_json=True)

    return run


def _times(count: int, act: Callable[[], None]) -> Times:
    """After one that is not counted, which loads what is loaded once."""
    return Times(tuple(_timed(act, count + 1))[1:])


def _timed(act: Callable[[], None], count: int) -> Iterator[float]:
    for _ in range(count):
        started = time.perf_counter()
        act()
        yield time.perf_counter() - started


def growth_part(measured: Growth, laboratory: Laboratory, command: str) -> Part:
    last = measured.at[-1]
    return Part(
        TITLE,
        (
            Figure(
                f"throughput with {last.submissions:,} finished submissions, beside an empty database (median)",
                f"at least {WANTED_RATIO:.0%}",
                f"{measured.ratio:.0%}",
                measured.ratio >= WANTED_RATIO,
            ),
            *(
                Figure(
                    f"{what} with {last.submissions:,} finished submissions, median",
                    f"under {WANTED_SECONDS * 1000:.0f} ms",
                    f"{times.median * 1000:.1f} ms, {times.longest * 1000:.1f} ms at most",
                    times.median < WANTED_SECONDS,
                )
                for what, times in (
                    ("a claim of 250 jobs", last.claim),
                    ("the report behind `careroute status`", last.report),
                    ("`careroute status --json`, connections included", last.command),
                )
            ),
        ),
        (
            "The history is copies of real submissions over two years (`bench/seed_copies.py` says what is not true",
            "of a copy), records and log included. In each round the same is done over a new database, too.\n",
            "| finished submissions | rounds (submissions/s) | of an empty one | claim | report | command |",
            "| ---: | --- | ---: | ---: | ---: | ---: |",
            *(_row(each) for each in measured.at),
            "\nClaims, reports and commands are medians.\n",
            "### What a submission takes\n",
            *measured.seeding,
            "",
            *conditions(command, ("celery", "sqlalchemy", "psycopg"), servers(laboratory)),
        ),
        (
            Chart(
                "growth",
                "Cost against database size",
                "finished submissions",
                "milliseconds (median)",
                {
                    "claim of 250 jobs": _points(measured, lambda at: at.claim),
                    "status report": _points(measured, lambda at: at.report),
                    "status command": _points(measured, lambda at: at.command),
                },
                log_x=True,
            ),
        ),
    )


def _points(measured: Growth, of: Callable[[At], Times]) -> list[tuple[float, float]]:
    """An empty database is drawn at one: the axis is logarithmic."""
    return [(max(1, at.submissions), of(at).median * 1000) for at in measured.at]


def _row(at: At) -> str:
    rounds = ", ".join(f"{each:.1f}" for each in at.throughput)
    parts = " | ".join(f"{each.median * 1000:.1f} ms" for each in (at.claim, at.report, at.command))
    return f"| {at.submissions:,} | {rounds} | {statistics.median(at.ratios):.0%} | {parts} |"
