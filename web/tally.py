"""How many submissions each source sent and what became of them: counted in memory, written every second.

These are counts for operators, not records: a process that is killed loses its last second of them.
"""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Iterable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from pipeline import bulk
from pipeline.db import Database, utc_now
from pipeline.engine.stage import whereabouts
from pipeline.models import SourceTally

ACCEPTED = "accepted"
REPEATED = "repeated"
UNKNOWN_SOURCE = "(unknown)"
"""Stands for every sender that is none of ours, so that strangers cannot make rows."""

FLUSH_SECONDS = 1.0

_log = structlog.get_logger(__name__)


def refused(reason: str) -> str:
    """The outcome of a refusal; `reason` is one of a closed list, never what was sent."""
    return f"refused:{reason}"


class Tally:
    """Counts per source and outcome. Safe to call from any thread."""

    def __init__(self, database: Database, known_sources: Iterable[str]) -> None:
        self._database = database
        self._known = frozenset(known_sources)
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[str, str], dt.datetime] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._flush_until_stopped, name="tally", daemon=True)

    def count(self, source: str | None, outcome: str) -> None:
        key = (source if source in self._known else UNKNOWN_SOURCE, outcome)
        with self._lock:
            self._counts[key] += 1
            self._last[key] = utc_now()

    def start(self) -> None:
        """Begin to write the counts every second."""
        self._thread.start()

    def close(self) -> None:
        """Write what is left, and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._flush_or_keep()

    def flush(self) -> None:
        """Write what was counted since the last time. If that fails it stays counted."""
        with self._lock:
            counts, last = self._counts, self._last
            self._counts, self._last = Counter(), {}
        rows = [
            (source, outcome, number, last[source, outcome]) for (source, outcome), number in sorted(counts.items())
        ]
        try:
            self._write(rows)
        except BaseException:
            with self._lock:
                self._counts += counts
                self._last = last | self._last
            raise

    def _write(self, rows: list[tuple[str, str, int, dt.datetime]]) -> None:
        if not rows:
            return
        later = "greatest" if self._database.is_postgresql else "max"
        with self._database.write() as connection:
            bulk.insert(
                connection,
                SourceTally.table(),
                ("source", "outcome", "count", "last_at"),
                rows,
                "ON CONFLICT (source, outcome) DO UPDATE SET count = source_tally.count + excluded.count, "
                f"last_at = {later}(source_tally.last_at, excluded.last_at)",
            )

    def _flush_until_stopped(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush_or_keep()

    def _flush_or_keep(self) -> None:
        try:
            self.flush()
        except SQLAlchemyError as error:
            _log.warning("tally not written", **whereabouts(error))
