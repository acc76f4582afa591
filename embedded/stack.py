"""Everything one machine needs: broker, schema, workers, clock and web, in this order, and stopped in the reverse.

The processes are the same commands that production runs (`careroute web`, `worker`, `beat`, `migrate`); only the
broker is ours, and only as long as no other one is configured.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from embedded import processes
from embedded.failures import StackFailed
from embedded.supervisor import Child, Supervisor
from embedded.valkey import EmbeddedBroker

CAREROUTE: tuple[str, ...] = (sys.executable, "-m", "cli")
WORKERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"worker-pipeline": ("--lanes", "validate,score,refer,receipts,sequence"), "worker-email": ("--lanes", "email")}
)
"""In the order in which they start. The last to stop signs for what all of them recorded."""

ERASED_AGAIN = "erased again"
"""What `careroute migrate` says of a restored backup: whoever starts everything must see it."""


class EmbeddedStack:
    """A context manager: ready to serve inside, everything stopped after.

    Besides StackFailed, entering raises `BrokerFailed` and `SupervisorFailed`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int,
        broker_url: str | None = None,
        workers: Mapping[str, Sequence[str]] = WORKERS,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = CAREROUTE,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`broker_url` is a configured broker; None starts our own. `environment` is added to ours for every process.

        `workers` gives a name and the `careroute worker` arguments of each. `report` gets one line per event.
        """
        self.data_dir = data_dir.resolve()
        self._port = port
        self._workers = workers
        self._command = tuple(command)
        self._broker = None if broker_url else EmbeddedBroker(self.data_dir)
        self.environment: Mapping[str, str] = {
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
            "CAREROUTE_DATA_DIR": str(self.data_dir),
            "CAREROUTE_PORT": str(port),
            "CAREROUTE_BROKER_URL": self._broker.celery_url if self._broker else broker_url or "",
        }
        self._report = report
        self.supervisor = Supervisor(self.data_dir / "logs", report=report)

    @property
    def url(self) -> str:
        """Where the web process listens."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        _require_free(self._port)
        with contextlib.ExitStack() as undo:
            if self._broker:
                self._broker.claim()
                undo.callback(self._broker.release)
            undo.enter_context(self.supervisor)
            if self._broker:
                self.supervisor.start(Child("broker", self._broker.argv))
                self.supervisor.wait_until_ready("broker", self._broker.answers)
            self._migrate()
            for name, arguments in self._workers.items():
                self._start(name, "worker", *arguments)
            self._start("beat", "beat")
            self._start("web", "web")
            self.supervisor.wait_until_ready("web", f"{self.url}/readyz", seconds=60)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def check(self) -> None:
        """Raise SupervisorFailed if a process cannot be kept running."""
        self.supervisor.check()

    def wait(self) -> None:
        """Serve until Ctrl-C (KeyboardInterrupt) or until a process cannot be kept running (SupervisorFailed)."""
        self.supervisor.wait()

    def _start(self, name: str, *arguments: str) -> None:
        self.supervisor.start(Child(name, (*self._command, *arguments), self.environment))

    def _migrate(self) -> None:
        log = self.supervisor.log("migrate")
        log.unlink(missing_ok=True)  # so that a failure shows this run only
        process = processes.spawn((*self._command, "migrate"), log=log, environment=self.environment)
        try:
            status = process.wait()
        finally:
            processes.kill_group(process)
        told = processes.tail(log)
        if status != 0:
            raise StackFailed(f"The database could not be prepared. The end of {log}:\n{told}")
        for line in told.splitlines():
            if ERASED_AGAIN in line:
                self._report(line.strip())


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise StackFailed(f"Port {port} cannot be used: {reason}. Set CAREROUTE_PORT.") from None
