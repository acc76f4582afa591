"""Wake-ups: after a commit, off the request path, tell the broker that a lane has work.

At most one message a lane is under way: a Redis key with an expiry stands for it, which the drain deletes before its
first claim. Nothing here may fail a caller: a wake-up that does not get through costs the seconds until the next poll.
"""

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from config.celeryconfig import DRAIN_TASK
from config.remote import read_broker
from pipeline.failpoints import Failpoint, reach

log = structlog.get_logger(__name__)

KEY_SECONDS = 10
REST_SECONDS = 0.02
"""Between two wake-ups of a lane by one process: under load one stands for all that came meanwhile."""
QUIET_SECONDS = 2.0
SOCKET_SECONDS = 2.0
_STOP = ""


class Waker:
    """Called with a lane's name, from any thread; a thread of its own does the talking."""

    def __init__(self, app: Celery, broker_url: str) -> None:
        self._app = app
        self._redis = redis_client(broker_url)
        self._lanes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._failed_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="wake", daemon=True)
        self._thread.start()

    def __call__(self, lane: str) -> None:
        with self._lock:
            if lane in self._waiting:
                return
            self._waiting.add(lane)
        self._lanes.put(lane)

    def woken(self, lane: str) -> None:
        """The lane's message has arrived: from now on a new one is needed."""
        if self._redis is not None:
            self._try(partial(self._redis.delete, _key(lane)))

    def close(self) -> None:
        """Send what is waiting, and stop."""
        self._lanes.put(_STOP)
        self._thread.join(SOCKET_SECONDS * 2)

    def _run(self) -> None:
        rests_until: dict[str, float] = {}
        while (lane := self._lanes.get()) != _STOP:
            time.sleep(max(0.0, rests_until.get(lane, 0.0) - time.monotonic()))
            with self._lock:
                self._waiting.discard(lane)
            self._try(partial(self._send, lane))
            rests_until[lane] = time.monotonic() + REST_SECONDS

    def _send(self, lane: str) -> None:
        if self._redis is not None and not self._redis.set(_key(lane), 1, nx=True, ex=KEY_SECONDS):
            return
        reach(Failpoint.WAKE_AFTER_KEY, lane)
        self._app.send_task(DRAIN_TASK, args=(lane,), queue=lane, ignore_result=True, retry=False)

    def _try(self, act: Callable[[], object]) -> None:
        """Talk to the broker unless it failed a moment ago: each failure may cost a time-out."""
        if time.monotonic() - self._failed_at < QUIET_SECONDS:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a lost wake-up is harmless by design
            self._failed_at = time.monotonic()
            log.warning("broker unavailable", error=type(error).__name__)


def redis_client(broker_url: str) -> Redis | None:
    """A client for a Redis broker; `None` for another kind, which then gets a message for every wake-up."""
    broker = read_broker(broker_url)
    parts = urlsplit(broker.url)
    options: dict[str, Any] = {
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": SOCKET_SECONDS,
        "retry": Retry(NoBackoff(), 1),
    }
    if parts.scheme in {"redis", "rediss"}:
        return Redis.from_url(broker.url, **(broker.tls or {}), **options)
    if parts.scheme == "redis+socket":
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0].strip("/") or 0)
        return Redis(unix_socket_path=parts.path, db=database, **options)
    return None


def broker_answers(broker_url: str) -> bool:
    """Whether a Redis broker answers; `True` for other kinds, which are not asked."""
    client = redis_client(broker_url)
    if client is None:
        return True
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def _key(lane: str) -> str:
    return f"careroute:wake:{lane}"
