"""Careroute as it runs: `careroute web`, `worker` and `beat` as processes of their own, over one installation."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import MappingProxyType, TracebackType
from typing import Self

import httpx

from config.settings import PREFIX
from embedded import processes
from pipeline.lane_names import LANE_NAMES
from tests.servers.waiting import eventually
from tests.support.installations import Installation

CAREROUTE = (sys.executable, "-m", "cli")
ALL_LANES = ",".join(LANE_NAMES)
NONE: Mapping[str, str] = MappingProxyType({})
_GIVE_UP_SECONDS = 60.0
_PATIENCE = 3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Running:
    """A context manager: no process is running at first, and none is left after.

    `settings` are environment variables without their prefix. The processes die with the thread that starts them.
    """

    installation: Installation
    broker_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _processes: dict[str, Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            processes.stop(process, grace=_GIVE_UP_SECONDS, first=signal.SIGKILL)
        if error is not None:
            error.add_note(self.ends_of_logs())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mailbox(self) -> Path:
        return self.installation.folder / "mailbox"

    @property
    def logs(self) -> Path:
        return self.installation.folder / "logs"

    @property
    def environment(self) -> dict[str, str]:
        """What every process gets, and a `careroute` command over the same installation needs."""
        found = {
            "DATA_DIR": str(self.installation.folder),
            "KEYS_DIR": str(self.installation.keys_dir),
            "DATABASE_URL": self.installation.database_url,
            "BROKER_URL": self.broker_url,
            "PORT": str(self.port),
            "POLL_SECONDS": "0.5",
            "SWEEP_SECONDS": "1",
            **self.settings,
        }
        return {f"{PREFIX}{name}": value for name, value in found.items() if value}

    def start(
        self, name: str, *arguments: str, program: Sequence[str] = CAREROUTE, settings: Mapping[str, str] = NONE
    ) -> Popen[bytes]:
        """Start `careroute` with `arguments` as the process `name`, whose log goes on where an earlier one's ended.

        `program` stands for it; `settings` are this process's own, beside everyone's.
        """
        own = {f"{PREFIX}{name}": value for name, value in settings.items()}
        environment = {**self.environment, **own}
        process = processes.spawn((*program, *arguments), log=self.logs / f"{name}.log", environment=environment)
        self._processes[name] = process
        return process

    def start_web(self) -> None:
        """Start the web process and wait until it serves."""
        self.start("web", "web")
        self.wait_for_web()

    def wait_for_web(self) -> None:
        with self.client() as client:
            assert within(lambda: _serves(client)), "the web process does not serve"

    def start_worker(self, name: str = "worker", lanes: str = ALL_LANES) -> None:
        self.start(name, "worker", "--lanes", lanes)

    def start_beat(self) -> None:
        self.start("beat", "beat")

    def client(self) -> httpx.Client:
        """Its time-out is longer than SQLite waits for a writer that is stopped."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=False)  # noqa: S501 - no TLS here

    def kill(self, name: str) -> None:
        """SIGKILL, with whatever it is doing."""
        processes.stop(self._processes[name], grace=_GIVE_UP_SECONDS, first=signal.SIGKILL)

    def terminate(self, name: str) -> int:
        """SIGTERM, and wait: its exit status. A process that does not end is an AssertionError."""
        process = self._processes[name]
        process.terminate()
        try:
            return process.wait(_GIVE_UP_SECONDS)
        except TimeoutExpired:
            raise AssertionError(f"{name} does not end after SIGTERM") from None

    def terminate_web(self) -> None:
        """SIGTERM, which the server lets take effect once it has finished what it had to."""
        assert self.terminate("web") in {0, -signal.SIGTERM}
        assert "Application shutdown complete" in self.log_text("web")

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def ended(self, name: str) -> int | None:
        """How the process ended, as `Popen.returncode`; None while it runs."""
        return self._processes[name].poll()

    def wait(self, name: str) -> int:
        """Until the process, killed or asked to end before, is gone: its exit status."""
        return self._processes[name].wait(_GIVE_UP_SECONDS)

    def ask_to_end(self, name: str) -> None:
        """SIGTERM, without waiting."""
        self._processes[name].terminate()

    def freeze(self, name: str) -> None:
        """Stop a process where it is, as a machine that swaps or a paused container would; waits until it stands."""
        process = self._processes[name]
        process.send_signal(signal.SIGSTOP)  # which also notices when it has ended by itself
        assert process.returncode is None, f"{name} {processes.describe_end(process.returncode)}"
        os.waitpid(process.pid, os.WUNTRACED)

    def thaw(self, name: str) -> None:
        """Let it go on as if nothing had happened."""
        self._processes[name].send_signal(signal.SIGCONT)

    def left_over(self) -> set[int]:
        """The ids of processes that ours have started and that are still there, by their sessions."""
        sessions = {process.pid for process in self._processes.values()}
        found = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # After the name, which may hold anything but is the last thing in parentheses: state, parent, …
                session = int(stat.read_text().rpartition(")")[2].split()[3])
                found |= {int(stat.parent.name)} if session in sessions else set()
        return found

    def log_text(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def ends_of_logs(self) -> str:
        return "\n".join(f"{name}.log ends:\n{processes.tail(self.logs / f'{name}.log')}" for name in self._processes)


def within(condition: Callable[[], bool]) -> bool:
    """`eventually` for what takes a machine under load longer: several processes starting, leases running out."""
    return any(eventually(condition) for _ in range(_PATIENCE))


def _serves(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False
