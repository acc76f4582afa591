"""The sweep: give back what dead workers held, give up what was tried too often, end pauses, see to what fell due.

Idempotent, and one at a time: a turn is taken by a conditional update of a `heartbeat` row, the same on both
databases, which also makes the sweep's age visible. Every worker offers to sweep, so no single process matters.
"""

import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection, select
from uuid_utils.compat import uuid7

from pipeline import bulk
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.db import Database, clock, clock_after, is_transient
from pipeline.engine.drain import bury
from pipeline.engine.lane import Lane
from pipeline.engine.stage import whereabouts
from pipeline.failpoints import Failpoint, reach
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from pipeline.models import Job
from pipeline.unit_of_work import UnitOfWork, begin

log = structlog.get_logger(__name__)

SWEEP = "sweep"
BATCH = 1000
PARTS = 8
"""Into so many what a dead worker was at is divided, to be worked on again one part at a time: docs/decisions/0040."""
PUT_OFF_SECONDS = 60.0
"""Until a job that could not be given up is looked at again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Swept:
    given_back: int
    given_up: int
    resumed: int
    fed_lanes: frozenset[str]


def take_turn(connection: Connection, name: str, every_seconds: float) -> bool:
    """Whether it is time for the duty `name` and this caller is the one to do it.

    It is time, too, if it was last done in the future: the clock was set back, and may take long to catch up.
    """
    now, due = clock(connection), clock_after(connection, "-v.every")
    rows = bulk.fetch(
        connection,
        f"INSERT INTO heartbeat (name, at) SELECT v.name, {now} FROM v WHERE true "  # noqa: S608 - our own SQL fragments
        f"ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE heartbeat.at <= "
        # Not excluded.at, which another's turn may have overtaken while this one waited for the row.
        f"(SELECT {due} FROM v) OR heartbeat.at > {now} RETURNING name",
        {"name": "text", "every": "double precision"},
        [(name, float(every_seconds))],
    )
    return bool(rows)


def sweep(
    database: Database,
    keys: Keys,
    lanes: Mapping[str, Lane],
    every_seconds: float,
    duties: Sequence[Callable[[UnitOfWork], object]] = (),
) -> Swept | None:
    """Sweep if it is time; `None` if another process has just done so. `duties` are what else falls due by time.

    Each step is a transaction of its own: one that fails is logged, and stops none of the others.
    """
    with database.write() as connection:
        if not take_turn(connection, SWEEP, every_seconds):
            return None
    fed: set[str] = set()

    def apart(step: Callable[[UnitOfWork], T]) -> T | None:
        try:
            with begin(database, keys, actions.lane(SWEEP)) as unit:
                result = step(unit)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            log.error("part of the sweep failed", **whereabouts(error))
            return None
        fed.update(unit.fed_lanes)
        return result

    given_back, given_up = apart(partial(_recover, lanes=lanes)) or (0, 0)
    resumed = apart(_end_stale_pauses) or set()
    for duty in duties:
        apart(duty)
    if given_back or given_up:
        log.warning("leases expired", given_back=given_back, given_up=given_up)
    return Swept(given_back, given_up, len(resumed), frozenset(fed | resumed))


def _recover(unit: UnitOfWork, lanes: Mapping[str, Lane]) -> tuple[int, int]:
    ended = _end_expired_leases(unit, lanes)
    unit.flush()
    reach(Failpoint.SWEEP_BEFORE_COMMIT)
    return ended


def _end_expired_leases(unit: UnitOfWork, lanes: Mapping[str, Lane]) -> tuple[int, int]:
    """How many jobs were given back, and how many given up."""
    connection = unit.connection
    skip = "FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = connection.exec_driver_sql(
        f"SELECT id, lease_token FROM job WHERE lease_until < {clock(connection)} "  # noqa: S608 - our own SQL fragments
        f"ORDER BY lease_token, id LIMIT {BATCH} {skip}"
    ).fetchall()
    # How many there are of a claim says who is to blame, so the last one, which may be cut off, waits.
    whole = [row for row in rows if row[1] != rows[-1][1]] if len(rows) == BATCH else rows
    expired = [row[0] for row in whole or rows]
    if not expired:
        return 0, 0
    jobs = connection.execute(
        select(Job.table()).where(bulk.is_among(connection, Job.id, expired)).order_by(Job.id)
    ).all()
    claims: dict[uuid.UUID, list[ClaimedJob]] = defaultdict(list)
    for j in jobs:
        held = ClaimedJob(
            j.id, j.lane, j.submission_id, j.target_id, j.generation, j.attempts, j.isolated, j.lease_token
        )
        claims[held.token].append(held)
    left_behind = [each for claim in claims.values() for each in _left_behind(claim)]
    exhausted = [each.job for each in left_behind if _is_exhausted(each, lanes)]
    again = [each for each in left_behind if each.job not in exhausted]
    bulk.execute(
        connection,
        "UPDATE job SET lease_until = NULL, lease_token = NULL, isolated = true, last_error = 'lease expired', "
        "suspicion = coalesce(v.suspicion, job.suspicion), "
        "attempts = CASE WHEN v.cost = 1 OR job.attempts = 0 THEN job.attempts ELSE job.attempts - 1 END "
        "FROM v WHERE job.id = v.id",
        {"id": "bigint", "suspicion": "uuid", "cost": "integer"},
        [(each.job.id, each.suspicion, int(each.costs_attempt)) for each in again],
    )
    unit.lock(job.submission_id for job in exhausted if job.submission_id)
    given_up = [job for job in exhausted if _is_given_up(unit, lanes[job.lane], job)]
    _put_off(connection, [job for job in exhausted if job not in given_up])
    unit.fed_lanes |= {each.job.lane for each in again}
    return len(again), len(given_up)


@dataclass(frozen=True, slots=True)
class _LeftBehind:
    """A job whose worker died. `suspicion` is None if it was not its turn yet: it keeps what it had."""

    job: ClaimedJob
    suspicion: uuid.UUID | None
    costs_attempt: bool


def _left_behind(claim: Sequence[ClaimedJob]) -> list[_LeftBehind]:
    """Who of the jobs of one dead claim may have killed their worker, and with whom each is next worked on.

    A worker is at its suspects only after the others of its claim are finished. Only who was alone pays: a poison row
    is alone in the end, and until then it costs the others no attempt.
    """
    was_at = [job for job in claim if not job.isolated] or claim
    left = [_LeftBehind(job, None, costs_attempt=False) for job in claim if job not in was_at]
    size = math.ceil(len(was_at) / PARTS)
    for start in range(0, len(was_at), size):
        suspicion = uuid7()
        part = was_at[start : start + size]
        left += [_LeftBehind(job, suspicion, costs_attempt=len(was_at) == 1) for job in part]
    return left


def _is_exhausted(left: _LeftBehind, lanes: Mapping[str, Lane]) -> bool:
    lane = lanes.get(left.job.lane)
    return lane is not None and left.costs_attempt and left.job.attempts >= lane.maximum_attempts


def _is_given_up(unit: UnitOfWork, lane: Lane, job: ClaimedJob) -> bool:
    """Give one job up, under a savepoint: one that cannot be must not keep the others from being given back."""
    try:
        with unit.connection.begin_nested():
            unit.lock([job.submission_id] if job.submission_id else [])
            bury(lane, unit, [(job, "lease expired on every attempt")])
            unit.flush()
    except Exception as error:
        if is_transient(error):
            raise
        log.error("job could not be given up", job=job.id, lane=lane.name, **whereabouts(error))
        unit.discard()
        return False
    return True


def _put_off(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    """Come back to jobs later: the next sweep has room for others, however many these are."""
    bulk.execute(
        connection,
        f"UPDATE job SET lease_until = {clock_after(connection, 'v.seconds')} FROM v WHERE job.id = v.id",  # noqa: S608 - our own SQL fragments
        {"id": "bigint", "seconds": "double precision"},
        [(job.id, PUT_OFF_SECONDS) for job in jobs],
    )


def _end_stale_pauses(unit: UnitOfWork) -> set[str]:
    connection = unit.connection
    rows = connection.exec_driver_sql(
        f"DELETE FROM lane_pause WHERE until <= {clock(connection)} RETURNING lane"  # noqa: S608 - our own SQL fragments
    ).fetchall()
    for (lane,) in rows:
        unit.record(None, Action.LANE_RESUMED, {Detail.LANE: lane})
    return {row[0] for row in rows}
