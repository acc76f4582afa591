"""Throughput of a backlog against how many jobs are claimed at once, as a part of RESULTS.md."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bench.doors import CAREROUTE
from bench.laboratory import Laboratory
from bench.measure import check_work, measure_throughput, warm_up
from bench.parts import Chart, Figure, Part
from bench.report import pipeline_conditions
from bench.sides import Careroute, fresh_side

TITLE = "Throughput against batch size"


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How many submissions are worked off at each batch size; small batches take long."""

    submissions: Mapping[int, int]
    rounds: int = 2
    warm_up_rounds: int = 4


BATCH_PLAN = BatchPlan({1: 150, 4: 400, 16: 1000, 64: 2000, 250: 2000, 1000: 3000})
QUICK_BATCH_PLAN = BatchPlan({1: 20, 16: 100, 250: 300}, rounds=1)


def sized(size: int) -> type[Careroute]:
    """Careroute with that batch size in every lane."""

    class Sized(Careroute):
        name = CAREROUTE
        worker: ClassVar[tuple[str, ...]] = ("bench.sized", str(size))

    return Sized


def measure_batches(laboratory: Laboratory, plan: BatchPlan) -> dict[int, list[float]]:
    """Submissions per second by batch size, in turn round by round. Raises `BenchFailed`."""
    measured: dict[int, list[float]] = {size: [] for size in plan.submissions}
    for _ in range(plan.rounds):
        for size, submissions in plan.submissions.items():
            with fresh_side(sized(size), laboratory) as side, side.workers() as workers:
                warm_up(side, workers, plan.warm_up_rounds)
                measured[size].append(measure_throughput(side, workers, submissions))
                check_work(side)
            print(f"batches of {size}: {measured[size][-1]:.1f} submissions/s", file=sys.stderr)
    return measured


def batches_part(
    plan: BatchPlan, measured: Mapping[int, Sequence[float]], laboratory: Laboratory, command: str
) -> Part:
    medians = {size: statistics.median(rounds) for size, rounds in measured.items()}
    smallest, best = medians[min(medians)], max(medians.values())
    return Part(
        TITLE,
        (Figure("batches are faster than jobs one by one", "faster", f"{best / smallest:.1f} times", best > smallest),),
        (
            "A backlog, and two workers that claim so many jobs at a time in every lane.\n",
            "| jobs claimed at once | submissions | rounds (submissions/s) | median |",
            "| ---: | ---: | --- | ---: |",
            *(
                f"| {size:,} | {plan.submissions[size]:,} | {', '.join(f'{each:.1f}' for each in measured[size])} "
                f"| {median:.1f} |"
                for size, median in medians.items()
            ),
            "",
            *pipeline_conditions(laboratory, command),
        ),
        (
            Chart(
                "throughput-against-batch-size",
                "Throughput against batch size",
                "jobs claimed at once",
                "submissions/s",
                {CAREROUTE: list(medians.items())},
                log_x=True,
            ),
        ),
    )
