"""Intake over HTTP: how many submissions a second our web process keeps, beside a handler with one INSERT.

Both are one process over the same PostgreSQL with durable commits, asked in turn by the same client, which is a process
of its own. Statements are counted apart, since counting takes time.
"""

import statistics
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from subprocess import Popen

from bench.bare_intake import TABLE
from bench.failure import BenchFailed
from bench.http_load import Offered, Plan
from bench.laboratory import Laboratory, can_count_statements, open_laboratory
from bench.loads import percentile
from bench.parts import Figure, Part, conditions
from bench.serving import CAREROUTE_WEB, free_port, offer, processor_seconds, serving
from pipeline.context import Context

TITLE = "Intake"
CAREROUTE, BARE = "careroute", "bare handler"
WANTED_RATIO = 0.7

_COUNTS = """
SELECT /* bench */
    coalesce(sum(calls) FILTER (WHERE query NOT IN ('BEGIN', 'COMMIT', 'ROLLBACK')), 0),
    coalesce(sum(calls) FILTER (WHERE query LIKE '%%intake_key%%' AND query LIKE '%%INSERT%%'), 0),
    coalesce(sum(calls) FILTER (WHERE query LIKE 'INSERT INTO bare_intake%%'), 0)
FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
WHERE datname = current_database() AND query NOT LIKE '%%/* bench */%%'
"""


@dataclass(frozen=True, slots=True)
class IntakePlan:
    """`requests` in each round of a side over so many connections, and `alone` of them one after the other."""

    requests: int = 6000
    warm_up: int = 600
    rounds: int = 5
    connections: int = 24
    alone: int = 300


QUICK_INTAKE_PLAN = IntakePlan(requests=300, warm_up=60, rounds=1, alone=30)


@dataclass(slots=True)
class Rounds:
    """One side's figures, one of each a round. Milliseconds a request; the processor's time is the web process's."""

    rates: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True, slots=True)
class Counted:
    """Statements and commits a request."""

    statements: float
    commits: float


@dataclass(frozen=True, slots=True)
class Intake:
    """`counted` by side and by how it was asked; empty where statements cannot be counted."""

    plan: IntakePlan
    rounds: Mapping[str, Rounds]
    counted: Mapping[tuple[str, str], Counted]

    @property
    def ratio(self) -> float:
        return self.rounds[CAREROUTE].rate / self.rounds[BARE].rate


@dataclass(slots=True)
class _Door:
    """One side's running web process."""

    port: int
    process: Popen[bytes]


def measure_intake(laboratory: Laboratory, plan: IntakePlan) -> Intake:
    """Measure by the plan. Raises `BenchFailed` unless every request was answered 202 and is there."""
    rounds = {CAREROUTE: Rounds(), BARE: Rounds()}
    with _doors(laboratory) as (context, doors):
        ask = _Asking(laboratory, plan)
        for _ in range(plan.rounds):
            for side, door in doors.items():
                ask(door, plan.warm_up, plan.connections)
                before = processor_seconds(door.process.pid)
                loaded = ask(door, plan.requests, plan.connections)
                used = processor_seconds(door.process.pid) - before
                alone = ask(door, plan.alone, 1)
                rounds[side].rates.append(plan.requests / loaded.seconds)
                rounds[side].processor.append(used * 1000 / plan.requests)
                rounds[side].loaded.append(_median_ms(loaded))
                rounds[side].alone.append(_median_ms(alone))
                print(f"{side}: {rounds[side].rates[-1]:.0f} requests/s", file=sys.stderr)
        _check(context, doors, ask.asked)
    counted = _count(plan) if can_count_statements() else {}
    return Intake(plan, rounds, counted)


@contextmanager
def _doors(laboratory: Laboratory) -> Iterator[tuple[Context, dict[str, _Door]]]:
    """Both web processes over one database."""
    with ExitStack() as undo:
        context, environment = undo.enter_context(laboratory.fresh("intake"))
        with context.database.write() as connection:
            connection.exec_driver_sql(TABLE)
        url = context.database.url.replace("+psycopg", "")
        ports = {CAREROUTE: free_port(), BARE: free_port()}
        modules = {CAREROUTE: CAREROUTE_WEB, BARE: ("bench.bare_intake", url, str(ports[BARE]))}
        yield (
            context,
            {
                side: _Door(
                    port,
                    undo.enter_context(
                        serving(modules[side], port, laboratory.folder / f"intake-{port}.log", environment)
                    ),
                )
                for side, port in ports.items()
            },
        )


@dataclass(slots=True)
class _Asking:
    """Asks either side; nobody is sent twice."""

    laboratory: Laboratory
    plan: IntakePlan
    asked: dict[int, int] = field(default_factory=dict)
    _next: int = 0

    def __call__(self, door: _Door, count: int, connections: int) -> Offered:
        offered = offer(Plan(door.port, count, first=self._next, connections=connections), self.laboratory.folder)
        wrong = [answer.status for answer in offered.answers if answer.status != 202]
        if wrong:
            raise BenchFailed(f"{len(wrong)} of {count} requests were answered {sorted(set(wrong))}")
        self._next += count
        self.asked[door.port] = self.asked.get(door.port, 0) + count
        return offered


def _check(context: Context, doors: Mapping[str, _Door], asked: Mapping[int, int]) -> None:
    for side, table in ((CAREROUTE, "submission"), (BARE, "bare_intake")):
        with context.database.read() as connection:
            there = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        if there != asked[doors[side].port]:
            raise BenchFailed(f"{side} answered 202 to {asked[doors[side].port]} and kept {there}")


def _count(plan: IntakePlan) -> dict[tuple[str, str], Counted]:
    """In a laboratory of its own. A commit of ours is counted by its one insert of keys: it has no name of its own."""
    counted = {}
    few = replace(plan, requests=plan.requests // 4)
    with open_laboratory(statements=True) as laboratory, _doors(laboratory) as (context, doors):
        ask = _Asking(laboratory, few)
        for side, door in doors.items():
            ask(door, plan.warm_up, plan.connections)
            asked = {
                "under load": (few.requests, partial(ask, door, few.requests, plan.connections)),
                "one by one": (plan.alone, partial(ask, door, plan.alone, 1)),
            }
            for how, (requests, act) in asked.items():
                with context.database.write() as connection:
                    connection.exec_driver_sql("SELECT /* bench */ pg_stat_statements_reset()")
                act()
                with context.database.read() as connection:
                    statements, ours, bare = connection.exec_driver_sql(_COUNTS).one()
                commits = ours if side == CAREROUTE else bare
                counted[side, how] = Counted(float(statements) / requests, float(commits) / requests)
    return counted


def _median_ms(offered: Offered) -> float:
    return percentile(sorted(answer.took * 1000 for answer in offered.answers), 50)


def intake_part(measured: Intake, laboratory: Laboratory, command: str) -> Part:
    plan = measured.plan
    return Part(
        TITLE,
        (
            Figure(
                "submissions kept a second over HTTP, of what a handler with one INSERT keeps",
                f"at least {WANTED_RATIO:.0%}",
                f"{measured.ratio:.0%}",
                measured.ratio >= WANTED_RATIO,
            ),
        ),
        [
            f"Medians of {plan.rounds} rounds in turn; {plan.requests} requests over {plan.connections} connections,",
            f"then {plan.alone} one by one. One web process each, durable commits. Ours knows the sender, checks the",
            "answers against the questions, recognises repeats, encrypts, and writes record and job.\n",
            "| side | rounds (requests/s) | median | answer under load | alone | processor time a request |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            *(_row(side, rounds) for side, rounds in measured.rounds.items()),
            "",
            *_counted(measured),
            *conditions(command, ("fastapi", "uvicorn", "sqlalchemy", "psycopg"), laboratory.servers()),
        ],
    )


def _row(side: str, rounds: Rounds) -> str:
    each = ", ".join(f"{rate:.0f}" for rate in rounds.rates)
    times = (statistics.median(of) for of in (rounds.loaded, rounds.alone, rounds.processor))
    return f"| {side} | {each} | {rounds.rate:.0f} | {' | '.join(f'{time:.1f} ms' for time in times)} |"


def _counted(measured: Intake) -> list[str]:
    if not measured.counted:
        return ["Statements were not counted: this PostgreSQL has no pg_stat_statements.\n"]
    return [
        "| side | asked | statements a request | commits a request |",
        "| --- | --- | ---: | ---: |",
        *(
            f"| {side} | {how} | {counted.statements:.2f} | {counted.commits:.2f} |"
            for (side, how), counted in measured.counted.items()
        ),
        "",
    ]
