"""The workers' memory while 100,000 submissions go through them."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.laboratory import Laboratory
from bench.measure import check_work, warm_up
from bench.parts import Chart, Figure, Part
from bench.report import pipeline_conditions
from bench.sides import Careroute, Side, fresh_side

TITLE = "Memory of the workers"
WANTED_GROWTH = 0.10
_AT_ONCE = 2000
"""Taken in before the workers are waited for: a backlog, so that batches are as large as they get."""
_THREADS = 4


@dataclass(frozen=True, slots=True)
class EndurancePlan:
    """`every` so many submissions memory is read; the first such reading is what the last is compared with."""

    submissions: int = 100_000
    every: int = 10_000


QUICK_ENDURANCE_PLAN = EndurancePlan(submissions=1000, every=250)


@dataclass(frozen=True, slots=True)
class Reading:
    """Resident bytes of each worker after so many submissions."""

    submissions: int
    resident: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Endurance:
    """`started` is before the first submission, `warm` after a hundred or so."""

    started: Reading
    warm: Reading
    readings: Sequence[Reading]

    @property
    def growth(self) -> float:
        """Of the worker that grew most, from the first reading to the last, as a part of the first."""
        first, last = self.readings[0].resident, self.readings[-1].resident
        return max(after / before - 1 for before, after in zip(first, last, strict=True))


def measure_endurance(laboratory: Laboratory, plan: EndurancePlan) -> Endurance:
    """Raises `BenchFailed`."""
    with fresh_side(Careroute, laboratory) as side, side.workers() as workers:
        started = _read(side, workers.pids)
        warm_up(side, workers, 10)
        warm = _read(side, workers.pids)
        readings: list[Reading] = []
        while side.taken_in < plan.submissions:
            wanted = min(plan.submissions, plan.every * (len(readings) + 1))
            while side.taken_in < wanted:
                _take_in(side, min(_AT_ONCE, wanted - side.taken_in))
                workers.finish()
            readings.append(_read(side, workers.pids))
            print(f"memory after {wanted}: {readings[-1].resident}", file=sys.stderr)
        check_work(side)
    return Endurance(started, warm, readings)


def _take_in(side: Side, count: int) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(side.door.take_in, [side.next_arrival() for _ in range(count)]))


def _read(side: Side, pids: Sequence[int]) -> Reading:
    return Reading(side.taken_in, tuple(resident_bytes(pid) for pid in pids))


def resident_bytes(pid: int) -> int:
    """Of a running process, by Linux (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def endurance_part(plan: EndurancePlan, measured: Endurance, laboratory: Laboratory, command: str) -> Part:
    workers = range(len(measured.started.resident))
    points = [measured.started, measured.warm, *measured.readings]
    return Part(
        TITLE,
        (
            Figure(
                f"growth of a worker from {plan.every:,} submissions to {plan.submissions:,}",
                f"at most {WANTED_GROWTH:.0%}",
                f"{measured.growth:.1%}",
                measured.growth <= WANTED_GROWTH,
            ),
        ),
        (
            "Resident memory of two workers that serve every lane and the log; backlogs of",
            f"{_AT_ONCE:,} submissions, one after the other.\n",
            f"| submissions | {' | '.join(f'worker {number + 1}' for number in workers)} |",
            f"| ---: | {' | '.join('---:' for _ in workers)} |",
            *(
                f"| {each.submissions:,} | {' | '.join(f'{size / 1e6:.1f} MB' for size in each.resident)} |"
                for each in points
            ),
            "",
            *pipeline_conditions(laboratory, command),
        ),
        (
            Chart(
                "memory-of-the-workers",
                "Resident memory of the workers",
                "submissions",
                "MB",
                {
                    f"worker {number + 1}": [(each.submissions, each.resident[number] / 1e6) for each in points]
                    for number in workers
                },
            ),
        ),
    )
