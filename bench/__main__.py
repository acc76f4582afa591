"""Program: measure, print what came out and write it down, part by part. Exit code 1: a figure was missed."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import (
    alone,
    batches,
    embedded,
    endurance,
    evidence,
    evidence_report,
    growth,
    intake,
    loads,
    loads_report,
    mail,
    mail_faults,
    mail_report,
    matching_report,
    overload,
    plots,
    report,
    scale,
    what_if,
)
from bench.counting import count_costs
from bench.doors import CAREROUTE, LIMIT, TEXTBOOK, TUNED
from bench.failure import BenchFailed
from bench.laboratory import can_count_statements, open_laboratory
from bench.matching import QUICK_PLAN, Plan, measure_matching
from bench.measure import Load, Round, measure_round
from bench.parts import Part, with_part
from bench.report import Results, pipeline_conditions, pipeline_part
from bench.sides import SIDES, Limit, Side
from config.conditions import load_conditions
from config.screening import load_screening
from config.settings import Settings
from embedded.supervisor import termination_as_interrupt

CORES = 2
QUICK_SUBMISSIONS, QUICK_TUNED_SUBMISSIONS, QUICK_TEXTBOOK_SUBMISSIONS, QUICK_SECONDS = 500, 150, 60, 5.0
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: Sequence[str]) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.quick:
        chosen.submissions = min(chosen.submissions, QUICK_SUBMISSIONS)
        chosen.tuned_submissions = min(chosen.tuned_submissions, QUICK_TUNED_SUBMISSIONS)
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
        for chart in part.charts:
            plots.draw(chart, chosen.output.parent / "plots")
        before = chosen.output.read_text(encoding="utf-8") if chosen.output.exists() else ""
        chosen.output.write_text(with_part(before, part, _TITLES), encoding="utf-8")
    return part


def _pipeline(chosen: argparse.Namespace, command: str) -> Part:
    seconds = chosen.seconds / chosen.repeats
    loads_by_side = {
        CAREROUTE: Load(chosen.submissions, chosen.rate, seconds),
        TUNED: Load(chosen.tuned_submissions, chosen.rate, seconds),
        TEXTBOOK: Load(chosen.textbook_submissions, chosen.rate, seconds),
        LIMIT: Load(chosen.submissions, chosen.rate, 0.0),  # it has no way in of its own, so no latency
    }
    sides: tuple[type[Side], ...] = (Limit, *SIDES)
    rounds: dict[str, list[Round]] = {side.name: [] for side in sides}
    with open_laboratory() as laboratory:
        for number in range(chosen.repeats):
            for side in sides:
                measured = measure_round(side, laboratory, loads_by_side[side.name])
                rounds[side.name].append(measured)
                print(f"round {number + 1}: {side.name} {measured.throughput:.1f} submissions/s", file=sys.stderr)
        said = pipeline_conditions(laboratory, command)
    costs = {}
    if can_count_statements():
        with open_laboratory(statements=True) as laboratory:
            for side in sides:
                costs[side.name] = count_costs(side, laboratory, loads_by_side[side.name])
    return pipeline_part(Results(rounds, loads_by_side, costs, said))


def _loads(chosen: argparse.Namespace, command: str) -> Part:
    plan = loads.QUICK_LOAD_PLAN if chosen.quick else loads.LOAD_PLAN
    with open_laboratory() as laboratory:
        measured = {side.name: loads.measure_loads(side, laboratory, plan) for side in SIDES}
        return loads_report.loads_part(plan, measured, pipeline_conditions(laboratory, command))


def _batches(chosen: argparse.Namespace, command: str) -> Part:
    plan = batches.QUICK_BATCH_PLAN if chosen.quick else batches.BATCH_PLAN
    with open_laboratory() as laboratory:
        measured = batches.measure_batches(laboratory, plan)
        return batches.batches_part(plan, measured, laboratory, command)


def _embedded(chosen: argparse.Namespace, command: str) -> Part:
    plan = embedded.QUICK_EMBEDDED_PLAN if chosen.quick else embedded.EmbeddedPlan()
    return embedded.embedded_part(plan, embedded.measure_embedded(plan), command)


def _alone(chosen: argparse.Namespace, command: str) -> Part:
    plan = alone.QUICK_ALONE_PLAN if chosen.quick else alone.AlonePlan()
    with open_laboratory() as laboratory:
        return alone.alone_part(alone.measure_alone(laboratory, plan), laboratory, command)


def _memory(chosen: argparse.Namespace, command: str) -> Part:
    plan = endurance.QUICK_ENDURANCE_PLAN if chosen.quick else endurance.EndurancePlan()
    with open_laboratory() as laboratory:
        measured = endurance.measure_endurance(laboratory, plan)
        return endurance.endurance_part(plan, measured, laboratory, command)


def _scale(chosen: argparse.Namespace, command: str) -> Part:
    plan = scale.QUICK_SCALE_PLAN if chosen.quick else scale.ScalePlan()
    with open_laboratory() as laboratory:
        return scale.scale_part(scale.measure_scale(laboratory, plan), laboratory, command)


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


def _growth(chosen: argparse.Namespace, command: str) -> Part:
    plan = growth.QUICK_GROWTH_PLAN if chosen.quick else growth.GrowthPlan()
    with open_laboratory() as laboratory:
        return growth.growth_part(growth.measure_growth(laboratory, plan), laboratory, command)


def _intake(chosen: argparse.Namespace, command: str) -> Part:
    plan = intake.QUICK_INTAKE_PLAN if chosen.quick else intake.IntakePlan()
    with open_laboratory() as laboratory:
        return intake.intake_part(intake.measure_intake(laboratory, plan), laboratory, command)


def _overload(chosen: argparse.Namespace, command: str) -> Part:
    plan = overload.QUICK_OVERLOAD_PLAN if chosen.quick else overload.OverloadPlan()
    with open_laboratory() as laboratory:
        return overload.overload_part(overload.measure_overload(laboratory, plan), laboratory, command)


PARTS: Mapping[str, Callable[[argparse.Namespace, str], Part]] = {
    "intake": _intake,
    "pipeline": _pipeline,
    "loads": _loads,
    "batches": _batches,
    "embedded": _embedded,
    "overload": _overload,
    "scale": _scale,
    "memory": _memory,
    "alone": _alone,
    "matching": _matching,
    "what-if": _what_if,
    "mail": _mail,
    "mail-faults": _mail_faults,
    "evidence": _evidence,
    "growth": _growth,
}
_TITLES = (
    intake.TITLE,
    report.TITLE,
    loads_report.TITLE,
    batches.TITLE,
    embedded.TITLE,
    overload.TITLE,
    scale.TITLE,
    endurance.TITLE,
    alone.TITLE,
    matching_report.TITLE,
    what_if.TITLE,
    mail_report.TITLE,
    mail_faults.TITLE,
    evidence_report.TITLE,
    growth.TITLE,
)
_BY_HAND = frozenset({"growth", "mail-faults", "memory"})
"""Measured only when asked for by name: each takes a quarter of an hour or more."""


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
    pipeline.add_argument("--submissions", type=int, default=6000, help="backlog for Careroute (6000)")
    pipeline.add_argument("--tuned-submissions", type=int, default=600, help="backlog for the tuned side (600)")
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
