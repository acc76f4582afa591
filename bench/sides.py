"""The two sides: how each keeps a submission, is loaded while it rests, and is told to go."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar

import redis
from sqlalchemy import delete

from bench import people
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.textbook import app as textbook
from bench.textbook import intake
from embedded import processes
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.accept import VALIDATE_LANE, Arrival, accept
from pipeline.models import LanePause
from tasks.app import create_app
from tasks.wake import Waker

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
        self._environment = environment
        self._laboratory = laboratory
        self.taken_in = 0

    @abstractmethod
    def take_in(self, arrival: Arrival) -> None:
        """Keep one submission, and say so: from here it is worked on."""

    @abstractmethod
    def keep_at_rest(self, arrival: Arrival) -> None:
        """Keep one submission that is not worked on before `go`."""

    @abstractmethod
    def rest(self) -> None:
        """From now on `keep_at_rest` is used."""

    @abstractmethod
    def go(self) -> None:
        """Let the workers begin with what was kept at rest."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the broker."""

    def take_in_next(self) -> None:
        self.take_in(self._next())

    def load(self, count: int) -> None:
        """Keep `count` submissions at rest, each in a transaction of its own."""
        self.rest()
        with ThreadPoolExecutor(_LOADING_THREADS) as pool:
            list(pool.map(self.keep_at_rest, [self._next() for _ in range(count)]))

    @property
    def due(self) -> int:
        """How many emails will have been handed over when all is done."""
        return self.taken_in * people.EMAILS_PER_PERSON

    def handed_over(self) -> int:
        with self.context.database.read() as connection:
            statement = "SELECT /* bench */ count(*) FROM email WHERE status = 'handed_over'"
            return int(connection.exec_driver_sql(statement).scalar_one())

    @contextmanager
    def workers(self) -> Iterator["Workers"]:
        """The worker processes, connected and waiting for work."""
        logs = self._laboratory.folder / f"{self.context.database.url.rpartition('/')[2]}.log"
        started = []
        try:
            for _ in range(WORKERS):
                command = (sys.executable, "-m", *self.worker)
                started.append(processes.spawn(command, log=logs, environment=self._environment))

            def check() -> None:
                ends = [process.poll() for process in started]
                if any(end is not None for end in ends):
                    raise give_up("a worker ended by itself")

            def give_up(what: str) -> BenchFailed:
                return BenchFailed(f"{self.name}: {what}. The end of the workers' log:\n{processes.tail(logs)}")

            workers = Workers(self, check, give_up)
            with self._laboratory.broker() as client:
                workers.wait(lambda: _consumers(client) >= WORKERS, "the workers did not connect to the broker")
            yield workers
        finally:
            for process in started:
                processes.stop(process, grace=_STOP_SECONDS)

    def _next(self) -> Arrival:
        self.taken_in += 1
        number = self.taken_in
        return Arrival(people.SOURCE, people.body(number), vendor_id=f"person-{number}")


class Workers:
    """Running workers, and waiting for what they do."""

    def __init__(self, side: Side, check: Callable[[], None], give_up: Callable[[str], BenchFailed]) -> None:
        self._side = side
        self._check = check
        self._give_up = give_up

    def wait(self, condition: Callable[[], bool], otherwise: str, every: float = 0.05) -> None:
        """Raises `BenchFailed` when a worker ends, or the condition does not come true for a long time."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            self._check()
            if time.monotonic() > deadline:
                raise self._give_up(otherwise)
            time.sleep(every)

    def finish(self, every: float = 0.25) -> None:
        """Wait until every email that is due has been handed over."""
        self.wait(lambda: self._side.handed_over() >= self._side.due, "not every email was handed over", every)


class Careroute(Side):
    """Job rows, claimed in batches; the broker only carries wake-ups."""

    name = "careroute"
    worker: ClassVar[tuple[str, ...]] = ("cli", "worker")

    def __init__(self, context: Context, environment: Mapping[str, str], laboratory: Laboratory) -> None:
        super().__init__(context, environment, laboratory)
        broker_url = laboratory.redis.celery_url
        self._waker = Waker(create_app(context.settings, broker_url), broker_url)

    def take_in(self, arrival: Arrival) -> None:
        accept(self.context, arrival, self._waker)

    def keep_at_rest(self, arrival: Arrival) -> None:
        accept(self.context, arrival, lambda _lane: None)

    def rest(self) -> None:
        with self.context.database.write() as connection:
            pause = {"lane": VALIDATE_LANE, "reason": "loading", "since": utc_now()}
            connection.execute(LanePause.table().insert(), pause)

    def go(self) -> None:
        with self.context.database.write() as connection:
            connection.execute(delete(LanePause))
        self._waker(VALIDATE_LANE)

    def close(self) -> None:
        self._waker.close()


class Textbook(Side):
    """A Celery task per step and per email."""

    name = "textbook"
    worker = ("bench.textbook.worker",)

    _AT_REST = "at-rest"

    def __init__(self, context: Context, environment: Mapping[str, str], laboratory: Laboratory) -> None:
        super().__init__(context, environment, laboratory)
        self._app = textbook.create_app(laboratory.redis.celery_url)

    def take_in(self, arrival: Arrival) -> None:
        textbook.start(self._app, intake.accept(self.context, arrival))

    def keep_at_rest(self, arrival: Arrival) -> None:
        textbook.start(self._app, intake.accept(self.context, arrival), self._AT_REST)

    def rest(self) -> None:
        """Nothing to do: messages at rest are put into a queue that nobody consumes."""

    def go(self) -> None:
        # A queue is a Redis list: under the consumers' name all of it is there at once.
        with self._laboratory.broker() as client:
            client.rename(self._AT_REST, textbook.QUEUE)

    def close(self) -> None:
        self._app.close()


SIDES: tuple[type[Side], ...] = (Careroute, Textbook)


@contextmanager
def fresh_side(kind: type[Side], laboratory: Laboratory) -> Iterator[Side]:
    """One side over an empty database and an empty broker."""
    with laboratory.fresh(kind.name) as (context, environment):
        side = kind(context, environment, laboratory)
        try:
            yield side
        finally:
            side.close()


def _consumers(client: redis.Redis) -> int:
    """How many workers wait for a message just now."""
    return sum(entry["cmd"] == "brpop" for entry in client.client_list())
