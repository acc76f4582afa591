"""How each side takes a submission in: kept in one durable transaction, and then said so to the workers."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from celery import Celery
from redis import Redis
from sqlalchemy import delete

from bench import people
from bench.failure import BenchFailed
from bench.textbook import app as textbook
from bench.textbook import intake
from bench.tuned import app as tuned
from pipeline.context import Context
from pipeline.intake.accept import Arrival, accept
from pipeline.models import Job
from tasks.app import create_app
from tasks.wake import Waker, redis_client

CAREROUTE, TUNED, TEXTBOOK, LIMIT = "careroute", "tuned", "textbook", "no queue"


def broker_client(broker_url: str) -> Redis:
    client = redis_client(broker_url)
    if client is None:
        raise BenchFailed("the broker is not a Redis")
    return client


def arrival(number: int) -> Arrival:
    """What person `number` sends."""
    return Arrival(people.SOURCE, people.body(number), vendor_id=f"person-{number}")


class Door(ABC):
    """Where submissions come in, from any thread."""

    @abstractmethod
    def take_in(self, arrival: Arrival) -> None:
        """Keep one submission, and say so: from here it is worked on."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the broker."""


class CarerouteDoor(Door):
    def __init__(self, context: Context) -> None:
        self._context = context
        broker_url = context.settings.broker_url
        self.waker = Waker(create_app(context.settings, broker_url), broker_url)

    def take_in(self, arrival: Arrival) -> None:
        accept(self._context, arrival, self.waker)

    def close(self) -> None:
        self.waker.close()


class CeleryDoor(Door):
    """`AT_REST` is a queue that nobody consumes."""

    AT_REST: ClassVar[str] = "at-rest"

    def __init__(
        self,
        context: Context,
        create: Callable[[str], Celery],
        start: Callable[[Celery, uuid.UUID, str], None],
        queue: str,
    ) -> None:
        self._context = context
        self._app = create(context.settings.broker_url)
        self._start = start
        self.queue = queue

    def take_in(self, arrival: Arrival) -> None:
        self._start(self._app, intake.accept(self._context, arrival), self.queue)

    def keep_at_rest(self, arrival: Arrival) -> None:
        self._start(self._app, intake.accept(self._context, arrival), self.AT_REST)

    def close(self) -> None:
        self._app.close()


class UnqueuedDoor(Door):
    """Keeps submissions without a job. Workers are told to begin, and nothing else, over a list in Redis."""

    SIGNAL: ClassVar[str] = "walks"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._redis = broker_client(context.settings.broker_url)

    def keep(self, arrival: Arrival) -> None:
        """As Careroute does, less the job."""
        accept(self._context, arrival, lambda _lane: None)

    def take_in(self, arrival: Arrival) -> None:
        self.keep(arrival)
        self.begin_walks(1)

    def begin_walks(self, walks: int) -> None:
        """Let so many workers each walk over its part of what is there."""
        with self._context.database.write() as connection:
            connection.execute(delete(Job))
        self._redis.lpush(self.SIGNAL, *(f"{part}/{walks}" for part in range(walks)))

    def close(self) -> None:
        self._redis.close()


def textbook_door(context: Context) -> CeleryDoor:
    return CeleryDoor(context, textbook.create_app, textbook.start, textbook.QUEUE)


def tuned_door(context: Context) -> CeleryDoor:
    return CeleryDoor(context, tuned.create_app, tuned.start, tuned.QUEUE)


DOORS: dict[str, Callable[[Context], Door]] = {
    CAREROUTE: CarerouteDoor,
    TUNED: tuned_door,
    TEXTBOOK: textbook_door,
}
