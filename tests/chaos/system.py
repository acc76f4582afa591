"""The servers and processes of one run, on free ports and private sockets, and what can be done to them."""

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from config.providers import Capacity, ProviderDocument
from embedded import processes
from pipeline.keys import create_keysets
from pipeline.lane_names import LANE_NAMES, SEQUENCE_LANE
from tests.chaos import mail_provider
from tests.chaos.plan import BEAT, LEASE_SECONDS, SEQUENCERS, WEBS, WORKERS
from tests.chaos.shifted import set_shift
from tests.config.shipped import KEY, SECRET
from tests.end_to_end.running import ALL_LANES, Running, free_port, within
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.sendgrid import API_KEY, CONTROL
from tests.servers.waiting import eventually
from tests.support.installations import Installation, prepare
from tests.support.networks import fitting

_WITHOUT_LOG = ",".join(lane for lane in LANE_NAMES if lane != SEQUENCE_LANE)
_SHIFTED = (sys.executable, "-m", "tests.chaos.shifted")
_TAKES_WHO_SUFFERS = {"question": "severity", "at_least": 1}

SETTINGS = {
    # No email is begun unless the lease outlasts its calls: time-out * rounds of calls + 5 seconds + room.
    "MAIL_TIMEOUT_SECONDS": "0.5",
    "MAIL_TRANSPORT": "sendgrid",
    "MAIL_CONCURRENCY": "8",
    "MAIL_HOLD_MINUTES": "0.2",
    "SENDGRID_API_KEY": API_KEY,
    "SOURCE_NETWORK_SITE_KEY": KEY,
    "SOURCE_WEBFLOW_SITE_SECRET": SECRET,
    "RATE_LIMIT_PER_MINUTE": "1000000",
    "CHECKPOINT_SECONDS": "5",
    "POLL_SECONDS": "1",
    "SWEEP_SECONDS": "2",
}
_AMPLE = {"max_open": 1_000_000, "max_per_day": 1_000_000}
_CAPACITIES: Mapping[str, dict[str, int]] = {
    # Those with little room come first with everyone, so that it is what decides.
    "few-open": {"max_open": 8, "max_per_day": 1_000_000},
    "few-a-day": {"max_open": 1_000_000, "max_per_day": 60},
    "few-a-week": {"max_open": 40, "max_per_day": 1_000_000, "max_per_week": 150},
    "ample-1": _AMPLE,
    "ample-2": _AMPLE,
    "ample-3": _AMPLE,
    "ample-4": _AMPLE,
}


def network() -> tuple[ProviderDocument, ...]:
    """Providers that fit everyone who suffers, some with so little room that it runs out."""
    return tuple(
        fitting(
            name,
            preference=preference,
            require=_TAKES_WHO_SUFFERS,
            contact={"name": "Desk", "email": f"desk@{name}.example"},
            capacity=capacity,
        )
        for preference, (name, capacity) in enumerate(_CAPACITIES.items(), start=1)
    )


@dataclass(frozen=True, slots=True)
class Cast:
    """Which processes run, beside beat. `sequencers` are the workers that serve the lane `sequence` too.

    Those that are `away` at first are started when their first fault, death at a failpoint, is due.
    """

    webs: tuple[str, ...] = WEBS
    workers: tuple[str, ...] = WORKERS
    sequencers: tuple[str, ...] = SEQUENCERS
    away: tuple[str, ...] = ()
    lease_seconds: float = LEASE_SECONDS


WHOLE_CAST = Cast()


class System:
    """A context manager: everything runs inside, nothing is left after. `folder` keeps the logs."""

    def __init__(self, folder: Path, cast: Cast = WHOLE_CAST) -> None:
        self.folder = folder
        self.cast = cast
        self.ports = {name: free_port() for name in cast.webs}
        self.postgres = PostgresServer(settings={"track_commit_timestamp": "on", "max_connections": "100"})
        self.redis = RedisServer()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._ending.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def _start(self) -> None:
        self._ending.enter_context(self.postgres)
        self._ending.enter_context(self.redis)
        keys_dir = self.folder / "keys"
        create_keysets(keys_dir)
        url = self.postgres.create_database("careroute")
        prepare(url, keys_dir, network())
        self.installation = Installation(self.folder, keys_dir, url)
        self._ending.callback(self.installation.close)
        self._mail = self._start_mail_provider()
        self._ending.callback(lambda: processes.stop(self._mail, grace=5))
        self.running = self._ending.enter_context(
            Running(self.installation, self.redis.celery_url, self._settings(), next(iter(self.ports.values())))
        )
        present = [name for name in self.cast.workers if name not in self.cast.away]
        for name in (*self.cast.webs, *present, BEAT):
            self.start(name)
        with httpx.Client(timeout=5, trust_env=False) as client:
            assert within(lambda: all(_is_well(client, url) for url in self.urls)), "the web processes do not serve"
        assert within(lambda: self.redis.waiting_for_messages() == len(present)), "the workers do not listen"

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"http://127.0.0.1:{port}" for port in self.ports.values())

    @property
    def mails(self) -> Path:
        return self.folder / mail_provider.MAILS

    @property
    def told(self) -> Path:
        return self.folder / mail_provider.TOLD

    def start(self, name: str, failpoint: str = "") -> None:
        """Start a web process, worker or beat; with a `failpoint`, to die there."""
        own = {"FAILPOINT": failpoint} if failpoint else {}
        if name in self.cast.webs:
            self.running.start(name, "web", settings={**own, "PORT": str(self.ports[name])})
        elif name == BEAT:
            self.running.start(name, "beat")
        else:
            shift = self.folder / f"{name}.shift"
            if not shift.exists():
                set_shift(shift, 0.0)
            lanes = ALL_LANES if name in self.cast.sequencers else _WITHOUT_LOG
            program = (*_SHIFTED, str(shift))
            self.running.start(name, "worker", "--lanes", lanes, program=program, settings=own)

    def kill(self, name: str) -> None:
        os.kill(self.running.pid(name), signal.SIGKILL)

    def shift_clock(self, name: str, seconds: float) -> None:
        set_shift(self.folder / f"{name}.shift", seconds)

    def order_mail(self, **orders: float) -> Mapping[str, Any]:
        """Tell the mail provider how to behave; how it stands, in figures."""
        answer = httpx.post(self._mail_url + CONTROL, json=orders, timeout=30, trust_env=False)
        found: Mapping[str, Any] = answer.json()
        return found

    def cut_database(self, share: float, chance: random.Random) -> int:
        """End the sessions of a share of those connected; how many."""
        with psycopg.connect(self.database_url, autocommit=True, connect_timeout=5) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = 'careroute' AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            ).fetchall()
            chosen = [pid for (pid,) in rows if chance.random() < share]
            connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [chosen])
        return len(chosen)

    @property
    def database_url(self) -> str:
        """For psycopg."""
        return self.installation.database_url.replace("+psycopg", "")

    def _start_mail_provider(self) -> Popen[bytes]:
        log = self.folder / "mail.log"
        process = processes.spawn(
            (sys.executable, "-m", "tests.chaos.mail_provider", str(self.folder), *self.urls), log=log
        )
        assert eventually(lambda: log.read_text().count("\n") >= 2), processes.tail(log)
        self._mail_url, self._mail_key = log.read_text().splitlines()[:2]
        return process

    def _settings(self) -> dict[str, str]:
        return {
            **SETTINGS,
            "LEASE_SECONDS": str(self.cast.lease_seconds),
            "SENDGRID_HOST": self._mail_url,
            "SENDGRID_EVENT_PUBLIC_KEYS": self._mail_key,
        }


def capacities() -> dict[str, tuple[Capacity, str]]:
    """Each provider's capacity and time zone."""
    return {document.id: (document.capacity, document.time_zone) for document in network()}


def _is_well(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


class Backlog:
    """Whether the system has more to do than it can soon have done, as the database says; asked now and then."""

    def __init__(self, database_url: str, most: int) -> None:
        self._url = database_url
        self._most = most
        self._asked_at = 0.0
        self._is_behind = False
        self.longest = 0

    def is_behind(self) -> bool:
        """Also while nobody can say."""
        if time.monotonic() - self._asked_at > 0.5:
            self._is_behind = self._ask()
            self._asked_at = time.monotonic()
        return self._is_behind

    def _ask(self) -> bool:
        try:
            with closing(psycopg.connect(self._url, connect_timeout=2, autocommit=True)) as connection:
                connection.execute("SET statement_timeout = '2s'")
                row = connection.execute("SELECT count(*) FROM job WHERE lane <> 'refer'").fetchone()
        except psycopg.Error:
            return self._is_behind
        found = int(row[0]) if row else 0
        self.longest = max(self.longest, found)
        return found > self._most
