"""Web processes to be measured, and the client that asks them."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from subprocess import Popen

from bench.failure import BenchFailed
from bench.http_load import SENDER_ENVIRONMENT, Offered, Plan
from embedded import processes

CAREROUTE_WEB = ("cli", "web")

_START_SECONDS, _STOP_SECONDS = 60.0, 25.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(module: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[Popen[bytes]]:
    """A program that serves HTTP at `port`. Raises `BenchFailed` if it does not start."""
    known = {**SENDER_ENVIRONMENT, "CAREROUTE_PORT": str(port), **environment}
    process = processes.spawn((sys.executable, "-m", *module), log=log, environment=known)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed(f"{module} did not start. The end of its log:\n{processes.tail(log)}")
            time.sleep(0.05)
        yield process
    finally:
        processes.stop(process, grace=_STOP_SECONDS)


def offer(plan: Plan, folder: Path) -> Offered:
    """Let a client of its own process offer by the plan, and wait until it is through. Raises `BenchFailed`."""
    with offering(plan, folder) as (process, output):
        if process.wait() != 0:
            raise BenchFailed("the client ended early")
        return Offered.read(output)


@contextmanager
def offering(plan: Plan, folder: Path) -> Iterator[tuple[Popen[bytes], Path]]:
    """The client at work, and where it will have written its answers once it ends by itself."""
    output = folder / f"offered-{plan.port}-{plan.first}.json"
    command = [sys.executable, "-m", "bench.http_load", str(output), json.dumps(asdict(plan))]
    process = Popen(command)
    try:
        yield process, output
    finally:
        processes.stop(process, grace=1.0)


def processor_seconds(pid: int) -> float:
    """Processor time a process has used; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
