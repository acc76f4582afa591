"""The job ledger: what has to be done, who is doing it, until when.

A claim takes due rows with a lease and a fencing token (`lease_token`); only the holder of the token may finish them.
All lease arithmetic uses the database's clock, so workers' clocks need not agree.
"""

import datetime as dt
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Delete, Select, delete, select
from uuid_utils.compat import uuid7

from pipeline import bulk
from pipeline.db import as_time, clock, clock_after
from pipeline.low_water import LowWater
from pipeline.models import DeadJob, Job, LanePause

MAXIMUM_ERROR_LENGTH = 200

# Asked once, so that PostgreSQL can look it up in an index: `clock_timestamp()` itself may differ from row to row.
_MOMENT = "moment AS MATERIALIZED (SELECT {} AS now)"
_DUE = "{0}.due_at <= (SELECT now FROM moment) AND {0}.lease_until IS NULL"


@dataclass(frozen=True, slots=True)
class NewJob:
    lane: str
    target_id: uuid.UUID
    submission_id: uuid.UUID | None
    delay_seconds: float = 0.0
    source: str = ""
    """Of the submission: what is due is claimed in turn of its source. Empty for work about none."""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job held under `token` until the lease ends. `attempts` counts this one."""

    id: int
    lane: str
    submission_id: uuid.UUID | None
    target_id: uuid.UUID
    generation: int
    attempts: int
    isolated: bool
    token: uuid.UUID


@dataclass(frozen=True, slots=True)
class Retry:
    """Give a held job back, to be tried again after `delay_seconds`; without cost if it was not the job's fault."""

    job: ClaimedJob
    delay_seconds: float
    error: str
    costs_attempt: bool = True


def enqueue(connection: Connection, jobs: Iterable[NewJob]) -> set[str]:
    """Ask for work; returns the lanes that have work due now."""
    wanted = merged(jobs)
    bulk.write_all(connection, [asking(connection, wanted)])
    return fed(wanted)


def merged(jobs: Iterable[NewJob]) -> Sequence[NewJob]:
    """Each target once a lane, due when the first of its jobs is; in the order in which they are locked."""
    soonest: dict[tuple[str, uuid.UUID], NewJob] = {}
    for job in jobs:
        known = soonest.get((job.lane, job.target_id))
        if known is None or job.delay_seconds < known.delay_seconds:
            soonest[(job.lane, job.target_id)] = job
    return [job for _, job in sorted(soonest.items())]


def fed(jobs: Iterable[NewJob]) -> set[str]:
    """The lanes that have work due now by these."""
    return {job.lane for job in jobs if job.delay_seconds <= 0}


def asking(connection: Connection, jobs: Sequence[NewJob]) -> bulk.Change:
    """What asks for work that was `merged`.

    A job that is already there gets a higher generation and the earlier due time: if it is being worked on, its
    finishing will see the new generation and leave it in place.
    """
    now, due = clock(connection), clock_after(connection, "delay")
    least = "least" if connection.dialect.name == "postgresql" else "min"
    return bulk.Change(
        "INSERT INTO job (lane, source, target_id, submission_id, generation, attempts, due_at, created_at, isolated) "  # noqa: S608 - our own SQL fragments
        f"SELECT lane, source, target_id, submission_id, 1, 0, {due}, {now}, false FROM {{v}} WHERE true "
        "ON CONFLICT (lane, target_id) DO UPDATE SET generation = job.generation + 1, attempts = 0, "
        f"due_at = {least}(job.due_at, excluded.due_at)",
        {"lane": "text", "source": "text", "target_id": "uuid", "submission_id": "uuid", "delay": "double precision"},
        [(job.lane, job.source, job.target_id, job.submission_id, float(job.delay_seconds)) for job in jobs],
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What is due in a lane: `since` when in each source that has due work, the longest wait first.

    `suspect` is the first of the rows left behind by dead workers, `oldest` what the marks follow from.
    """

    since: Mapping[str, dt.datetime]
    oldest: Mapping[str, dt.datetime]
    suspect: int | None


def claim(
    connection: Connection, lane: str, limit: int, lease_seconds: float, low_water: LowWater | None = None
) -> list[ClaimedJob]:
    """Take up to `limit` due jobs of a lane that is not paused, the oldest of each source; attempts count from here.

    The limit is shared out evenly between the sources that have due work, and what one leaves of its share goes to
    those with more: a flood from one source leaves room for what trickles in from another. What does not divide goes
    to those who have waited longest, so with more sources than `limit` each has its turn.

    With `low_water` it first looks from its marks on. What they hide is seen when nothing else is there to be taken,
    and now and then: never is a job left for good.
    """
    low_water = low_water or LowWater()
    if not low_water.is_to_look_back():
        look = _look_from_marks(connection, lane, low_water)
        low_water.note(look.oldest)
        if claimed := _share_out(connection, lane, look, limit, lease_seconds):
            return claimed
    started = time.monotonic()
    look = _look_from_the_beginning(connection, lane)
    low_water.looked_back(time.monotonic() - started)
    low_water.note(look.oldest)
    return _share_out(connection, lane, look, limit, lease_seconds)


def _share_out(connection: Connection, lane: str, look: _Look, limit: int, lease_seconds: float) -> list[ClaimedJob]:
    token = uuid7()
    claimed: list[ClaimedJob] = []
    hungry = list(look.since)
    while hungry and len(claimed) < limit:
        share = max((limit - len(claimed)) // len(hungry), 1)
        still_hungry = []
        for source in hungry:
            if len(claimed) < limit:
                taken = _take(connection, lane, source, look, share, token, lease_seconds)
                claimed += taken
                if len(taken) == share:
                    still_hungry.append(source)
        hungry = still_hungry
    return sorted(claimed, key=lambda job: job.id)


def _look_from_the_beginning(connection: Connection, lane: str) -> _Look:
    """The sources are found one after the other in the index, so it takes no longer for a long queue."""
    beginning = "'-infinity'::timestamptz" if connection.dialect.name == "postgresql" else "''"
    sources = (
        "WITH RECURSIVE known(source) AS ("  # noqa: S608 - our own SQL fragments
        "SELECT (SELECT job.source FROM job WHERE job.lane = v.lane ORDER BY job.source LIMIT 1) FROM v UNION ALL "
        "SELECT (SELECT job.source FROM job WHERE job.lane = v.lane AND job.source > known.source "
        "ORDER BY job.source LIMIT 1) FROM known, v WHERE known.source IS NOT NULL) "
        f"SELECT v.lane, known.source, {beginning} FROM known, v WHERE known.source IS NOT NULL"
    )
    return _look(connection, sources, {"lane": "text"}, [(lane,)])


def _look_from_marks(connection: Connection, lane: str, low_water: LowWater) -> _Look:
    types = {"lane": "text", "source": "text", "mark": "timestamptz"}
    rows = [(lane, source, mark) for source, mark in low_water.marks.items()]
    return _look(connection, "SELECT lane, source, mark FROM v", types, rows)


def _look(connection: Connection, sources: str, types: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> _Look:
    """What is due in a lane that is not paused, of the `sources` that a query names, each from its mark on."""
    left_behind_due = _DUE.format("left_behind")
    found = bulk.fetch(
        connection,
        f", {_MOMENT.format(clock(connection))}, sources(lane, source, mark) AS ({sources}) "  # noqa: S608 - our own SQL fragments
        "SELECT sources.source, (SELECT job.due_at FROM job WHERE job.lane = sources.lane "
        "AND job.source = sources.source AND job.due_at >= sources.mark "
        f"AND {_DUE.format('job')} ORDER BY job.due_at LIMIT 1), (SELECT now FROM moment), "
        "(SELECT min(left_behind.id) FROM job AS left_behind "
        f"WHERE left_behind.lane = (SELECT lane FROM v LIMIT 1) AND left_behind.isolated AND {left_behind_due}) "
        "FROM sources WHERE NOT EXISTS (SELECT 1 FROM lane_pause WHERE lane_pause.lane = sources.lane "
        "AND (lane_pause.until IS NULL OR lane_pause.until > (SELECT now FROM moment)))",
        types,
        rows,
    )
    waiting = sorted((as_time(since), source) for source, since, _, _ in found if since is not None)
    return _Look(
        since={source: since for since, source in waiting},
        oldest={source: as_time(now if since is None else since) for source, since, now, _ in found},
        suspect=next((suspect for *_, suspect in found), None),
    )


def _take(
    connection: Connection, lane: str, source: str, look: _Look, share: int, token: uuid.UUID, lease_seconds: float
) -> list[ClaimedJob]:
    """Take up to `share` due jobs of one source.

    Of the rows that dead workers left behind a claim has only those that share one suspicion: whichever of them kills
    its worker, others must not lose time to it.

    The choice is a materialised CTE: a plain subquery may be run again for each row and overrun the share. It asks
    `v` for single values rather than joining it, so that its rows come out of the index in order of time, unsorted.
    """
    on_postgresql = connection.dialect.name == "postgresql"
    skip = "FOR UPDATE SKIP LOCKED" if on_postgresql else ""
    # An array, so that PostgreSQL looks its rows up by the index, however many it guesses that there are.
    chosen = "ANY (ARRAY(SELECT id FROM due))" if on_postgresql else "(SELECT id FROM due)"
    rows = bulk.fetch(
        connection,
        f", {_MOMENT.format(clock(connection))}, due AS MATERIALIZED (SELECT job.id FROM job "  # noqa: S608 - our own SQL fragments
        "WHERE job.lane = (SELECT lane FROM v) AND job.source = (SELECT source FROM v) "
        f"AND job.due_at >= (SELECT since FROM v) AND {_DUE.format('job')} "
        "AND (NOT job.isolated OR job.id = (SELECT suspect FROM v) OR job.suspicion = "
        "(SELECT first.suspicion FROM job AS first WHERE first.id = (SELECT suspect FROM v))) "
        f"ORDER BY job.due_at LIMIT (SELECT share FROM v) {skip}) "
        f"UPDATE job SET attempts = attempts + 1, lease_until = {clock_after(connection, 'v.lease')}, "
        f"lease_token = v.token FROM v WHERE job.id {'=' if on_postgresql else 'IN'} {chosen} "
        "RETURNING job.id, job.lane, job.submission_id, job.target_id, job.generation, job.attempts, job.isolated",
        {
            "lane": "text",
            "source": "text",
            "since": "timestamptz",
            "suspect": "bigint",
            "share": "integer",
            "token": "uuid",
            "lease": "double precision",
        },
        [(lane, source, look.since[source], look.suspect, share, token, float(lease_seconds))],
    )
    return [
        ClaimedJob(r[0], r[1], _uuid(r[2]), _uuid(r[3]), r[4], r[5], bool(r[6]), token)  # type: ignore[arg-type]
        for r in rows
    ]


def hold(connection: Connection, jobs: Sequence[ClaimedJob]) -> dict[int, int]:
    """Lock the jobs that are still held under their token, in id order: id → current generation.

    A job missing from the answer was taken over after its lease ended: whatever was worked out for it is void.
    """
    if not jobs:
        return {}
    tokens = {job.id: job.token for job in jobs}
    rows = connection.execute(_locking(connection.dialect.name), {"ids": list(tokens)}).all()
    return {id_: generation for id_, generation, token in rows if token == tokens[id_]}


@cache
def _locking(dialect: str) -> Select[int, int, uuid.UUID | None]:
    of_jobs = bulk.is_one_of(dialect, Job.id, "ids")
    return select(Job.id, Job.generation, Job.lease_token).where(of_jobs).order_by(Job.id).with_for_update()


@cache
def _deleting(dialect: str) -> Delete:
    return delete(Job).where(bulk.is_one_of(dialect, Job.id, "ids"))


def finish(connection: Connection, jobs: Sequence[ClaimedJob], generations: dict[int, int]) -> set[str]:
    """Delete finished jobs; one that was asked for again meanwhile is released instead. Returns lanes with those."""
    done = [job for job in jobs if generations[job.id] == job.generation]
    again = [job for job in jobs if generations[job.id] != job.generation]
    if done:
        connection.execute(_deleting(connection.dialect.name), {"ids": [job.id for job in done]})
    release(connection, [Retry(job, 0, "", costs_attempt=False) for job in again])
    return {job.lane for job in again}


def release(connection: Connection, retries: Sequence[Retry]) -> None:
    """Give held jobs back, due after their delay. An asked-for-again job is due at once."""
    bulk.execute(
        connection,
        "UPDATE job SET lease_until = NULL, lease_token = NULL, isolated = job.isolated AND v.cost = 0, "  # noqa: S608 - our own SQL fragments
        "attempts = CASE WHEN v.cost = 1 THEN job.attempts WHEN job.attempts > 0 THEN job.attempts - 1 ELSE 0 END, "
        "due_at = CASE WHEN job.generation <> v.generation THEN job.due_at ELSE "
        f"{clock_after(connection, 'v.delay')} END, last_error = coalesce(nullif(v.error, ''), job.last_error) "
        "FROM v WHERE job.id = v.id",
        {"id": "bigint", "generation": "integer", "delay": "double precision", "error": "text", "cost": "integer"},
        [
            (r.job.id, r.job.generation, float(r.delay_seconds), r.error[:MAXIMUM_ERROR_LENGTH], int(r.costs_attempt))
            for r in retries
        ],
    )


def bury(connection: Connection, jobs: Sequence[tuple[ClaimedJob, str]], now: dt.datetime) -> None:
    """Move jobs to the dead letters, each with its reason."""
    if not jobs:
        return
    bulk.insert(
        connection,
        DeadJob.table(),
        ("id", "lane", "submission_id", "target_id", "attempts", "reason", "died_at"),
        [
            (j.id, j.lane, j.submission_id, j.target_id, j.attempts, reason[:MAXIMUM_ERROR_LENGTH], now)
            for j, reason in jobs
        ],
    )
    connection.execute(_deleting(connection.dialect.name), {"ids": [job.id for job, _ in jobs]})


def pause(connection: Connection, lane: str, reason: str, seconds: float | None) -> bool:
    """Let a lane rest for `seconds`, or until somebody resumes it (None). Returns whether that is how it stands now.

    A pause already there is replaced only by one that ends later, or does not end by itself.
    """
    now = clock(connection)
    until = "NULL" if seconds is None else clock_after(connection, "v.seconds")
    rows = bulk.fetch(
        connection,
        f"INSERT INTO lane_pause (lane, reason, since, until) SELECT v.lane, v.reason, {now}, {until} "  # noqa: S608 - our own SQL fragments
        "FROM v WHERE true ON CONFLICT (lane) DO UPDATE SET reason = excluded.reason, until = excluded.until "
        "WHERE lane_pause.until IS NOT NULL AND (excluded.until IS NULL OR lane_pause.until < excluded.until) "
        "RETURNING lane",
        {"lane": "text", "reason": "text", "seconds": "double precision"},
        [(lane, reason[:MAXIMUM_ERROR_LENGTH], float(seconds or 0))],
    )
    return bool(rows)


def is_paused(connection: Connection, lane: str) -> bool:
    """Whether a claim would find the lane resting."""
    now = clock(connection)
    rows = bulk.fetch(
        connection,
        f"SELECT 1 FROM lane_pause, v WHERE lane_pause.lane = v.lane "  # noqa: S608 - our own SQL fragments
        f"AND (lane_pause.until IS NULL OR lane_pause.until > {now})",
        {"lane": "text"},
        [(lane,)],
    )
    return bool(rows)


def resume(connection: Connection, lane: str) -> bool:
    """End a lane's pause, whoever made it; whether there was one. Workers find its work when they look next."""
    return connection.execute(delete(LanePause).where(LanePause.lane == lane)).rowcount > 0


def due_lanes(connection: Connection, lanes: Sequence[str]) -> set[str]:
    """Which of `lanes` have a job due now. In the index's order, lest a long queue that waits be read whole."""
    rows = bulk.fetch(
        connection,
        f"SELECT v.lane FROM v WHERE (SELECT job.id FROM job WHERE job.lane = v.lane "  # noqa: S608 - our own SQL fragments
        f"AND job.due_at <= (SELECT {clock(connection)}) AND job.lease_until IS NULL "
        "ORDER BY job.source, job.due_at LIMIT 1) IS NOT NULL",
        {"lane": "text"},
        [(lane,) for lane in lanes],
    )
    return {row[0] for row in rows}


def _uuid(value: Any) -> uuid.UUID | None:
    return uuid.UUID(value) if isinstance(value, str) else value
