"""What came out of the pipeline, as a part of RESULTS.md."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.counting import Cost, Costs
from bench.doors import CAREROUTE, LIMIT, TEXTBOOK
from bench.laboratory import Laboratory
from bench.loads import percentile
from bench.measure import Load, Round
from bench.parts import Figure, Part, conditions
from bench.people import EMAILS_PER_PERSON

TITLE = "The pipeline beside others"
WANTED_RATIO = 30.0
WANTED_OF_LIMIT = 0.5
WANTED_WAIT_RATIO = 0.7
AIM = 2000.0


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

    def throughput_ratio(self, other: str) -> float:
        return self.throughput(CAREROUTE) / self.throughput(other)

    def waits(self, side: str) -> list[float]:
        """The seconds to the confirmation, over all rounds, in order."""
        return sorted(wait for each in self.rounds[side] for wait in each.waits)

    def wait_ratio(self, other: str) -> float:
        """Of the medians."""
        return percentile(self.waits(CAREROUTE), 50) / percentile(self.waits(other), 50)


def pipeline_part(results: Results) -> Part:
    own = results.throughput(CAREROUTE)
    times, of_limit = results.throughput_ratio(TEXTBOOK), results.throughput_ratio(LIMIT)
    sooner, rate = results.wait_ratio(TEXTBOOK), results.loads[CAREROUTE].rate
    return Part(
        TITLE,
        (
            Figure(
                "throughput of a backlog, as a multiple of the textbook's",
                f"at least {WANTED_RATIO:.0f}",
                f"{times:.1f}",
                times >= WANTED_RATIO,
            ),
            Figure(
                "the same, as a part of what the stages do with no queue at all",
                f"at least {WANTED_OF_LIMIT:.0%}",
                f"{of_limit:.0%}",
                of_limit >= WANTED_OF_LIMIT,
            ),
            Figure(
                f"median time to the confirmation at {rate:g}/s, as a multiple of the textbook's",
                f"at most {WANTED_WAIT_RATIO}",
                f"{sooner:.2f}",
                sooner <= WANTED_WAIT_RATIO,
            ),
            Figure("submissions a second on two cores", f"{AIM:,.0f}", f"{own:,.0f}", own >= AIM, is_aim=True),
        ),
        (
            "All sides do the same full work on the same machine in the same run, in turn, round by round: every",
            f"answer sealed, every step on record, {EMAILS_PER_PERSON} emails a submission; two worker processes,",
            "PostgreSQL with durable commits, Redis, null transport. Careroute's workers also put the records into the",
            "log, which no other side has. What the *textbook*, the *tuned* and the *no queue* side are, and what each",
            "leaves out to its own advantage, is said in `bench/textbook/__init__.py`, `bench/tuned/__init__.py` and",
            "`bench/limit.py`; why they are fair is in",
            "[a decision](../docs/decisions/0035-what-the-bench-compares-with.md).\n",
            *_throughput(results),
            *_latency(results),
            *_costs(results),
            *results.conditions,
        ),
    )


def pipeline_conditions(laboratory: Laboratory, command: str) -> list[str]:
    return conditions(command, ("celery", "kombu", "redis", "sqlalchemy", "psycopg"), servers(laboratory))


def servers(laboratory: Laboratory) -> dict[str, str]:
    return laboratory.servers()


def _throughput(results: Results) -> list[str]:
    lines = [
        "### Throughput of a backlog\n",
        "Submissions accepted beforehand, workers warm; from the word to go to the last email handed over.\n",
        "| side | submissions | rounds (submissions/s) | median | Careroute's as a multiple |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    for side, rounds in results.rounds.items():
        each = ", ".join(f"{one.throughput:.1f}" for one in rounds)
        median, ratio = results.throughput(side), results.throughput_ratio(side)
        lines.append(f"| {side} | {results.loads[side].submissions} | {each} | {median:.1f} | {ratio:.2f} |")
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
    sides = [side for side in results.rounds if results.waits(side)]
    for side in sides:
        waits = results.waits(side)
        p50, p99 = percentile(waits, 50) * 1000, percentile(waits, 99) * 1000
        lines.append(f"| {side} | {len(waits)} | {p50:.1f} ms | {p99:.1f} ms |")
    lines += [
        f"\nThe {side} side does not keep up with this rate here: its figures are of a growing queue."
        for side in sides
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
        if side != LIMIT:  # it takes in as Careroute does, and knows only batches
            lines.append(_cost(side, "accepting it", costs.accepting))
        lines.append(_cost(side, "the rest, in a backlog", costs.in_a_backlog))
        if side != LIMIT:
            lines.append(_cost(side, "the rest, one at a time", costs.one_at_a_time))
    return [*lines, ""]


def _cost(side: str, when: str, cost: Cost) -> str:
    return f"| {side} | {when} | {cost.statements:.2f} | {cost.commits:.2f} | {cost.messages:.2f} |"
