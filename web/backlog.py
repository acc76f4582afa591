"""How much waits to be worked on, looked at every second, off the path of every request."""

import threading
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from pipeline.db import Database
from pipeline.engine.stage import whereabouts
from pipeline.intake.admission import Admission, count_waiting

LOOK_SECONDS = 1.0
_REST = 20
"""Times as long as a look took: counting half a million jobs takes a while, and is done less often then."""

_log = structlog.get_logger(__name__)


class Backlog:
    """Tells an `Admission` what it sees. As long as nothing can be seen, what was seen last holds."""

    def __init__(self, database: Database, admission: Admission) -> None:
        self._database = database
        self._admission = admission
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_until_stopped, name="backlog", daemon=True)

    def start(self) -> None:
        """Begin to look every second."""
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> float:
        """Look once; how many seconds that took."""
        started = time.monotonic()
        with self._database.read() as connection:
            waiting = count_waiting(connection, self._admission.counts_to)
        ended = time.monotonic()
        self._admission.see(waiting, ended)
        return ended - started

    def _look_until_stopped(self) -> None:
        rest = 0.0
        while not self._stop.wait(rest):
            rest = LOOK_SECONDS
            try:
                rest = max(LOOK_SECONDS, self.look() * _REST)
            except SQLAlchemyError as error:
                _log.warning("backlog not seen", **whereabouts(error))
