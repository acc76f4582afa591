"""What came out of the pipeline, as a part of RESULTS.md."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.counting import Cost, Costs
from bench.laboratory import Laboratory
from bench.measure import Load, Round
from bench.parts import Figure, Part, conditions
from bench.people import EMAILS_PER_PERSON

CAREROUTE, TEXTBOOK = "careroute", "textbook"
TITLE = "The pipeline beside a textbook Celery application"
WANTED_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class Results:
    """Rounds and costs by the name of the side."""

    rounds: Mapping[str, Sequence[Round]]
    loads: Mapping[str, Load]
    costs: Mapping[str, Costs]
    conditions: Sequence[str]

    def throughput(self, side: str) -> float:
        """Median submissions per second."""
        return statistics.median(each.throughput for each in self.rounds[side])

    def wait(self, side: str, percent: int) -> float:
        """That percentile of the seconds to the confirmation, over all rounds."""
        waits = sorted(wait for each in self.rounds[side] for wait in each.waits)
        return waits[min(len(waits) - 1, len(waits) * percent // 100)]

    @property
    def throughput_ratio(self) -> float:
        return self.throughput(CAREROUTE) / self.throughput(TEXTBOOK)

    @property
    def wait_ratio(self) -> float:
        return self.wait(CAREROUTE, 50) / self.wait(TEXTBOOK, 50)


def pipeline_part(results: Results) -> Part:
    return Part(
        TITLE,
        (
            Figure(
                "throughput of a backlog, as a multiple of the textbook's",
                f"at least {WANTED_RATIO:.0f}",
                f"{results.throughput_ratio:.1f}",
                results.throughput_ratio >= WANTED_RATIO,
            ),
            Figure(
                "median time to the confirmation, as a multiple of the textbook's",
                "at most 1",
                f"{results.wait_ratio:.2f}",
                results.wait_ratio <= 1,
            ),
        ),
        (
            "Both sides do the same full work on the same machine in the same run, in turn, round by round:",
            f"{EMAILS_PER_PERSON} emails a submission, two worker processes, PostgreSQL, Redis, null transport. What",
            "the textbook is, and what it leaves out to its own advantage, is said in `bench/textbook/__init__.py`.\n",
            *_throughput(results),
            *_latency(results),
            *_costs(results),
            *results.conditions,
        ),
    )


def pipeline_conditions(laboratory: Laboratory, command: str) -> list[str]:
    return conditions(command, ("celery", "kombu", "redis", "sqlalchemy", "psycopg"), servers(laboratory))


def servers(laboratory: Laboratory) -> dict[str, str]:
    """The servers' versions and how they keep what they have."""
    with laboratory.fresh("versions") as (context, _), context.database.read() as connection:
        postgresql = connection.exec_driver_sql("SHOW server_version").scalar_one()
    with laboratory.broker() as client:
        server = client.info("server")
    name, key = ("Valkey", "valkey_version") if "valkey_version" in server else ("Redis", "redis_version")
    return {"PostgreSQL": f"{postgresql} (fsync on)", name: f"{server[key]} (AOF every second)"}


def _throughput(results: Results) -> list[str]:
    lines = [
        "### Throughput of a backlog\n",
        "Submissions accepted beforehand, workers warm; from the word to go to the last email handed over.\n",
        "| side | submissions | rounds (submissions/s) | median |",
        "| --- | ---: | --- | ---: |",
    ]
    for side, rounds in results.rounds.items():
        each = ", ".join(f"{one.throughput:.1f}" for one in rounds)
        lines.append(f"| {side} | {results.loads[side].submissions} | {each} | {results.throughput(side):.1f} |")
    return [*lines, ""]


def _latency(results: Results) -> list[str]:
    load = results.loads[CAREROUTE]
    lines = [
        f"### Time to the confirmation at {load.rate:g} submissions/s\n",
        "From the submission's commit to the commit that says its confirmation was handed over, by the database's",
        "clock.\n",
        "| side | submissions | p50 | p99 |",
        "| --- | ---: | ---: | ---: |",
    ]
    for side, rounds in results.rounds.items():
        count = sum(len(one.waits) for one in rounds)
        p50, p99 = results.wait(side, 50) * 1000, results.wait(side, 99) * 1000
        lines.append(f"| {side} | {count} | {p50:.1f} ms | {p99:.1f} ms |")
    lines += [
        f"\nThe {side} does not keep up with this rate here: its figures are of a growing queue."
        for side in results.rounds
        if results.throughput(side) < load.rate
    ]
    return [*lines, ""]


def _costs(results: Results) -> list[str]:
    if not results.costs:
        return ["Statements were not counted: this PostgreSQL has no pg_stat_statements.\n"]
    lines = [
        "### What one submission costs\n",
        "Counted apart, with `pg_stat_statements` and Redis' `commandstats`; BEGIN, COMMIT and ROLLBACK are not",
        "counted as statements. Polls and sweeps, a few a second whatever comes in, are left out.\n",
        "| side | when | statements | commits | broker messages |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for side, costs in results.costs.items():
        lines += [
            _cost(side, "accepting it", costs.accepting),
            _cost(side, "the rest, in a backlog", costs.in_a_backlog),
            _cost(side, "the rest, one at a time", costs.one_at_a_time),
        ]
    return [*lines, ""]


def _cost(side: str, when: str, cost: Cost) -> str:
    return f"| {side} | {when} | {cost.statements:.2f} | {cost.commits:.2f} | {cost.messages:.2f} |"
