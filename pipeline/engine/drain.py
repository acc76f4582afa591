"""The drain: claim a batch, work on it, finish it in one transaction, and go on while there is work.

claim     one short transaction: due rows, a lease, what the batch needs to know
perform   no transaction: each row by itself (an email stage calls out here)
finish    one transaction: jobs still held, submissions locked, results + records + follow-up jobs, jobs deleted
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pipeline import ledger
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.db import Database, is_transient
from pipeline.engine.lane import Lane
from pipeline.engine.lease import Lease
from pipeline.engine.pace import Pace
from pipeline.engine.stage import Done, Failed, LaneFailure, Verdict, whereabouts
from pipeline.failpoints import Failpoint, reach
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from pipeline.low_water import LowWater
from pipeline.unit_of_work import UnitOfWork, begin

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 20.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
"""Between two attempts to finish while the database is away: each pause is twice the one before, up to this."""
FINISH_MARGIN_SECONDS = 5.0
"""Left of a lease when the last attempt to finish begins: waiting for a connection may take as long."""


_Items = Mapping[int, object]
"""What a stage has read for each job, by the job's id."""
_Unloaded = Mapping[int, Failed]
_Load = Callable[[Lane, Connection, Sequence[ClaimedJob]], tuple[_Items, _Unloaded]]


class _NotLoaded(Exception):
    """What the stage needs could not be read for all jobs of a claim at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim came to. `may_be_more`: it was full, or held some of what a dead worker left behind."""

    jobs: int
    fed_lanes: frozenset[str]
    may_be_more: bool


@dataclass(slots=True)
class Engine:
    """Drains the lanes of one process, which stand most urgent first. `wake` is told, after a commit, what was fed."""

    database: Database
    keys: Keys
    lanes: Mapping[str, Lane]
    wake: Callable[[str], None] = lambda _lane: None
    lease_seconds: float | None = None
    stopping: Callable[[], bool] = lambda: False
    serves: frozenset[str] = field(default_factory=frozenset)
    """The lanes this process consumes, which it serves straight on without a message."""
    _paces: dict[str, Pace] = field(default_factory=lambda: defaultdict(Pace))
    _low_waters: dict[str, LowWater] = field(default_factory=lambda: defaultdict(LowWater))

    def drain(self, name: str) -> int:
        """Work on a lane, then on lanes it fed, until a claim comes back short or the time is up.

        Returns how many jobs were worked on. A lane this process does not know is left alone: a newer one serves it.
        """
        worked, until = 0, time.monotonic() + DRAIN_SECONDS
        queue = [name] if name in self.lanes else []
        while queue and not self.stopping():
            lane = self.lanes[queue.pop(0)]
            while not self.stopping():
                if time.monotonic() > until:
                    self.wake(lane.name)
                    for waiting in queue:
                        self.wake(waiting)
                    return worked
                batch = self.run_batch(lane)
                worked += batch.jobs
                for other in sorted(batch.fed_lanes, key=self._urgency):
                    if other in self.serves and other != lane.name:
                        if other not in queue:
                            queue.append(other)
                    else:
                        self.wake(other)
                if not batch.may_be_more:
                    break
        return worked

    def _urgency(self, name: str) -> int:
        """The place in `lanes`, which stand most urgent first; lanes of a newer version come last."""
        return [*self.lanes, name].index(name)

    def run_batch(self, lane: Lane) -> Batch:
        """One claim and what comes of it."""
        pace = self._paces[lane.name]
        size = pace.batch_size(lane.batch_size)
        lease = Lease.starting_now(self.lease_seconds or lane.lease_seconds)
        try:
            jobs, items, unloaded = self._claim(lane, size, lease, _load_together)
        except _NotLoaded:
            jobs, items, unloaded = self._claim(lane, size, lease, _load_row_by_row)
        if not jobs:
            return Batch(0, frozenset(), may_be_more=False)
        reach(Failpoint.DRAIN_AFTER_CLAIM, lane.name)
        full = len(jobs) == size
        if full:
            self.wake(lane.name)  # more than this worker can hold: call a second one before working
        suspects = [job for job in jobs if job.isolated]
        fed = self._run_portion(lane, [job for job in jobs if not job.isolated], items, unloaded, lease)
        if suspects:
            fed |= self._run_suspects(lane, suspects, lease)
        pace.note(len(jobs), time.monotonic() - lease.started)
        return Batch(len(jobs), frozenset(fed), may_be_more=full or bool(suspects))

    def _claim(self, lane: Lane, size: int, lease: Lease, load: _Load) -> tuple[list[ClaimedJob], _Items, _Unloaded]:
        """Up to `size` jobs, and what those of them need that are no suspects. Raises what `load` does."""
        with self.database.write_soon() as connection:
            jobs = ledger.claim(connection, lane.name, size, lease.seconds, self._low_waters[lane.name])
            return jobs, *load(lane, connection, [job for job in jobs if not job.isolated])

    def _run_suspects(self, lane: Lane, jobs: list[ClaimedJob], lease: Lease) -> set[str]:
        """Work on what a dead worker left behind, once the others are safe. Not even read before: that may kill."""
        try:
            with self.database.write() as connection:
                if ledger.is_paused(connection, lane.name):
                    _give_back(connection, jobs, "lane paused")
                    return set()
                items, unloaded = _load_row_by_row(lane, connection, jobs)
        except DBAPIError as error:
            if not is_transient(error):
                raise
            log.warning("database unavailable", lane=lane.name, **whereabouts(error))
            return set()
        return self._run_portion(lane, jobs, items, unloaded, lease)

    def _run_portion(
        self,
        lane: Lane,
        jobs: list[ClaimedJob],
        items: Mapping[int, object],
        unloaded: Mapping[int, Failed],
        lease: Lease,
    ) -> set[str]:
        pending = {job.id: job for job in jobs}
        fed: set[str] = set()
        nothing_to_do: list[Verdict] = [unloaded.get(job.id) or Done(job, None) for job in jobs if job.id not in items]
        try:
            if nothing_to_do:
                fed |= self._finish(lane, nothing_to_do, lease, recorded=False)
            for verdict in nothing_to_do:
                del pending[verdict.job.id]
            if not pending:
                return fed
            for verdicts in lane.stage.perform(list(pending.values()), items, lease):
                fed |= self._finish(lane, verdicts, lease)
                for verdict in verdicts:
                    del pending[verdict.job.id]
                if pending and self.stopping():
                    with self.database.write() as connection:
                        _give_back(connection, list(pending.values()), "stopped")
                    break
        except LaneFailure as failure:
            self._pause(lane, list(pending.values()), str(failure), failure.pause_seconds)
        except DBAPIError as error:
            if not is_transient(error):
                raise
            # The database stays away: the lease will run out and the sweep will give the rows back.
            log.warning("database unavailable", lane=lane.name, **whereabouts(error))
        return fed

    def _finish(self, lane: Lane, verdicts: Sequence[Verdict], lease: Lease, *, recorded: bool = True) -> set[str]:
        """Write what came of the jobs. A database that is away (a restart, say) is waited for while the lease lasts."""
        reach(Failpoint.DRAIN_BEFORE_FINISH, lane.name)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._finish_together(lane, verdicts, recorded=recorded)
            except DBAPIError as error:
                if not is_transient(error) or not self._may_wait(lane, lease, pause):
                    raise
                log.warning("finish is tried again", lane=lane.name, seconds=pause, **whereabouts(error))
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _may_wait(self, lane: Lane, lease: Lease, seconds: float) -> bool:
        """Whether to try once more to finish. Who was asked to stop waits long only for what cannot be done again."""
        margin = min(FINISH_MARGIN_SECONDS, lease.seconds / 4)
        is_patient = lane.stage.calls_out or not self.stopping() or seconds < LONGEST_PAUSE_SECONDS
        return is_patient and lease.remaining_seconds - seconds > margin

    def _finish_together(self, lane: Lane, verdicts: Sequence[Verdict], *, recorded: bool) -> set[str]:
        try:
            with begin(self.database, self.keys, actions.lane(lane.name)) as unit:
                self._write(lane, unit, verdicts, recorded=recorded)
                unit.flush()
                reach(Failpoint.DRAIN_BEFORE_COMMIT, lane.name)
        except LaneFailure:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.error("bulk finish failed, going row by row", lane=lane.name, **whereabouts(error))
            return self._finish_row_by_row(lane, verdicts, recorded=recorded)
        reach(Failpoint.DRAIN_AFTER_COMMIT, lane.name)
        return unit.fed_lanes

    def _finish_row_by_row(self, lane: Lane, verdicts: Sequence[Verdict], *, recorded: bool) -> set[str]:
        """One row's data broke the bulk: give each its own savepoint, so that only that row fails."""
        fed: set[str] = set()
        with self.database.write() as connection:
            for verdict in verdicts:
                unit = UnitOfWork(connection, actions.lane(lane.name), self.keys)
                error = self._write_apart(lane, unit, verdict, recorded=recorded)
                if error is not None:
                    # What cannot even be written as failed is left to its lease.
                    failed = Failed(verdict.job, f"recording:{type(error).__name__}")
                    self._write_apart(lane, unit, failed, recorded=recorded)
                fed |= unit.fed_lanes
            reach(Failpoint.DRAIN_ROW_BY_ROW, lane.name)
        return fed

    def _write_apart(self, lane: Lane, unit: UnitOfWork, verdict: Verdict, *, recorded: bool) -> Exception | None:
        """Write one verdict under a savepoint; what was wrong with it, if anything."""
        try:
            with unit.connection.begin_nested():
                self._write(lane, unit, [verdict], recorded=recorded)
                unit.flush()
        except LaneFailure:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.error("job could not be recorded", job=verdict.job.id, lane=lane.name, **whereabouts(error))
            unit.discard()
            return error
        return None

    def _write(self, lane: Lane, unit: UnitOfWork, verdicts: Sequence[Verdict], *, recorded: bool = True) -> None:
        generations = ledger.hold(unit.connection, [verdict.job for verdict in verdicts])
        held = [verdict for verdict in verdicts if verdict.job.id in generations]
        if not held:
            return
        if recorded:
            unit.lock(verdict.job.submission_id for verdict in held if verdict.job.submission_id)
            lane.stage.record(unit, held)
        done = [verdict.job for verdict in held if isinstance(verdict, Done)]
        unit.fed_lanes |= ledger.finish(unit.connection, done, generations)
        failed = [verdict for verdict in held if isinstance(verdict, Failed)]
        given_up = [
            v
            for v in failed
            # What was asked for again meanwhile gets its new chance.
            if generations[v.job.id] == v.job.generation
            and (v.permanent or (v.costs_attempt and v.job.attempts >= lane.maximum_attempts))
        ]
        ledger.release(unit.connection, [self._retry(lane, verdict) for verdict in failed if verdict not in given_up])
        bury(lane, unit, [(verdict.job, verdict.code) for verdict in given_up])

    def _retry(self, lane: Lane, failed: Failed) -> ledger.Retry:
        delay = failed.delay_seconds if failed.delay_seconds is not None else lane.backoff(max(failed.job.attempts, 1))
        return ledger.Retry(failed.job, delay, failed.code, failed.costs_attempt)

    def _pause(self, lane: Lane, jobs: Sequence[ClaimedJob], reason: str, seconds: float) -> None:
        log.warning("lane paused", lane=lane.name, reason=reason, seconds=seconds)
        with begin(self.database, self.keys, actions.lane(lane.name)) as unit:
            _give_back(unit.connection, jobs, reason)
            if ledger.pause(unit.connection, lane.name, reason, seconds):
                unit.record(None, Action.LANE_PAUSED, {Detail.LANE: lane.name, Detail.CODE: reason})


def _give_back(connection: Connection, jobs: Sequence[ClaimedJob], reason: str) -> None:
    """Release jobs that were not worked on, without cost, so that nobody waits for the lease to end."""
    held = ledger.hold(connection, jobs)
    again = [ledger.Retry(job, 0, reason, costs_attempt=False) for job in jobs if job.id in held]
    ledger.release(connection, again)


def _load_together(lane: Lane, connection: Connection, jobs: Sequence[ClaimedJob]) -> tuple[_Items, _Unloaded]:
    """What the stage needs of each job. Raises `_NotLoaded` if that of some job cannot be had.

    The claim is undone with it, and made again. A savepoint, two round trips, would be needed nearly never.
    """
    if not jobs:
        return {}, {}
    try:
        return lane.stage.load(connection, jobs), {}
    except Exception as error:
        if is_transient(error):
            raise
        log.error("loading failed, going row by row", lane=lane.name, **whereabouts(error))
        raise _NotLoaded from error


def _load_row_by_row(lane: Lane, connection: Connection, jobs: Sequence[ClaimedJob]) -> tuple[_Items, _Unloaded]:
    """As `_load_together`, and the jobs of which it cannot be had: they fail, not the batch.

    Under savepoints: what the database refuses to read must not undo the claim.
    """
    items: dict[int, object] = {}
    failed: dict[int, Failed] = {}
    for job in jobs:
        try:
            with connection.begin_nested():
                items |= lane.stage.load(connection, [job])
        except Exception as error:
            if is_transient(error):
                raise
            log.error("job could not be loaded", job=job.id, lane=lane.name, **whereabouts(error))
            failed[job.id] = Failed(job, f"loading:{type(error).__name__}")
    return items, failed


def bury(lane: Lane, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
    """Give jobs up: to the dead letters, on record, with what the stage makes of it."""
    if not jobs:
        return
    ledger.bury(unit.connection, jobs, unit.now)
    lane.stage.bury(unit, jobs)
    for job, reason in jobs:
        unit.record(job.submission_id, Action.JOB_DIED, {Detail.LANE: lane.name, Detail.CODE: reason}, job=job)
