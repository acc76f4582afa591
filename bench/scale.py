"""More processes over one database and one broker: is the work shared, and is nothing done twice?

Submissions come in over HTTP at two web processes in turn, while one, two or four workers work on them; then a backlog
is worked off. Who did how much is told by the processor time of each worker: one that finds nothing to do uses none.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import httpx

from bench import people
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.measure import check_work, measure_throughput
from bench.parts import Figure, Part
from bench.report import pipeline_conditions
from bench.sides import Careroute, Side, Workers, consumers, fresh_side
from config.settings import PREFIX
from embedded import processes
from pipeline.lane_names import LANE_NAMES
from tests.end_to_end.running import free_port

TITLE = "More processes"
WANTED_SHARE = 0.5
"""Of an equal share, that the worker with the least must have done of a backlog."""

_KEY = "bench-scale-key"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_CLIENTS = 8
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """`offered` submissions over HTTP, then a backlog; each in a database of its own, `rounds` times."""

    workers: Sequence[int] = (1, 2, 4)
    webs: int = 2
    offered: int = 400
    backlog: int = 2000
    rounds: int = 3


QUICK_SCALE_PLAN = ScalePlan(workers=(1, 2), offered=40, backlog=300, rounds=1)


@dataclass(frozen=True, slots=True)
class Scaled:
    """One round. `over_http` and `backlog` are submissions per second, from the first to the last email handed over.

    `shares` are the parts of the backlog's processor time that each worker used, and `web_shares` those that each web
    process used of theirs.
    """

    workers: int
    over_http: float
    backlog: float
    shares: tuple[float, ...]
    web_shares: tuple[float, ...]

    @property
    def least(self) -> float:
        """What the least busy worker did, of an equal share."""
        return min(self.shares) * self.workers


def measure_scale(laboratory: Laboratory, plan: ScalePlan) -> list[Scaled]:
    """All numbers of workers in turn, round by round. Raises `BenchFailed` if anything was lost or done twice."""
    return [_measure(laboratory, plan, count) for _ in range(plan.rounds) for count in plan.workers]


def _measure(laboratory: Laboratory, plan: ScalePlan, count: int) -> Scaled:
    with fresh_side(Careroute, laboratory) as side, ExitStack() as undo:
        ports = [free_port() for _ in range(plan.webs)]
        webs = [undo.enter_context(_running(side, ("web",), _web_settings(port))) for port in ports]
        lanes = ("worker", "--lanes", ",".join(LANE_NAMES))
        workers = [undo.enter_context(_running(side, lanes, {})) for _ in range(count)]
        waiting = _wait_for(side, [*webs, *workers])
        with laboratory.broker() as client:
            waiting.wait(lambda: consumers(client) >= count, "the workers did not connect to the broker")
        waiting.wait(lambda: all(_serves(port) for port in ports), "the web processes do not serve")
        web_before = [_processor_seconds(web) for web in webs]
        over_http = _over_http(side, waiting, ports, plan.offered)
        web_shares = _shares(web_before, webs)
        before = [_processor_seconds(worker) for worker in workers]
        backlog = measure_throughput(side, waiting, plan.backlog)
        shares = _shares(before, workers)
        check_work(side)
    print(f"{count} workers: {over_http:.0f} over HTTP, {backlog:.0f} of a backlog", file=sys.stderr)
    return Scaled(count, over_http, backlog, shares, web_shares)


def _web_settings(port: int) -> dict[str, str]:
    return {f"{PREFIX}PORT": str(port), f"{PREFIX}SOURCE_NETWORK_SITE_KEY": _KEY}


@contextmanager
def _running(side: Side, arguments: Sequence[str], more: Mapping[str, str]) -> Iterator[Popen[bytes]]:
    command = (sys.executable, "-m", "cli", *arguments)
    process = processes.spawn(command, log=side.log, environment={**side.environment, **more})
    try:
        yield process
    finally:
        processes.stop(process, grace=_STOP_SECONDS)


def _wait_for(side: Side, running: Sequence[Popen[bytes]]) -> Workers:
    def give_up(what: str) -> BenchFailed:
        return BenchFailed(f"{side.name}: {what}. The end of the log:\n{processes.tail(side.log)}")

    def check() -> None:
        if any(process.poll() is not None for process in running):
            raise give_up("a process ended by itself")

    return Workers(side, check, give_up)


def _over_http(side: Side, waiting: Workers, ports: Sequence[int], count: int) -> float:
    """Submissions per second, from the first request to the last email handed over."""
    first = side.taken_in + 1
    side.taken_in += count
    numbers = [(first + index, ports[index % len(ports)]) for index in range(count)]
    began = time.monotonic()
    with httpx.Client(timeout=60, trust_env=False) as client, ThreadPoolExecutor(_CLIENTS) as pool:
        for answer in pool.map(lambda each: _post(client, *each), numbers):
            if answer.status_code != httpx.codes.ACCEPTED:
                raise BenchFailed(f"the API answered {answer.status_code}")
    waiting.finish(every=0.05)
    return count / (time.monotonic() - began)


def _post(client: httpx.Client, number: int, port: int) -> httpx.Response:
    headers = {"authorization": f"Bearer {_KEY}", "content-type": "application/json"}
    url = f"http://127.0.0.1:{port}/v1/submissions"
    return client.post(url, content=people.body(number), headers={**headers, "idempotency-key": f"person-{number}"})


def _serves(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _shares(before: Sequence[float], running: Sequence[Popen[bytes]]) -> tuple[float, ...]:
    used = [_processor_seconds(process) - was for process, was in zip(running, before, strict=True)]
    return tuple(each / sum(used) for each in used)


def _processor_seconds(process: Popen[bytes]) -> float:
    """Of the process with all its threads, so far (proc(5): fields 14 and 15 of `stat`)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def scale_part(measured: Sequence[Scaled], laboratory: Laboratory, command: str) -> Part:
    counts = sorted({each.workers for each in measured})
    shared = [each for each in measured if each.workers > 1]
    least = statistics.median(each.least for each in shared)
    rows = [_row(count, [each for each in measured if each.workers == count]) for count in counts]
    return Part(
        TITLE,
        (
            Figure(
                "what the least busy worker does of a backlog, as part of an equal share",
                f"at least {WANTED_SHARE}",
                f"{least:.2f}",
                least >= WANTED_SHARE,
            ),
            Figure("submissions lost, or anything done twice", "0", "0", reached=True),
        ),
        (
            "Two web processes, and one, two or four workers with every lane, over one PostgreSQL and one Redis,",
            "on the same cores: what is shown is that work is shared and not done twice, not what more machines",
            "would do. Every round is checked row by row and record by record; a fault would have ended the run.\n",
            "| workers | over HTTP (submissions/s) | backlog (submissions/s) | shares of it, by processor time |",
            "| ---: | ---: | ---: | --- |",
            *rows,
            "",
            *pipeline_conditions(laboratory, command),
        ),
    )


def _row(count: int, rounds: Sequence[Scaled]) -> str:
    over_http = statistics.median(each.over_http for each in rounds)
    backlog = statistics.median(each.backlog for each in rounds)
    shares = "; ".join(", ".join(f"{share:.0%}" for share in sorted(each.shares, reverse=True)) for each in rounds)
    return f"| {count} | {over_http:.0f} | {backlog:.0f} | {shares} |"
