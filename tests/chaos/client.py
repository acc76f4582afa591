"""Senders as they are: they send when people press a button, to any web process, again until they are answered.

A sender that is told to wait waits so long. What was answered 2xx is what the system has promised to keep.
"""

import heapq
import itertools
import queue
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from tests.chaos.arrivals import Arrival, Door, Sort

_TIMEOUT_SECONDS = 8.0
_LONGEST_PAUSE_SECONDS = 5.0
_REPEATED = 0.02
"""The share that is sent once more after it was answered, as vendors do."""
_REFERENCE = re.compile(r"CR-\w{4}-\w{4}")


@dataclass(frozen=True, slots=True)
class Try:
    """When it was sent (Unix time), and what came: a status, or the name of an error."""

    at: float
    what: str


@dataclass(slots=True)
class Sent:
    """One arrival and its answers. `ids` and `references` have one member if the system keeps its word."""

    arrival: Arrival
    ids: set[UUID] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    refused: int | None = None
    tries: list[Try] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        return bool(self.ids or self.references)

    @property
    def may_have_left(self) -> int:
        """How many submissions may have been kept of which it never heard."""
        unheard = sum(not each.what.isdigit() or each.what >= "500" for each in self.tries)
        if self.arrival.sort is Sort.UNREADABLE:
            return unheard  # nothing in it by which a repeat could be recognised
        return 0 if self.is_accepted or self.refused else min(unheard, 1)


class Client:
    """Sends from threads of its own: `rate` arrivals a second on average, none while `is_behind`."""

    def __init__(
        self, urls: Sequence[str], arrivals: Iterator[Arrival], rate: float, is_behind: Callable[[], bool], senders: int
    ) -> None:
        self.sent: list[Sent] = []
        self.held_back_seconds = 0.0
        self._urls = urls
        self._arrivals = arrivals
        self._rate = rate
        self._is_behind = is_behind
        self._chance = random.Random(0)
        self._ready: queue.SimpleQueue[Sent | None] = queue.SimpleQueue()
        self._later: list[tuple[float, int, Sent]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._open = 0
        self._offering = threading.Event()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]
        self._threads.append(threading.Thread(target=self._dispatch, daemon=True))

    def start(self) -> None:
        self._offering.set()
        for thread in self._threads:
            thread.start()

    def stop_offering(self) -> None:
        """No new arrivals; those that were not answered yet are sent on."""
        self._offering.clear()

    @property
    def waiting(self) -> int:
        """How many are not answered yet."""
        with self._lock:
            return self._open

    def close(self) -> None:
        """Give up what is not answered yet."""
        self._ending.set()
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _dispatch(self) -> None:
        next_at = time.monotonic()
        while not self._ending.wait(0.02):
            now = time.monotonic()
            with self._lock:
                while self._later and self._later[0][0] <= now:
                    self._ready.put(heapq.heappop(self._later)[2])
            if not self._offering.is_set():
                continue
            if self._is_behind():
                self.held_back_seconds += max(0.0, now - next_at)
                next_at = now
                continue
            while next_at <= now:
                self._offer(next(self._arrivals))
                next_at += self._chance.expovariate(self._rate)

    def _offer(self, arrival: Arrival) -> None:
        sent = Sent(arrival)
        with self._lock:
            self.sent.append(sent)
            self._open += 1
        self._ready.put(sent)

    def _send(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while (sent := self._ready.get()) is not None:
                first = not sent.is_accepted
                wait = self._try(client, sent)
                again = wait is None and first and sent.is_accepted and self._chance.random() < _REPEATED
                with self._lock:
                    if wait is not None and not self._ending.is_set():
                        heapq.heappush(self._later, (time.monotonic() + wait, next(self._numbers), sent))
                    elif again:
                        heapq.heappush(self._later, (time.monotonic() + 3.0, next(self._numbers), sent))
                    else:
                        self._open -= 1

    def _try(self, client: httpx.Client, sent: Sent) -> float | None:
        """Send it once: how long to wait before it is sent again, None if it was answered for good."""
        base, at = self._chance.choice(self._urls), time.time()
        request = sent.arrival.request()
        try:
            answer = client.post(base + request.path, content=request.body, headers=dict(request.headers))
        except httpx.HTTPError as error:
            sent.tries.append(Try(at, type(error).__name__))
            # A sender that is not answered comes again soon, then later.
            return min(_LONGEST_PAUSE_SECONDS, 0.3 * 2.0 ** len(sent.tries)) * self._chance.uniform(0.5, 1.0)
        sent.tries.append(Try(at, str(answer.status_code)))
        if answer.status_code == 429 or answer.status_code >= 500:
            told = answer.headers.get("retry-after", "")
            return float(told) if told.isdigit() else self._chance.uniform(0.2, _LONGEST_PAUSE_SECONDS)
        self._note(sent, answer)
        return None

    @staticmethod
    def _note(sent: Sent, answer: httpx.Response) -> None:
        if not answer.is_success:
            sent.refused = answer.status_code
        elif sent.arrival.door is Door.FORM:
            sent.references |= set(_REFERENCE.findall(answer.text)) or {"none in the page"}
        else:
            sent.ids.add(UUID(answer.json()["id"]))
