"""What one submission costs in statements, commits and broker messages; counted apart, because counting costs time."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.laboratory import Laboratory
from bench.measure import Load, check_work, warm_up
from bench.sides import Side, fresh_side

ONE_AT_A_TIME = 20

_ENDS = "query IN ('BEGIN', 'COMMIT', 'ROLLBACK')"
_COUNTS = f"""
SELECT /* bench */
    coalesce(sum(calls) FILTER (WHERE NOT {_ENDS}), 0),
    coalesce(sum(calls) FILTER (WHERE query = 'COMMIT'), 0)
FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
WHERE datname = current_database() AND query NOT LIKE '%%/* bench */%%'
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Per submission."""

    statements: float
    commits: float
    messages: float


@dataclass(frozen=True, slots=True)
class Costs:
    """`accepting` is keeping it; the others are everything after that."""

    accepting: Cost
    in_a_backlog: Cost
    one_at_a_time: Cost


def count_costs(kind: type[Side], laboratory: Laboratory, load: Load) -> Costs:
    """Of a backlog, and of some that come one after the other. Raises `BenchFailed`."""
    with fresh_side(kind, laboratory) as side, side.workers() as workers:
        warm_up(side, workers, load.warm_up_rounds)

        def backlog() -> None:
            side.go()
            workers.finish()

        def one_after_the_other() -> None:
            for _ in range(ONE_AT_A_TIME):
                side.take_in_next()
                workers.finish(every=0.005)

        accepting = _cost(side, laboratory, lambda: side.load(load.submissions), load.submissions)
        in_a_backlog = _cost(side, laboratory, backlog, load.submissions)
        alone = _cost(side, laboratory, one_after_the_other, ONE_AT_A_TIME)
        check_work(side)
    return Costs(
        accepting,
        in_a_backlog,
        Cost(
            alone.statements - accepting.statements,
            alone.commits - accepting.commits,
            alone.messages - accepting.messages,
        ),
    )


def _cost(side: Side, laboratory: Laboratory, act: Callable[[], None], submissions: int) -> Cost:
    with side.context.database.write() as connection:
        connection.exec_driver_sql("SELECT /* bench */ pg_stat_statements_reset()")
    with laboratory.broker() as client:
        client.config_resetstat()
        act()
        pushed = client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0)
    with side.context.database.read() as connection:
        statements, commits = connection.exec_driver_sql(_COUNTS).one()
    return Cost(float(statements) / submissions, float(commits) / submissions, pushed / submissions)
