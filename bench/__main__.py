"""Program: measure, print what came out and write it down, part by part. Exit code 1: a figure was missed."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import evidence, evidence_report, mail, mail_faults, mail_report, matching_report, report, what_if
from bench.counting import count_costs
from bench.failure import BenchFailed
from bench.laboratory import can_count_statements, open_laboratory
from bench.matching import QUICK_PLAN, Plan, measure_matching
from bench.measure import Load, Round, measure_round
from bench.parts import Part, with_part
from bench.report import CAREROUTE, TEXTBOOK, Results, pipeline_conditions, pipeline_part
from bench.sides import SIDES
from config.conditions import load_conditions
from config.screening import load_screening
from config.settings import Settings
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
    command = "make bench" + (f' ARGS="{" ".join(arguments)}"' if arguments else "")
    names = [chosen.only] if chosen.only else [name for name in PARTS if name not in _BY_HAND]
    _use_cores(CORES)
    try:
        with termination_as_interrupt():
            parts = [_finish(chosen, PARTS[name](chosen, command)) for name in names]
    except BenchFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if all(part.reached for part in parts) else 1


def _finish(chosen: argparse.Namespace, part: Part) -> Part:
    """Print a part, and put it beside what was written before."""
    print(f"## {part.title}\n\n{part.text()}")
    if not chosen.quick:
        before = chosen.output.read_text(encoding="utf-8") if chosen.output.exists() else ""
        chosen.output.write_text(with_part(before, part, _TITLES), encoding="utf-8")
    return part


def _pipeline(chosen: argparse.Namespace, command: str) -> Part:
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
        said = pipeline_conditions(laboratory, command)
    costs = {}
    if can_count_statements():
        with open_laboratory(statements=True) as laboratory:
            for side in SIDES:
                costs[side.name] = count_costs(side, laboratory, loads[side.name])
    return pipeline_part(Results(rounds, loads, costs, said))


def _matching(chosen: argparse.Namespace, command: str) -> Part:
    screening = load_screening(Settings.model_fields["screening_file"].default)
    conditions = load_conditions(Settings.model_fields["conditions_file"].default)
    measured = measure_matching(screening, conditions, QUICK_PLAN if chosen.quick else Plan())
    return matching_report.matching_part(measured, command)


def _what_if(chosen: argparse.Namespace, command: str) -> Part:
    with open_laboratory() as laboratory:
        measured = what_if.measure_what_if(laboratory, what_if.QUICK_SIZE if chosen.quick else what_if.Size())
        return what_if.what_if_part(measured, laboratory, command)


def _mail(chosen: argparse.Namespace, command: str) -> Part:
    plan = mail.QUICK_MAIL_PLAN if chosen.quick else mail.MailPlan()
    with mail.apart() as core, open_laboratory() as laboratory:
        return mail_report.mail_part(
            mail.measure_mail(laboratory, plan, core), mail_report.mail_conditions(laboratory, command)
        )


def _mail_faults(chosen: argparse.Namespace, command: str) -> Part:
    plan = mail_faults.FaultPlan(outage_seconds=chosen.outage_seconds, storm_seconds=chosen.storm_seconds)
    with open_laboratory() as laboratory:
        troubles = mail_faults.measure_mail_faults(laboratory, mail_faults.QUICK_FAULT_PLAN if chosen.quick else plan)
        return mail_faults.mail_faults_part(troubles, mail_report.mail_conditions(laboratory, command))


def _evidence(chosen: argparse.Namespace, command: str) -> Part:
    plan = evidence.QUICK_EVIDENCE_PLAN if chosen.quick else evidence.EvidencePlan()
    with open_laboratory() as laboratory:
        measured = evidence.measure_evidence(laboratory, plan)
        return evidence_report.evidence_part(measured, evidence_report.evidence_conditions(laboratory, command))


PARTS: Mapping[str, Callable[[argparse.Namespace, str], Part]] = {
    "pipeline": _pipeline,
    "matching": _matching,
    "what-if": _what_if,
    "mail": _mail,
    "mail-faults": _mail_faults,
    "evidence": _evidence,
}
_TITLES = (
    report.TITLE,
    matching_report.TITLE,
    what_if.TITLE,
    mail_report.TITLE,
    mail_faults.TITLE,
    evidence_report.TITLE,
)
_BY_HAND = frozenset({"mail-faults"})
"""Measured only when asked for by name: it takes a quarter of an hour, most of it waiting."""


def _use_cores(count: int) -> None:
    """Keep this process, and so everything it starts, to a few cores, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What Careroute takes, beside what others take."
    )
    parser.add_argument("--quick", action="store_true", help="a short run, printed only")
    parser.add_argument("--only", choices=PARTS, help="measure one part; the others stay as they were written")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file written (bench/RESULTS.md)")
    pipeline = parser.add_argument_group("pipeline")
    pipeline.add_argument("--submissions", type=int, default=2000, help="backlog for Careroute (2000)")
    pipeline.add_argument("--textbook-submissions", type=int, default=300, help="backlog for the textbook (300)")
    pipeline.add_argument("--repeats", type=int, default=3, help="rounds of each side, in turn (3)")
    pipeline.add_argument("--rate", type=float, default=20.0, help="submissions per second while latency is taken (20)")
    pipeline.add_argument("--seconds", type=float, default=15.0, help="how long, over all rounds of a side (15)")
    faults = parser.add_argument_group("mail-faults")
    faults.add_argument("--outage-seconds", type=float, default=600.0, help="how long nobody answers (600)")
    faults.add_argument("--storm-seconds", type=float, default=30.0, help="how long everybody gets 429 (30)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
