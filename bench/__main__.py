"""Program: measure both sides in turn, print what came out and write it down. Exit code 1: a figure was missed."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.counting import count_costs
from bench.laboratory import can_count_statements, open_laboratory
from bench.measure import Load, Round, measure_round
from bench.report import CAREROUTE, TEXTBOOK, Results, conditions, page
from bench.sides import SIDES, BenchFailed
from embedded.supervisor import termination_as_interrupt

CORES = 2
QUICK_SUBMISSIONS, QUICK_TEXTBOOK_SUBMISSIONS, QUICK_SECONDS = 500, 60, 5.0
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: Sequence[str]) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.quick:
        chosen.submissions = min(chosen.submissions, QUICK_SUBMISSIONS)
        chosen.textbook_submissions = min(chosen.textbook_submissions, QUICK_TEXTBOOK_SUBMISSIONS)
        chosen.repeats, chosen.seconds = 1, min(chosen.seconds, QUICK_SECONDS)
    _use_cores(CORES)
    try:
        with termination_as_interrupt():
            results = _measure(chosen, "make bench" + (f' ARGS="{" ".join(arguments)}"' if arguments else ""))
    except BenchFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report = page(results)
    print(report)
    if not chosen.quick:
        chosen.output.write_text(report, encoding="utf-8")
    return 0 if results.reached else 1


def _measure(chosen: argparse.Namespace, command: str) -> Results:
    seconds = chosen.seconds / chosen.repeats
    loads = {
        CAREROUTE: Load(chosen.submissions, chosen.rate, seconds),
        TEXTBOOK: Load(chosen.textbook_submissions, chosen.rate, seconds),
    }
    rounds: dict[str, list[Round]] = {side.name: [] for side in SIDES}
    with open_laboratory() as laboratory:
        for number in range(chosen.repeats):
            for side in SIDES:
                measured = measure_round(side, laboratory, loads[side.name])
                rounds[side.name].append(measured)
                print(f"round {number + 1}: {side.name} {measured.throughput:.1f} submissions/s", file=sys.stderr)
        said = conditions(laboratory, command)
    costs = {}
    if can_count_statements():
        with open_laboratory(statements=True) as laboratory:
            for side in SIDES:
                costs[side.name] = count_costs(side, laboratory, loads[side.name])
    return Results(rounds, loads, costs, said)


def _use_cores(count: int) -> None:
    """Keep this process, and so everything it starts, to a few cores, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Careroute beside a textbook Celery chain.")
    parser.add_argument("--quick", action="store_true", help="a short run, printed only")
    parser.add_argument("--submissions", type=int, default=2000, help="backlog for Careroute (2000)")
    parser.add_argument("--textbook-submissions", type=int, default=300, help="backlog for the textbook (300)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of each side, in turn (3)")
    parser.add_argument("--rate", type=float, default=20.0, help="submissions per second while latency is taken (20)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long, over all rounds of a side (15)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file written (bench/RESULTS.md)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
