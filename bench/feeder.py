"""Program: submissions at a steady rate, from a process of its own, taken in as a side takes them in.

Several of them may share one load: number `part` of `parts` sends every `parts`th. It says when it is ready, and is
then told when to begin. It ends on time, whatever it could not send by then, and prints how many it sent.
"""

import json
import sys
import threading
import time
from dataclasses import asdict, dataclass

from bench.doors import DOORS, Door, arrival
from config.settings import Settings
from pipeline.context import open_context

THREADS = 4
READY = "ready"


@dataclass(frozen=True, slots=True)
class Feed:
    """`rate` is that of all parts together."""

    side: str
    first: int
    rate: float
    seconds: float
    part: int
    parts: int

    @classmethod
    def read(cls, text: str) -> "Feed":
        return cls(**json.loads(text))

    def text(self) -> str:
        return json.dumps(asdict(self))

    @property
    def count(self) -> int:
        """How many all parts together are to send."""
        return round(self.rate * self.seconds)


class Feeder:
    """Sends from several threads, since each waits for a durable commit."""

    def __init__(self, feed: Feed, door: Door, start: float) -> None:
        """`start` is a time of the clock, so that parts begin together."""
        self._feed = feed
        self._start = start
        self._door = door
        self._places = iter(range(feed.part, feed.count, feed.parts))
        self._lock = threading.Lock()
        self.sent = 0

    def run(self) -> None:
        threads = [threading.Thread(target=self._send) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self) -> None:
        end = self._start + self._feed.seconds
        while (place := self._next()) is not None:
            time.sleep(max(0.0, self._start + place / self._feed.rate - time.time()))
            if time.time() > end:
                return
            self._door.take_in(arrival(self._feed.first + place))
            with self._lock:
                self.sent += 1

    def _next(self) -> int | None:
        with self._lock:
            return next(self._places, None)


def main(text: str) -> int:
    """How many were sent."""
    feed = Feed.read(text)
    context = open_context(Settings())
    with context.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    door = DOORS[feed.side](context)
    print(READY, flush=True)
    feeder = Feeder(feed, door, float(sys.stdin.readline()))
    feeder.run()
    door.close()
    return feeder.sent


if __name__ == "__main__":
    print(main(sys.argv[1]))
