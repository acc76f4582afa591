"""Throughput and latency of one side, on the database's own clock.

Every moment is the commit of the transaction that made it so (PostgreSQL's `track_commit_timestamp`): of the row with
the submission's data key, which is never updated, and of the email's row with the status `handed_over`.
"""

import time
from dataclasses import dataclass

from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.sides import Side, Workers, fresh_side
from bench.work import Work, read_work

_WARM_UP_EACH = 10

_LAST_COMMIT = """
SELECT /* bench */ extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM email WHERE status = 'handed_over'
"""
_WAITS = """
SELECT /* bench */ extract(epoch FROM pg_xact_commit_timestamp(email.xmin) - pg_xact_commit_timestamp(data_key.xmin))
FROM email JOIN data_key USING (submission_id)
WHERE email.kind = 'confirmation' AND email.created_at >= to_timestamp(%s)
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked of one side in one round."""

    submissions: int
    rate: float
    latency_seconds: float
    warm_up_rounds: int = 6


@dataclass(frozen=True, slots=True)
class Round:
    """`waits` are the seconds from each submission's commit to its confirmation's hand-over."""

    throughput: float
    waits: tuple[float, ...]
    work: Work


def measure_round(kind: type[Side], laboratory: Laboratory, load: Load) -> Round:
    """Fresh database and workers: warm up, latency at a steady rate, throughput of a backlog. Raises `BenchFailed`."""
    with fresh_side(kind, laboratory) as side, side.workers() as workers:
        warm_up(side, workers, load.warm_up_rounds)
        waits = _latency(side, workers, load)
        throughput = measure_throughput(side, workers, load.submissions)
        work = check_work(side)
    return Round(throughput, waits, work)


def warm_up(side: Side, workers: Workers, rounds: int) -> None:
    """In several rounds, so that every worker has its connections and templates."""
    for _ in range(rounds):
        for _ in range(_WARM_UP_EACH):
            side.take_in_next()
        workers.finish(every=0.05)


def check_work(side: Side) -> Work:
    """What was done. Raises `BenchFailed` unless everything that was taken in was done in full."""
    count = side.taken_in - side.skipped
    work = read_work(side.context)
    faults = list(work.faults(count))
    if faults:
        raise BenchFailed(f"{side.name} did not do all of the work for {count} submissions: " + "; ".join(faults))
    return work


def _latency(side: Side, workers: Workers, load: Load) -> tuple[float, ...]:
    since = database_time(side)
    start = time.monotonic()
    for number in range(round(load.rate * load.latency_seconds)):
        time.sleep(max(0.0, start + number / load.rate - time.monotonic()))
        side.take_in_next()
    workers.finish()
    with side.context.database.read() as connection:
        return tuple(float(row[0]) for row in connection.exec_driver_sql(_WAITS, (since,)))


def measure_throughput(side: Side, workers: Workers, submissions: int) -> float:
    """Submissions per second, from the word to go to the last email handed over."""
    side.load(submissions)
    started = database_time(side)
    side.go()
    workers.finish()
    with side.context.database.read() as connection:
        ended = float(connection.exec_driver_sql(_LAST_COMMIT).scalar_one())
    return submissions / (ended - started)


def database_time(side: Side) -> float:
    with side.context.database.read() as connection:
        return float(
            connection.exec_driver_sql("SELECT /* bench */ extract(epoch FROM clock_timestamp())").scalar_one()
        )
