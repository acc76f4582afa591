"""The log's turns, in threads of their own: a drain may take long, an endpoint outside may not answer, and records
are to be in the log, and signed for, in the time that is promised.
"""

import threading
from collections.abc import Callable

import structlog

from pipeline.audit.anchors import ENDPOINT_SECONDS
from pipeline.audit.sequencer import RETRY_SECONDS, TURN_SECONDS, Sequencer
from pipeline.engine.stage import whereabouts

log = structlog.get_logger(__name__)

YIELD_SECONDS = 0.01
"""Between turns that follow one another at once: on SQLite others want to write too."""


class Sequencing:
    """Serves the lane `sequence` from `start` to `close`."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._stop = threading.Event()
        self._turns = threading.Thread(target=self._repeat, args=(sequencer.look, TURN_SECONDS), name="sequence")
        outside = (sequencer.anchor_outside, RETRY_SECONDS)
        self._outside = threading.Thread(target=self._repeat, args=outside, name="anchor", daemon=True)

    def start(self) -> None:
        self._turns.start()
        self._outside.start()

    def close(self) -> None:
        """The last records go into the log, and a checkpoint covers them. Nothing if it was never started."""
        self._stop.set()
        if self._turns.ident is None:
            return
        self._turns.join()
        self._guarded(self._sequencer.close)
        self._outside.join(ENDPOINT_SECONDS)
        self._send_the_last()

    def _send_the_last(self) -> None:
        """An endpoint that drips its answer does not keep the process from ending."""
        if not self._outside.is_alive():
            act = threading.Thread(target=self._guarded, args=(self._sequencer.anchor_outside,), daemon=True)
            act.start()
            act.join(2 * ENDPOINT_SECONDS)

    def _repeat(self, act: Callable[[], bool | None], seconds: float) -> None:
        while not self._stop.is_set():
            has_more = self._guarded(act)
            self._stop.wait(YIELD_SECONDS if has_more else seconds)

    def _guarded(self, act: Callable[[], bool | None]) -> bool | None:
        """A worker outlives whatever goes wrong; what waits is there at the next look."""
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - logged with type and place
            log.error("sequencer failed", **whereabouts(error))
            return None
