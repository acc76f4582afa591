"""The sides: how each keeps a submission, is loaded while it rests, and is told to go."""

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import redis
from sqlalchemy import delete

from bench import people
from bench.doors import (
    CAREROUTE,
    LIMIT,
    TEXTBOOK,
    TUNED,
    CarerouteDoor,
    CeleryDoor,
    Door,
    UnqueuedDoor,
    arrival,
    textbook_door,
    tuned_door,
)
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from embedded import processes
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.accept import VALIDATE_LANE, Arrival, accept
from pipeline.models import LanePause

WORKERS = 2
GIVE_UP_SECONDS = 120.0

_LOADING_THREADS = 4
_STOP_SECONDS = 10.0


class Side(ABC):
    """One side over a database of its own, with this process as the one that takes submissions in."""

    name: ClassVar[str]
    worker: ClassVar[tuple[str, ...]]
    """Module and arguments of the program that is one worker."""

    def __init__(self, context: Context, environment: Mapping[str, str], laboratory: Laboratory) -> None:
        self.context = context
        self.environment = environment
        self._laboratory = laboratory
        self.door = self.open_door()
        self.taken_in = 0
        self.skipped = 0
        """Numbers among those `taken_in` that were not sent in the end."""

    @abstractmethod
    def open_door(self) -> Door:
        """Where submissions come in."""

    @abstractmethod
    def keep_at_rest(self, arrival: Arrival) -> None:
        """Keep one submission that is not worked on before `go`."""

    @abstractmethod
    def rest(self) -> None:
        """From now on `keep_at_rest` is used."""

    @abstractmethod
    def go(self) -> None:
        """Let the workers begin with what was kept at rest."""

    @property
    def whole_environment(self) -> dict[str, str]:
        """Of a process of this side, with what this process was started with."""
        return {**os.environ, **self.environment}

    @property
    def log(self) -> Path:
        """Where all processes of this side write."""
        return self._laboratory.folder / f"{self.context.database.url.rpartition('/')[2]}.log"

    def take_in_next(self) -> None:
        self.door.take_in(self.next_arrival())

    def load(self, count: int) -> None:
        """Keep `count` submissions at rest, each in a transaction of its own."""
        self.rest()
        with ThreadPoolExecutor(_LOADING_THREADS) as pool:
            list(pool.map(self.keep_at_rest, [self.next_arrival() for _ in range(count)]))

    @property
    def due(self) -> int:
        """How many emails will have been handed over when all is done."""
        return (self.taken_in - self.skipped) * people.EMAILS_PER_PERSON

    def handed_over(self) -> int:
        with self.context.database.read() as connection:
            statement = "SELECT /* bench */ count(*) FROM email WHERE status = 'handed_over'"
            return int(connection.exec_driver_sql(statement).scalar_one())

    @contextmanager
    def workers(self) -> Iterator["Workers"]:
        """The worker processes, connected and waiting for work."""
        logs = self.log
        started = []
        try:
            for _ in range(WORKERS):
                command = (sys.executable, "-m", *self.worker)
                started.append(processes.spawn(command, log=logs, environment=self.environment))

            def check() -> None:
                ends = [process.poll() for process in started]
                if any(end is not None for end in ends):
                    raise give_up("a worker ended by itself")

            def give_up(what: str) -> BenchFailed:
                return BenchFailed(f"{self.name}: {what}. The end of the workers' log:\n{processes.tail(logs)}")

            workers = Workers(self, check, give_up, [process.pid for process in started])
            with self._laboratory.broker() as client:
                workers.wait(lambda: consumers(client) >= WORKERS, "the workers did not connect to the broker")
            yield workers
        finally:
            for process in started:  # all of them at once: they take their time
                process.terminate()
            for process in started:
                processes.stop(process, grace=_STOP_SECONDS)

    def next_arrival(self) -> Arrival:
        """Of the next person, to be taken in."""
        self.taken_in += 1
        return arrival(self.taken_in)


class Workers:
    """Running workers, and waiting for what they do."""

    def __init__(
        self,
        side: Side,
        check: Callable[[], None],
        give_up: Callable[[str], BenchFailed],
        pids: Sequence[int] = (),
    ) -> None:
        """`check` raises `BenchFailed` when a worker has ended."""
        self._side = side
        self.check = check
        self._give_up = give_up
        self.pids = pids

    def wait(self, condition: Callable[[], bool], otherwise: str, every: float = 0.05) -> None:
        """Raises `BenchFailed` when a worker ends, or the condition does not come true for a long time."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise self._give_up(otherwise)
            time.sleep(every)

    def finish(self, every: float = 0.25) -> None:
        """Wait until every email that is due has been handed over."""
        self.wait(lambda: self._side.handed_over() >= self._side.due, "not every email was handed over", every)


class Careroute(Side):
    """Job rows, claimed in batches; the broker only carries wake-ups. Both workers serve every lane, the log's too."""

    name = CAREROUTE
    worker: ClassVar[tuple[str, ...]] = ("cli", "worker")
    door: CarerouteDoor

    def open_door(self) -> Door:
        return CarerouteDoor(self.context)

    def keep_at_rest(self, arrival: Arrival) -> None:
        accept(self.context, arrival, lambda _lane: None)

    def rest(self) -> None:
        with self.context.database.write() as connection:
            pause = {"lane": VALIDATE_LANE, "reason": "loading", "since": utc_now()}
            connection.execute(LanePause.table().insert(), pause)

    def go(self) -> None:
        with self.context.database.write() as connection:
            connection.execute(delete(LanePause))
        self.door.waker(VALIDATE_LANE)


class CelerySide(Side):
    """The broker carries the work."""

    door: CeleryDoor

    def keep_at_rest(self, arrival: Arrival) -> None:
        self.door.keep_at_rest(arrival)

    def rest(self) -> None:
        """Nothing to do: messages at rest are put into a queue that nobody consumes."""

    def go(self) -> None:
        # A queue is a Redis list: under the consumers' name all of it is there at once.
        with self._laboratory.broker() as client:
            client.rename(self.door.AT_REST, self.door.queue)


class Textbook(CelerySide):
    """A Celery task per step and per email."""

    name = TEXTBOOK
    worker = ("bench.textbook.worker",)

    def open_door(self) -> Door:
        return textbook_door(self.context)


class Tuned(CelerySide):
    """A Celery task per submission."""

    name = TUNED
    worker = ("bench.tuned.worker",)

    def open_door(self) -> Door:
        return tuned_door(self.context)


class Limit(Side):
    """The same stages in batches with no queue at all: each of two processes walks over its half of what was kept."""

    name = LIMIT
    worker = ("bench.limit",)
    door: UnqueuedDoor

    def open_door(self) -> Door:
        return UnqueuedDoor(self.context)

    def keep_at_rest(self, arrival: Arrival) -> None:
        self.door.keep(arrival)

    def rest(self) -> None:
        """Nothing to do: nobody looks for what was kept before being told."""

    def go(self) -> None:
        self.door.begin_walks(WORKERS)


SIDES: tuple[type[Side], ...] = (Careroute, Tuned, Textbook)
"""Those that take submissions in one by one, and so have a time to the confirmation."""


@contextmanager
def fresh_side(kind: type[Side], laboratory: Laboratory) -> Iterator[Side]:
    """One side over an empty database and an empty broker."""
    with laboratory.fresh(kind.name) as (context, environment):
        side = kind(context, environment, laboratory)
        try:
            yield side
        finally:
            side.door.close()


def consumers(client: redis.Redis) -> int:
    """How many workers wait for a message just now."""
    return sum(entry["cmd"] == "brpop" for entry in client.client_list())
