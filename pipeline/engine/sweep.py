"""The sweep: give back what dead workers held, give up what was tried too often, end pauses, see to what fell due.

Idempotent, and one at a time: a turn is taken by a conditional update of a `heartbeat` row, the same on both
databases, which also makes the sweep's age visible. Every worker offers to sweep, so no single process matters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, select

from pipeline import bulk
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.db import Database, clock, clock_after
from pipeline.engine.drain import bury
from pipeline.engine.lane import Lane
from pipeline.failpoints import Failpoint, reach
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from pipeline.models import Job
from pipeline.unit_of_work import UnitOfWork, begin

log = structlog.get_logger(__name__)

SWEEP = "sweep"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Swept:
    given_back: int
    given_up: int
    resumed: int
    fed_lanes: frozenset[str]


def take_turn(connection: Connection, name: str, every_seconds: float) -> bool:
    """Whether it is time for the duty `name` and this caller is the one to do it."""
    now, due = clock(connection), clock_after(connection, "-v.every")
    rows = bulk.fetch(
        connection,
        f"INSERT INTO heartbeat (name, at) SELECT v.name, {now} FROM v WHERE true "  # noqa: S608 - our own SQL fragments
        f"ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE heartbeat.at <= "
        f"(SELECT {due} FROM v) RETURNING name",
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
    """Sweep if it is time; `None` if another process has just done so. `duties` are what else falls due by time."""
    with database.write() as connection:
        if not take_turn(connection, SWEEP, every_seconds):
            return None
    with begin(database, keys, actions.lane(SWEEP)) as unit:
        given_back, given_up = _end_expired_leases(unit, lanes)
        resumed = _end_stale_pauses(unit)
        for duty in duties:
            duty(unit)
        unit.flush()
        reach(Failpoint.SWEEP_BEFORE_COMMIT)
    swept = Swept(given_back, given_up, len(resumed), frozenset(unit.fed_lanes | resumed))
    if given_back or given_up:
        log.warning("leases expired", given_back=given_back, given_up=given_up)
    return swept


def _end_expired_leases(unit: UnitOfWork, lanes: Mapping[str, Lane]) -> tuple[int, int]:
    connection = unit.connection
    skip = "FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = connection.exec_driver_sql(
        f"SELECT id FROM job WHERE lease_until < {clock(connection)} ORDER BY id LIMIT {BATCH} {skip}"  # noqa: S608 - our own SQL fragments
    ).fetchall()
    expired = [row[0] for row in rows]
    if not expired:
        return 0, 0
    jobs = connection.execute(
        select(Job.table()).where(bulk.is_among(connection, Job.id, expired)).order_by(Job.id)
    ).all()
    claims = [
        ClaimedJob(j.id, j.lane, j.submission_id, j.target_id, j.generation, j.attempts, j.isolated, j.lease_token)
        for j in jobs
    ]
    exhausted = [job for job in claims if job.lane in lanes and job.attempts >= lanes[job.lane].maximum_attempts]
    again = [(job.id,) for job in claims if job not in exhausted]
    bulk.execute(
        connection,
        "UPDATE job SET lease_until = NULL, lease_token = NULL, isolated = true, last_error = 'lease expired' "
        "FROM v WHERE job.id = v.id",
        {"id": "bigint"},
        again,
    )
    unit.lock(job.submission_id for job in exhausted if job.submission_id)
    for lane in lanes.values():
        bury(lane, unit, [(job, "lease expired on every attempt") for job in exhausted if job.lane == lane.name])
    unit.fed_lanes |= {job.lane for job in claims if job not in exhausted}
    return len(again), len(exhausted)


def _end_stale_pauses(unit: UnitOfWork) -> set[str]:
    connection = unit.connection
    rows = connection.exec_driver_sql(
        f"DELETE FROM lane_pause WHERE until <= {clock(connection)} RETURNING lane"  # noqa: S608 - our own SQL fragments
    ).fetchall()
    for (lane,) in rows:
        unit.record(None, Action.LANE_RESUMED, {Detail.LANE: lane})
    return {row[0] for row in rows}
