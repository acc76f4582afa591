"""One worker: drains lanes when a message says so, and looks by itself every few seconds: no message matters."""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from pipeline import ledger
from pipeline.context import Context
from pipeline.engine.drain import Engine
from pipeline.engine.lane import Lane
from pipeline.engine.stage import whereabouts
from pipeline.engine.sweep import sweep
from pipeline.referral import ask_about_expired
from pipeline.reminders import remind_of_referrals
from pipeline.retention import take_retention_turn
from tasks.sequencing import Sequencing
from tasks.wake import Waker

log = structlog.get_logger(__name__)

LOOKING_SHARE = 0.1
"""Of the time, at most, goes into looking for lanes with work: it takes long while an old snapshot is open."""
LONGEST_REST_SECONDS = 30.0
"""Between two looks, however long the last one took."""


class Worker:
    """Serves some of the lanes. One drain at a time: more work at once is more processes.

    With `sequencing` it serves the lane `sequence` too. Without any lane of jobs it does nothing else: it neither looks
    for jobs nor sweeps, so that the process that signs needs no rights to anything but the audit record.
    """

    def __init__(
        self,
        context: Context,
        lanes: Mapping[str, Lane],
        serves: frozenset[str],
        waker: Waker,
        sequencing: Sequencing | None = None,
    ) -> None:
        self._context = context
        self._serves = frozenset(lane for lane in serves if lane in lanes)
        self._waker = waker
        self._sequencing = sequencing
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._engine = Engine(
            database=context.database,
            keys=context.keys,
            lanes=lanes,
            wake=waker,
            lease_seconds=context.settings.lease_seconds,
            stopping=self._stop.is_set,
            serves=self._serves,
        )
        self._rest_seconds = context.settings.poll_seconds
        self._poll = threading.Thread(target=self._poll_until_stopped, name="poll", daemon=True)

    def start(self) -> None:
        """Begin to look for work, broker or not."""
        if self._sequencing is not None:
            self._sequencing.start()
        if self._engine.lanes:
            self._poll.start()

    def stop(self) -> None:
        """Finish the batch in hand and take no other."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait for what was found without a message: cut off in a call, its emails would be uncertain.

        Then what was recorded up to now goes into the log, and a checkpoint covers it.
        """
        self.stop()
        if self._poll.is_alive():
            self._poll.join()
        if self._sequencing is not None:
            self._sequencing.close()

    def drain(self, lane: str) -> None:
        """A message came. The key goes first: work that arrives during the drain gets a message of its own."""
        self._waker.woken(lane)
        if lane in self._serves:
            with self._busy:
                self._guarded(lambda: self._engine.drain(lane))

    def sweep(self) -> None:
        """It is time to sweep, unless another process has just done so."""
        self._guarded(lambda: self._sweep(self._context.settings.sweep_seconds * 0.5))

    def _poll_until_stopped(self) -> None:
        while not self._stop.is_set():
            self._rest_seconds = self._context.settings.poll_seconds
            self._guarded(self._look)
            # Beat sends the sweep on time; a worker steps in when it is overdue.
            self._guarded(lambda: self._sweep(self._context.settings.sweep_seconds * 2))
            self._stop.wait(self._rest_seconds)

    def _look(self) -> None:
        with self._context.database.read() as connection:
            started = time.monotonic()
            due = ledger.due_lanes(connection, sorted(self._serves))
            took = time.monotonic() - started
        self._rest_seconds = max(self._rest_seconds, min(took / LOOKING_SHARE, LONGEST_REST_SECONDS))
        for lane in sorted(due):
            if self._busy.acquire(blocking=False):
                try:
                    self._guarded(partial(self._engine.drain, lane))
                finally:
                    self._busy.release()

    def _sweep(self, every_seconds: float) -> None:
        duties = (ask_about_expired, partial(remind_of_referrals, self._context))
        swept = sweep(self._context.database, self._context.keys, self._engine.lanes, every_seconds, duties)
        if swept is None:
            return
        for lane in swept.fed_lanes:
            self._waker(lane)
        take_retention_turn(self._context, stopping=self._stop.is_set)

    def _guarded(self, act: Callable[[], object]) -> None:
        """A worker outlives whatever goes wrong; the next message or poll tries again."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - logged with type and place; leases make it good
            log.error("worker turn failed", **whereabouts(error))
