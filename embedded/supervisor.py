"""Keeps a handful of child processes running on one machine, and leaves none behind.

Own code rather than a library: circus brings its own event loop, ZeroMQ and a control socket; honcho ends everything
when one child ends and restarts nothing; supervisord is configured by files and runs as a daemon. None of them covers
what matters most here, that a SIGKILL of the parent ends the children and theirs.

The rules: each child has its own session and log file. One that ends is started again, a little later each time; one
that ends 5 times in a row within 10 seconds of its start is given up, and `check` and `wait` say so with the end of its
log. Children are stopped in the reverse order of their start: SIGTERM, a grace, SIGKILL to the whole group.
"""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

import httpx

from embedded import processes
from embedded.failures import SupervisorFailed

_LIFELINE = Path(__file__).with_name("lifeline.py")
_GIVE_UP_AFTER = 5
_EARLY_SECONDS = 10.0
_FIRST_DELAY_SECONDS = 0.2
_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Child:
    """A command to keep running. `environment` is added to ours; `grace` is seconds from SIGTERM to SIGKILL."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0


@dataclass(slots=True)
class _Kept:
    child: Child
    process: subprocess.Popen[bytes]
    started: float
    early_ends: int = 0
    start_again_at: float | None = None


class Supervisor:
    """A context manager: children are started inside, and all are gone when it ends, however it ends."""

    def __init__(self, logs: Path, *, report: Callable[[str], None] = lambda _line: None) -> None:
        """Child NAME writes to `logs`/NAME.log. `report` gets one line per event, perhaps from another thread."""
        self._logs = logs
        self._report = report
        self._kept: dict[str, _Kept] = {}
        self._failure: str | None = None
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._lifeline: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._lifeline = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LIFELINE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, child: Child) -> None:
        """Start a child and keep it running. Call from a thread that lives as long as the supervisor."""
        with self._lock:
            if child.name in self._kept:
                raise ValueError(f"there is already a child named {child.name}")
            self._kept[child.name] = _Kept(child, self._spawn(child), time.monotonic())

    def pids(self) -> dict[str, int]:
        """Process id by name, of the children running now."""
        with self._lock:
            return {name: kept.process.pid for name, kept in self._kept.items() if kept.process.poll() is None}

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raise SupervisorFailed if a child was given up."""
        if self._failure is not None:
            raise SupervisorFailed(self._failure)

    def wait_until_ready(self, name: str, ready: str | Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Wait until `ready` is true: a function, or a URL that must answer 200.

        Raises SupervisorFailed when any child is given up meanwhile, or the time is over.
        """
        is_ready = _answers(ready) if isinstance(ready, str) else ready
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                log = self.log(name)
                raise SupervisorFailed(
                    f"{name} was not ready after {seconds:.0f} seconds. The end of {log}:\n{processes.tail(log)}"
                )
            time.sleep(0.05)

    def wait(self) -> None:
        """Block until Ctrl-C (KeyboardInterrupt) or until a child is given up (SupervisorFailed)."""
        while not self._stopping.wait(0.5):
            self.check()

    def stop(self) -> None:
        """Stop all children, the last started first. A second Ctrl-C kills what is left at once. Idempotent."""
        self._stopping.set()
        with self._lock:  # the watcher has put it down for the last time
            remaining = list(self._kept.values())
        try:
            while remaining:
                kept = remaining[-1]
                processes.stop(kept.process, grace=kept.child.grace)
                remaining.pop()
        finally:
            for kept in remaining:
                processes.stop(kept.process, grace=0)
            self._kept.clear()
            self._stopped.set()
            self._end_lifeline()

    def _end_lifeline(self) -> None:
        if self._lifeline is None:
            return
        with contextlib.suppress(OSError):
            _pipe(self._lifeline).close()
        self._lifeline.wait()
        self._lifeline = None

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        process = processes.spawn(child.argv, log=self.log(child.name), environment=child.environment)
        self._tell_lifeline(f"+{process.pid}")
        self._report(f"{child.name} started (process {process.pid})")
        return process

    def _tell_lifeline(self, line: str) -> None:
        if self._lifeline is None:
            raise RuntimeError("children are started inside the supervisor's with block")
        with contextlib.suppress(OSError):  # without it the kernel's parent-death signal still holds
            _pipe(self._lifeline).write(line + "\n")
            _pipe(self._lifeline).flush()

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_SECONDS):
            with self._lock:
                for kept in () if self._stopping.is_set() else self._kept.values():
                    self._look_after(kept)
        # To the kernel this thread is the parent of what it restarted: it must not end before they do.
        self._stopped.wait()

    def _look_after(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.start_again_at is not None:
            if now >= kept.start_again_at:
                kept.process, kept.started, kept.start_again_at = self._spawn(kept.child), now, None
        elif kept.process.poll() is not None and kept.early_ends < _GIVE_UP_AFTER:
            self._ended(kept, now)

    def _ended(self, kept: _Kept, now: float) -> None:
        processes.kill_group(kept.process)  # what it started must not work on beside its successor
        self._tell_lifeline(f"-{kept.process.pid}")
        name, how = kept.child.name, processes.describe_end(kept.process.returncode)
        kept.early_ends = kept.early_ends + 1 if now - kept.started < _EARLY_SECONDS else 0
        if kept.early_ends < _GIVE_UP_AFTER:
            delay = _FIRST_DELAY_SECONDS * 2**kept.early_ends
            kept.start_again_at = now + delay
            self._report(f"{name} {how}; starting it again in {delay:.1f} s")
            return
        log = self.log(name)
        self._failure = (
            f"{name} {how}, {_GIVE_UP_AFTER} times in a row within {_EARLY_SECONDS:.0f} seconds of its start. "
            f"The end of {log}:\n{processes.tail(log)}"
        )
        self._report(f"{name} is given up")


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind the stack like Ctrl-C does, so that `with` blocks stop what they started.

    For the main thread of a command. SIGINT is among them: a shell without job control starts what it puts into the
    background with SIGINT ignored, and Python then leaves it so.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(url: str) -> Callable[[], bool]:
    def is_ready() -> bool:
        try:
            return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return is_ready


def _pipe(process: subprocess.Popen[str]) -> IO[str]:
    if process.stdin is None:
        raise RuntimeError("the lifeline was started without a pipe")
    return process.stdin
