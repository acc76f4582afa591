"""Twice what it can take, for a minute: what is answered 2xx is worked on, the others are told when to come back.

Real processes: a web process, two workers, and the client that offers. First the capacity is found by what comes out of
a backlog, then a calm stretch says what a wait is like, then the flood comes, and then a calm stretch again.
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from subprocess import Popen

from sqlalchemy import select

from bench.failure import BenchFailed
from bench.http_load import API, HOOK, Answer, Offered, Plan
from bench.laboratory import Laboratory
from bench.loads import percentile
from bench.parts import Figure, Part, conditions
from bench.serving import CAREROUTE_WEB, free_port, offer, offering, resident_bytes, serving
from embedded import processes
from pipeline.context import Context
from pipeline.models import Job, Submission
from pipeline.status import SubmissionStatus

TITLE = "Overload"
WORKERS = 2
WANTED_RECOVERY = 2.0
WANTED_GROWTH = 1.5
"""The memory of any process at the end of the flood, of what it has after capacity was found."""

_UNDER_WAY = (SubmissionStatus.RECEIVED, SubmissionStatus.VALID)
_GIVE_UP_SECONDS = 600.0
_LOOK_SECONDS = 0.5

_WAITS = """
SELECT email.submission_id::text,
    extract(epoch FROM pg_xact_commit_timestamp(email.xmin) - pg_xact_commit_timestamp(data_key.xmin))
FROM email JOIN data_key USING (submission_id) WHERE email.kind = 'confirmation' AND email.status = 'handed_over'
"""


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """`calm_rate` is the part of the capacity that is offered while nothing is wrong."""

    backlog: int = 2000
    seconds: float = 60.0
    calm_seconds: float = 20.0
    calm_rate: float = 0.3
    times: float = 2.0
    hook_every: int = 5
    connections: int = 200
    bound_seconds: float = 5.0
    """The bound on what waits, as so many seconds of work."""


QUICK_OVERLOAD_PLAN = OverloadPlan(backlog=150, seconds=5.0, calm_seconds=3.0, bound_seconds=1.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was offered in one stretch, and the seconds from each commit to its confirmation, in order."""

    offered: Offered
    waits: Sequence[float]

    def answers(self, door: str) -> Counter[int]:
        return Counter(answer.status for answer in self.offered.answers if answer.door == door)

    def refused(self, door: str) -> int:
        return sum(number for status, number in self.answers(door).items() if status in {429, 503})

    def first_refusal(self, door: str) -> float | None:
        """Seconds from the start."""
        refused = [answer.sent for answer in self.offered.answers if answer.door == door and answer.status == 503]
        return min(refused, default=None)


@dataclass(frozen=True, slots=True)
class Overload:
    plan: OverloadPlan
    capacity: float
    """Submissions a second."""
    bound: int
    before: Stretch
    flood: Stretch
    after: Stretch
    lost: int
    """Answered 2xx and not there, or not finished at the end."""
    memory: Mapping[str, Sequence[float]]
    """MiB of each process: when capacity had been found, and the most and the last during the flood."""

    @property
    def recovery(self) -> float:
        return percentile(self.after.waits, 50) / percentile(self.before.waits, 50)

    @property
    def growth(self) -> float:
        return max(last / first for first, _, last in self.memory.values())


@dataclass(slots=True)
class _Site:
    """The running processes, and whom they were sent."""

    laboratory: Laboratory
    context: Context
    environment: Mapping[str, str]
    port: int = 0
    sent: int = 0
    accepted: int = 0

    def offer(self, seconds: float, rate: float, plan: OverloadPlan) -> Offered:
        offered = offer(self.plan(seconds, rate, plan), self.laboratory.folder)
        self.note(offered)
        return offered

    def plan(self, seconds: float, rate: float, plan: OverloadPlan) -> Plan:
        count = max(1, round(seconds * rate))
        first, self.sent = self.sent, self.sent + count
        return Plan(self.port, count, first, plan.connections, rate, plan.hook_every)

    def note(self, offered: Offered) -> None:
        self.accepted += sum(answer.id is not None for answer in offered.answers)

    def finish(self) -> None:
        """Wait until no job is left that is due. Raises `BenchFailed`."""
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            with self.context.database.read() as connection:
                left = connection.execute(select(Job.lane).where(Job.lane.in_(("validate", "score", "email")))).first()
            if left is None:
                return
            if time.monotonic() > deadline:
                raise BenchFailed("the workers did not come to an end")
            time.sleep(_LOOK_SECONDS)

    def waits(self, answers: Sequence[Answer]) -> list[float]:
        with self.context.database.read() as connection:
            waits = {row[0]: float(row[1]) for row in connection.exec_driver_sql(_WAITS)}
        return sorted(waits[answer.id] for answer in answers if answer.id in waits)


def measure_overload(laboratory: Laboratory, plan: OverloadPlan) -> Overload:
    """Measure by the plan. Raises `BenchFailed` if a process ends, or what was accepted does not come to an end."""
    with ExitStack() as undo:
        context, environment = undo.enter_context(laboratory.fresh("overload"))
        site = _Site(laboratory, context, environment)
        workers = [undo.enter_context(_worker(site, number)) for number in range(WORKERS)]
        capacity = _capacity(site, plan)
        # A submission is a job in each of the lanes validate and score, and five emails.
        bound = max(10, round(capacity * plan.bound_seconds * 7))
        limits = {"CAREROUTE_BACKLOG_LIMIT": str(bound), "CAREROUTE_BACKLOG_LIMIT_HOOKS": str(bound * 10)}
        web = undo.enter_context(_web(site, limits))
        running = {"web": web, **{f"worker {number + 1}": worker for number, worker in enumerate(workers)}}
        before = _stretch(site, plan, plan.calm_seconds, capacity * plan.calm_rate)
        at_first = _memory(running)
        flood, memory = _flood(site, plan, capacity, running)
        after = _stretch(site, plan, plan.calm_seconds, capacity * plan.calm_rate)
        lost = _lost(site, [before, flood, after])
    told = {name: (at_first[name], max(seen), seen[-1]) for name, seen in memory.items()}
    return Overload(plan, capacity, bound, before, flood, after, lost, told)


@contextmanager
def _worker(site: _Site, number: int) -> Iterator[Popen[bytes]]:
    log = site.laboratory.folder / f"overload-worker-{number}.log"
    process = processes.spawn((sys.executable, "-m", "cli", "worker"), log=log, environment=site.environment)
    try:
        yield process
        if process.poll() is not None:
            raise BenchFailed(f"a worker ended by itself:\n{processes.tail(log)}")
    finally:
        processes.stop(process, grace=25.0)


@contextmanager
def _web(site: _Site, limits: Mapping[str, str]) -> Iterator[Popen[bytes]]:
    site.port = free_port()
    log = site.laboratory.folder / f"overload-web-{site.port}.log"
    with serving(CAREROUTE_WEB, site.port, log, {**site.environment, **limits}) as process:
        yield process


def _capacity(site: _Site, plan: OverloadPlan) -> float:
    """Submissions a second with everything running: as many as come in over HTTP, until all are through, twice."""
    rates = []
    with _web(site, {}):
        for _ in range(2):
            started = time.monotonic()
            offered = offer(
                Plan(site.port, plan.backlog, site.sent, hook_every=plan.hook_every), site.laboratory.folder
            )
            site.sent += plan.backlog
            site.note(offered)
            site.finish()
            rates.append(plan.backlog / (time.monotonic() - started))
    print(f"capacity: {rates[-1]:.0f} submissions/s", file=sys.stderr)
    return rates[-1]


def _stretch(site: _Site, plan: OverloadPlan, seconds: float, rate: float) -> Stretch:
    offered = site.offer(seconds, rate, plan)
    site.finish()
    return Stretch(offered, site.waits(offered.answers))


def _flood(
    site: _Site, plan: OverloadPlan, capacity: float, running: Mapping[str, Popen[bytes]]
) -> tuple[Stretch, dict[str, list[float]]]:
    memory: dict[str, list[float]] = {name: [] for name in running}
    with offering(site.plan(plan.seconds, capacity * plan.times, plan), site.laboratory.folder) as (client, output):
        while client.poll() is None:
            for name, now in _memory(running).items():
                memory[name].append(now)
            time.sleep(_LOOK_SECONDS)
        if client.returncode != 0:
            raise BenchFailed("the client ended early")
        offered = Offered.read(output)
    site.note(offered)
    site.finish()
    return Stretch(offered, site.waits(offered.answers)), memory


def _memory(running: Mapping[str, Popen[bytes]]) -> dict[str, float]:
    return {name: resident_bytes(process.pid) / 2**20 for name, process in running.items()}


def _lost(site: _Site, stretches: Sequence[Stretch]) -> int:
    told = {answer.id for stretch in stretches for answer in stretch.offered.answers if answer.id is not None}
    with site.context.database.read() as connection:
        finished = {
            str(row.id) for row in connection.execute(select(Submission.id).where(Submission.status.not_in(_UNDER_WAY)))
        }
    return len(told - finished)


def overload_part(measured: Overload, laboratory: Laboratory, command: str) -> Part:
    flood, plan = measured.flood, measured.plan
    hooks_first = _sooner(flood.first_refusal(HOOK), flood.first_refusal(API))
    return Part(
        TITLE,
        (
            Figure("answered 2xx and not finished", "0", str(measured.lost), measured.lost == 0),
            Figure(
                "requests to the API refused past the bound, with Retry-After",
                "some",
                str(flood.refused(API)),
                flood.refused(API) > 0 and _all_say_when(flood.offered),
            ),
            Figure("webhooks refused before the API", "0", str(int(hooks_first)), not hooks_first),
            Figure(
                "median wait to the confirmation after, of that before",
                f"at most {WANTED_RECOVERY:.0f}",
                f"{measured.recovery:.1f}",
                measured.recovery <= WANTED_RECOVERY,
            ),
            Figure(
                "memory of a process at the end of the flood, of that before",
                f"at most {WANTED_GROWTH:.1f}",
                f"{measured.growth:.2f}",
                measured.growth <= WANTED_GROWTH,
            ),
        ),
        [
            f"One web process and {WORKERS} workers get {measured.capacity:.0f} submissions/s done here;",
            f"{plan.times:g} times as many were offered for {plan.seconds:g} s, one in {plan.hook_every} by webhook.",
            f"The bound was {measured.bound} jobs, and ten times that for webhooks.",
            f"{flood.offered.unsent} found none of {plan.connections} connections free and were not sent.\n",
            "| stretch | door | kept | refused (503) | other |",
            "| --- | --- | ---: | ---: | ---: |",
            *(_doors(name, stretch, door) for name, stretch in _stretches(measured).items() for door in (API, HOOK)),
            "",
            "| stretch | kept | wait to the confirmation, p50 | p99 |",
            "| --- | ---: | ---: | ---: |",
            *(
                f"| {name} | {len(stretch.waits)} | {percentile(stretch.waits, 50):.2f} s "
                f"| {percentile(stretch.waits, 99):.2f} s |"
                for name, stretch in _stretches(measured).items()
            ),
            "",
            f"Retry-After, median: {_retry_after(flood.offered)} s.\n",
            "| process | before (MiB) | most in the flood | at its end |",
            "| --- | ---: | ---: | ---: |",
            *(f"| {name} | {' | '.join(f'{each:.0f}' for each in seen)} |" for name, seen in measured.memory.items()),
            "",
            *conditions(command, ("celery", "redis", "fastapi", "psycopg"), laboratory.servers()),
        ],
    )


def _stretches(measured: Overload) -> dict[str, Stretch]:
    return {"before": measured.before, "flood": measured.flood, "after": measured.after}


def _doors(name: str, stretch: Stretch, door: str) -> str:
    answers = stretch.answers(door)
    kept = sum(number for status, number in answers.items() if 200 <= status < 300)
    refused = stretch.refused(door)
    return f"| {name} | {door} | {kept} | {refused} | {answers.total() - kept - refused} |"


def _all_say_when(offered: Offered) -> bool:
    return all(answer.retry_after is not None for answer in offered.answers if answer.status in {429, 503})


def _retry_after(offered: Offered) -> str:
    seconds = [answer.retry_after for answer in offered.answers if answer.retry_after is not None]
    return f"{statistics.median(seconds):.0f}" if seconds else "none"


def _sooner(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one < other)
