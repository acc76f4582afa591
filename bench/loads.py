"""Time from a submission's commit to its confirmation's hand-over at several offered loads, each for a bounded time.

Submissions come from processes of their own (`bench.feeder`). All moments are commits by the database's clock. A load
that a side cannot keep up with is told by its backlog: it grows from the middle of the time to its end. Such a load is
not worked off, and no higher one is offered to that side.
"""

import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.doors import CAREROUTE, TEXTBOOK, TUNED
from bench.failure import BenchFailed
from bench.feeder import READY, Feed
from bench.laboratory import Laboratory
from bench.measure import check_work, database_time, warm_up
from bench.sides import Side, Workers, fresh_side

AHEAD_SECONDS = 0.2
"""So long before the first submission the feeding processes, which are ready, are told when that is."""
DRAIN_SECONDS = 20.0
ONE_PROCESS = 100.0
"""So many a second are offered by one feeding process; more by two."""
GROWTH_ALLOWED, GROWTH_NOTICED = 0.05, 2.0
"""What a backlog may grow by a second: a part of the load, and so many submissions whatever the load is."""

_MOMENTS = """
SELECT /* bench */
    extract(epoch FROM pg_xact_commit_timestamp(data_key.xmin)),
    extract(epoch FROM pg_xact_commit_timestamp(email.xmin))
FROM data_key JOIN submission ON submission.id = data_key.submission_id
LEFT JOIN email ON email.submission_id = data_key.submission_id
    AND email.kind = 'confirmation' AND email.status = 'handed_over'
WHERE submission.received_at >= to_timestamp(%s)
"""
_SAMPLES = 60


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The rates offered to each side, rising, each for `seconds`."""

    rates: Mapping[str, Sequence[float]]
    seconds: float
    warm_up_rounds: int = 6


LOAD_PLAN = LoadPlan(
    {CAREROUTE: (20, 50, 100, 200, 400, 1000), TUNED: (20, 50, 100, 200, 1000), TEXTBOOK: (20, 200)}, seconds=10
)
QUICK_LOAD_PLAN = LoadPlan({CAREROUTE: (20, 200), TUNED: (20,), TEXTBOOK: (20,)}, seconds=4)


@dataclass(frozen=True, slots=True)
class Offered:
    """One load: how many came in a second, how long those waited that were confirmed, and whether a backlog grew.

    `p50` and `p99` are seconds, `growth` is submissions a second.
    """

    rate: float
    came_in: float
    p50: float
    p99: float
    growth: float

    @property
    def keeps_up(self) -> bool:
        return self.growth <= max(GROWTH_ALLOWED * self.rate, GROWTH_NOTICED) and not self.is_short

    @property
    def is_short(self) -> bool:
        """Whether not even taking them in kept up, beside the workers on the same cores."""
        return self.came_in < self.rate * (1 - GROWTH_ALLOWED)


def measure_loads(kind: type[Side], laboratory: Laboratory, plan: LoadPlan) -> list[Offered]:
    """One side at rising loads, up to the first that it cannot keep up with. Raises `BenchFailed`."""
    offered: list[Offered] = []
    with fresh_side(kind, laboratory) as side, side.workers() as workers:
        warm_up(side, workers, plan.warm_up_rounds)
        for rate in plan.rates[kind.name]:
            offered.append(_offer(side, workers, rate, plan.seconds))
            print(f"{kind.name} at {rate:g}/s: {_summary(offered[-1])}", file=sys.stderr)
            if not offered[-1].keeps_up:
                return offered
            workers.finish()
        check_work(side)
    return offered


def _offer(side: Side, workers: Workers, rate: float, seconds: float) -> Offered:
    since = database_time(side)
    feeds = [Feed(side.name, side.taken_in + 1, rate, seconds, part, _parts(rate)) for part in range(_parts(rate))]
    with ExitStack() as undo:
        running = [undo.enter_context(_feeding(side, feed)) for feed in feeds]
        start = time.time() + AHEAD_SECONDS
        begin = database_time(side) + start - time.time()
        sent = _sent(running, start, AHEAD_SECONDS + seconds + DRAIN_SECONDS)
    side.taken_in += feeds[0].count  # numbers that were not sent are not used again
    side.skipped += feeds[0].count - sent
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        moments = _moments(side, since)
        offered = judge(moments, rate, begin, seconds, sent)
        if not offered.keeps_up or time.monotonic() > deadline or all(done is not None for _, done in moments):
            return offered
        workers.check()
        time.sleep(0.25)


def _parts(rate: float) -> int:
    return 1 if rate <= ONE_PROCESS else 2


@contextmanager
def _feeding(side: Side, feed: Feed) -> Iterator[subprocess.Popen[str]]:
    """A feeding process, ready to begin."""
    command = (sys.executable, "-m", "bench.feeder", feed.text())
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=side.whole_environment, text=True
    )
    try:
        if process.stdout is None or process.stdout.readline().strip() != READY:
            raise BenchFailed(f"{side.name}: a feeding process did not start")
        yield process
    finally:
        process.kill()
        process.wait()


def _sent(running: Sequence[subprocess.Popen[str]], start: float, within: float) -> int:
    """Let them all begin at `start`, and wait until they are through; how many they sent together."""
    for process in running:
        if process.stdin is not None:
            process.stdin.write(f"{start}\n")
            process.stdin.flush()
    try:
        said = [process.communicate(timeout=within)[0] for process in running]
    except subprocess.TimeoutExpired:
        raise BenchFailed("submissions that were offered were not taken in") from None
    if any(process.returncode for process in running):
        raise BenchFailed("a feeding process ended with an error")
    return sum(int(each) for each in said)


def _moments(side: Side, since: float) -> list[tuple[float, float | None]]:
    """When each submission was committed, and when its confirmation was handed over, if it was."""
    with side.context.database.read() as connection:
        rows = connection.exec_driver_sql(_MOMENTS, (since,))
        return [(float(row[0]), None if row[1] is None else float(row[1])) for row in rows]


def judge(
    moments: Sequence[tuple[float, float | None]], rate: float, begin: float, seconds: float, sent: int
) -> Offered:
    """What a load came to. The backlog is compared over the last third of the time with that over the third before."""
    waits = sorted(done - came for came, done in moments if done is not None)
    came_in = sorted(came for came, _ in moments)
    left = sorted(done for _, done in moments if done is not None)

    def backlog(first: float, last: float) -> float:
        times = [begin + seconds * (first + (last - first) * n / _SAMPLES) for n in range(_SAMPLES)]
        return statistics.fmean(bisect_right(came_in, at) - bisect_right(left, at) for at in times)

    growth = (backlog(2 / 3, 1) - backlog(1 / 3, 2 / 3)) / (seconds / 3)
    return Offered(rate, sent / seconds, percentile(waits, 50), percentile(waits, 99), growth)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Of values in order; not a number where there are none."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _summary(offered: Offered) -> str:
    if offered.keeps_up:
        return f"p50 {offered.p50 * 1000:.1f} ms, p99 {offered.p99 * 1000:.1f} ms"
    return f"cannot keep up: {offered.came_in:.0f}/s came in, backlog grew by {offered.growth:.0f}/s"
