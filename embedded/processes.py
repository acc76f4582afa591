"""Starting and stopping one child process so that it never outlives us, and never takes our terminal's Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")
_LOG_KEPT_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class User:
    """Whom a child runs as, when we are root and it must not be."""

    user_id: int
    group_id: int


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
    user: User | None = None,
    directory: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own (its process group id is its pid), both outputs appended to `log`.

    `environment` is added to ours. On Linux the child gets `on_parent_death` when the calling thread dies.
    A command that cannot be run is not an error here: the child says so in the log and ends.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _keep_short(log)
    identity = f"{user.user_id}:{user.group_id}" if user else "-"
    tether = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), str(int(on_parent_death)), identity]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*tether, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], *, grace: float, first: signal.Signals = signal.SIGTERM) -> None:
    """Ask with `first`, wait up to `grace` seconds, then SIGKILL what is left of the process group.

    Does nothing to a process whose end was noticed earlier: its number may belong to another by now.
    """
    if process.returncode is not None:
        return
    try:
        # Only the child itself is asked: it knows in which order its own children must end.
        process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    finally:  # also when Ctrl-C interrupts the wait
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process and everything it started that stayed in its group, then collect it.

    To be called while the process runs, or as soon as its end is noticed.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def describe_end(status: int) -> str:
    """'ended with status 3' or 'was killed by SIGKILL', from a `Popen.returncode`."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def command_line(pid: int) -> list[str]:
    """The arguments of a running process; empty when there is none, or it may not be seen."""
    proc = Path("/proc")
    if (proc / "self").exists():
        with contextlib.suppress(OSError):
            return (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        return []
    listing = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.split()


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented for an error message; says so when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            last = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        last = []
    return "\n".join(f"    {line}" for line in last) or "    (the log is empty)"


def _keep_short(log: Path) -> None:
    """One older log is kept beside the current one; a laptop's disk is not filled by a forgotten stack."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LOG_KEPT_BYTES:
            log.replace(log.with_name(log.name + ".1"))
