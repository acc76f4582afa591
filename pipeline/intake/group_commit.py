"""One commit for all that came in while the one before it was under way.

A durable commit waits for the disk, and costs the database and this process about the same for one submission as for
thirty. Nobody waits for others to come: an arrival that finds the writer at rest is committed at once, alone.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from pipeline.intake.accept import Arrival, Outcome

MOST_TOGETHER = 64
"""In one transaction: beyond, the first ones would wait for the last ones for longer than a commit costs."""

_Future = Future[Outcome] | asyncio.Future[Outcome]
_Waiting = tuple[Arrival, _Future]
_Settled = tuple[_Future, Outcome | Exception]


class GroupCommit:
    """Takes arrivals from any thread; a thread of its own keeps them. It begins with the first one."""

    def __init__(self, keep: Callable[[Sequence[Arrival]], Sequence[Outcome | Exception]]) -> None:
        """`keep` answers for each arrival in its place, after the commit, or raises for all of them."""
        self._keep = keep
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._lock = threading.Lock()

    def submit(self, arrival: Arrival) -> Future[Outcome]:
        """What came of the arrival, as soon as it is durable."""
        future: Future[Outcome] = Future()
        self._put(arrival, future)
        return future

    async def kept(self, arrival: Arrival) -> Outcome:
        """As `submit`, without a thread that waits: an event loop is woken once for all that it has in a batch."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._put(arrival, future)
        return await future

    def close(self) -> None:
        """Keep what is waiting, and stop. Nothing may be submitted after."""
        self._waiting.put(None)
        if self._thread.ident:
            self._thread.join()

    def _put(self, arrival: Arrival, future: _Future) -> None:
        self._waiting.put((arrival, future))
        if not self._thread.ident:
            with self._lock:
                if not self._thread.ident:
                    self._thread.start()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, stop = [first], False
            while len(batch) < MOST_TOGETHER and not stop:
                try:
                    another = self._waiting.get_nowait()
                except Empty:
                    break
                if another is None:
                    stop = True
                else:
                    batch.append(another)
            self._keep_batch(batch)
            if stop:
                return

    def _keep_batch(self, batch: Sequence[_Waiting]) -> None:
        # One whose sender has gone before it was begun is not kept: nobody was told that it is.
        wanted = [(arrival, future) for arrival, future in batch if _is_waited_for(future)]
        if not wanted:
            return
        try:
            outcomes = self._keep([arrival for arrival, _ in wanted])
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            outcomes = [error] * len(wanted)
        by_loop: dict[asyncio.AbstractEventLoop | None, list[_Settled]] = defaultdict(list)
        for (_, future), outcome in zip(wanted, outcomes, strict=True):
            by_loop[future.get_loop() if isinstance(future, asyncio.Future) else None].append((future, outcome))
        for loop, settled in by_loop.items():
            if loop is None:
                _settle(settled)
            else:
                with suppress(RuntimeError):  # it was closed, and with it went who waited
                    loop.call_soon_threadsafe(_settle, settled)


def _is_waited_for(future: _Future) -> bool:
    return not future.cancelled() if isinstance(future, asyncio.Future) else future.set_running_or_notify_cancel()


def _settle(settled: Iterable[_Settled]) -> None:
    for future, outcome in settled:
        if future.cancelled():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
