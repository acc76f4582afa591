"""The ledger and the engine around it against a model that fits on a page, whatever happens in whatever order.

What takes time is made to have happened in the database, by whose clock everything is reckoned. A longer run:

    pytest tests/pipeline/engine/test_ledger_model.py --hypothesis-profile=long
"""

import itertools
import math
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, update
from uuid_utils.compat import uuid7

from pipeline import ledger
from pipeline.audit import actions
from pipeline.db import Database, utc_now
from pipeline.engine import sweep as engine_sweep
from pipeline.engine.drain import _give_back
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Done, Failed, Verdict
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob, NewJob
from pipeline.low_water import LowWater
from pipeline.models import DeadJob, Heartbeat, Job, LanePause
from pipeline.operations import dead_letters
from tests.support.probe import MAXIMUM_ATTEMPTS, PROBE, Probe
from tests.support.work import LONG_AGO, table

FUTURE = "from-the-future"
"""A lane that this version does not know: nothing of it is ever given up."""
TARGETS = [uuid.UUID(int=number) for number in range(1, 5)]
SOURCES = {target: "a flood" if number < 3 else f"a trickle {number}" for number, target in enumerate(TARGETS)}
PARTS = 2
"""Into which what a dead worker left behind is divided here, where there are few jobs."""
NEARLY_NEVER = 1e-12
LATER = 3600.0
LEASE = 600.0
STAFF = actions.staff("tests")
_BRIEF = settings(max_examples=30, stateful_step_count=30, derandomize=True)
SETTINGS = settings(
    _BRIEF if settings.get_current_profile_name() in {"default", "ci"} else settings(),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(slots=True)
class Due:
    """A job as it should be. `token` is set while somebody holds it, `lapsed` when that is for longer than agreed.

    `suspicion` is a number of the part of a dead claim with which it is worked on again, while it is `isolated`.
    """

    is_due: bool
    generation: int = 1
    attempts: int = 0
    isolated: bool = False
    suspicion: int = 0
    token: uuid.UUID | None = None
    lapsed: bool = False

    @property
    def as_row(self) -> tuple[object, ...]:
        return (self.is_due, self.generation, self.attempts, self.isolated, self.token)

    def ask_again(self, *, is_due: bool) -> None:
        self.generation, self.attempts, self.is_due = self.generation + 1, 0, self.is_due or is_due

    def give_back(self, claim: ClaimedJob, *, is_due: bool, costs: bool) -> None:
        self.token, self.lapsed = None, False
        self.isolated &= not costs
        if not costs:
            self.attempts = max(self.attempts - 1, 0)
        if claim.generation == self.generation:
            self.is_due = is_due


class Pause(Enum):
    SHORT = 30.0
    LONG = LATER
    UNTIL_RESUMED = None
    OVER = "over"


_LASTS = [Pause.OVER, Pause.SHORT, Pause.LONG, Pause.UNTIL_RESUMED]
Name = tuple[str, uuid.UUID]
T = TypeVar("T")


@dataclass
class Model:
    """What is to be done, what was given up, how often what was done, and which lanes rest."""

    jobs: dict[Name, Due] = field(default_factory=dict)
    dead: dict[int, Name] = field(default_factory=dict)
    paused: dict[str, Pause] = field(default_factory=dict)
    done: Counter[uuid.UUID] = field(default_factory=Counter)
    suspicions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, name: Name, *, is_due: bool) -> None:
        if name in self.jobs:
            self.jobs[name].ask_again(is_due=is_due)
        else:
            self.jobs[name] = Due(is_due)

    def held(self, claim: ClaimedJob) -> Due | None:
        """The job, if this claim still counts."""
        job = self.jobs.get((claim.lane, claim.target_id))
        return job if job is not None and job.token == claim.token else None

    def bury(self, claim: ClaimedJob) -> None:
        name = (claim.lane, claim.target_id)
        del self.jobs[name]
        self.dead[claim.id] = name

    def pause(self, lane: str, seconds: float | None) -> bool:
        """Whether it rests for so long now: not if it rests for longer."""
        wanted, stands = Pause(seconds), self.paused.get(lane, Pause.OVER)
        if _LASTS.index(wanted) > _LASTS.index(stands):
            self.paused[lane] = wanted
            return True
        return wanted is stands is not Pause.UNTIL_RESUMED


class LedgerMachine(RuleBasedStateMachine):
    """Everything that may happen to jobs, in any order, each in the transactions in which it happens."""

    def __init__(self, database: Database, keys: Keys) -> None:
        super().__init__()
        self.probe = Probe(database, keys)
        self.engine = self.probe.engine()
        self.model = Model()
        self.claims: list[ClaimedJob] = []
        self.low_water = LowWater(look_back_share=NEARLY_NEVER)

    @initialize()
    def begin_with_nothing(self) -> None:
        with self.probe.database.write() as connection:
            for each in (Job, DeadJob, LanePause, Heartbeat):
                connection.execute(delete(each))

    # --- asking for work ---

    @rule(
        lane=st.sampled_from([PROBE, PROBE, FUTURE]),
        asked=st.lists(st.tuples(st.sampled_from(TARGETS), st.sampled_from([0.0, 0.0, LATER])), min_size=1, max_size=4),
    )
    def ask(self, lane: str, asked: list[tuple[uuid.UUID, float]]) -> None:
        with self.probe.database.write() as connection:
            new = [NewJob(lane, target, None, delay, SOURCES[target]) for target, delay in asked]
            fed = ledger.enqueue(connection, new)
        soonest = {target: min(delay for each, delay in asked if each == target) for target, _ in asked}
        assert fed == ({lane} if 0.0 in soonest.values() else set())
        for target, delay in soonest.items():
            self.model.ask((lane, target), is_due=delay == 0)

    @precondition(lambda self: any(not job.is_due for job in self.model.jobs.values()))
    @rule()
    def wait_until_due(self) -> None:
        """Whoever backs off has waited long enough."""
        self._update(update(Job).where(Job.due_at > utc_now()).values(due_at=utc_now() - LONG_AGO))
        for job in self.model.jobs.values():
            job.is_due = True

    # --- working ---

    @rule(limit=st.integers(1, 5))
    def claim_here(self, limit: int) -> None:
        self.claim(PROBE, limit)

    @rule(lane=st.sampled_from([PROBE, FUTURE]), limit=st.integers(1, 5))
    def claim(self, lane: str, limit: int) -> None:
        may, claimed = self._claim(lane, limit)
        taken = {job.id for job in claimed}
        assert len(taken) == len(claimed) == min(limit, len(may))
        sources = {row.source for row in may}
        for source in sources:
            of_it = [row for row in may if row.source == source]
            mine = [row for row in of_it if row.id in taken]
            assert len(mine) >= min(len(of_it), limit // len(sources))
            assert all(row.due_at >= each.due_at for row in of_it if row.id not in taken for each in mine)

    @rule(limit=st.integers(1, 5))
    def claim_from_marks(self, limit: int) -> None:
        """By a process that never looks back but when it finds nothing else: it may overlook something older."""
        may, claimed = self._claim(PROBE, limit, self.low_water)
        assert len(claimed) <= limit
        assert bool(claimed) == bool(may)

    def _claim(self, lane: str, limit: int, low_water: LowWater | None = None) -> tuple[list[Any], list[ClaimedJob]]:
        """The rows that might be claimed, and the claim."""
        before = {row.id: row for row in table(self.probe.database, Job.table())}
        with self.probe.database.write() as connection:
            claimed = ledger.claim(connection, lane, limit, LEASE, low_water)
        free = [row for row in before.values() if self._is_free(row, lane)]
        suspicion = next((self._of(row).suspicion for row in free if row.isolated), None)
        may = [row for row in free if not row.isolated or self._of(row).suspicion == suspicion]
        assert {job.id for job in claimed} <= {row.id for row in may}
        assert len({job.token for job in claimed}) <= 1
        for job in claimed:
            due = self.model.jobs[(lane, job.target_id)]
            due.attempts, due.token, due.lapsed = due.attempts + 1, job.token, False
            assert (job.generation, job.attempts, job.isolated) == (due.generation, due.attempts, due.isolated)
        self.claims += claimed
        return may, claimed

    @precondition(lambda self: self._held())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Work of one claim or of several is done, failed or was given up."""
        self._come_back(data, data.draw(_batch(self._held())))

    @precondition(lambda self: len(self.claims) > len(self._held()))
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        """Whoever comes back with what somebody else has taken over, or finished, is not heard."""
        held = self._held()
        late = [claim for claim in self.claims if claim not in held]
        self._come_back(data, data.draw(_batch(late[-6:])))

    @precondition(lambda self: self._held())
    @rule(data=st.data())
    def ask_for_what_is_held(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self._held()))
        self.ask(job.lane, [(job.target_id, data.draw(st.sampled_from([0.0, LATER])))])

    @rule(of=st.sampled_from(TARGETS), is_done=st.booleans(), permanent=st.booleans())
    def end_what_is_asked_for_again(self, of: uuid.UUID, *, is_done: bool, permanent: bool) -> None:
        """It gets its new chance, and at once: what was done, or failed, knew nothing of what it is asked for now."""
        self.ask(PROBE, [(of, 0.0)])
        for job in self._claim_of(of):
            self.ask(PROBE, [(of, 0.0)])
            failed = Failed(replace(job, attempts=MAXIMUM_ATTEMPTS), "failed", permanent, LATER)
            self._end_with([Done(job, f"{of} {uuid7()}") if is_done else failed])

    @rule(of=st.sampled_from(TARGETS))
    def give_up_and_retry(self, of: uuid.UUID) -> None:
        """It fails, and then for good; somebody puts right what was wrong with it."""
        self.ask(PROBE, [(of, 0.0)])
        for job in self._claim_of(of):
            self._end_with([Failed(job, "busy", delay_seconds=0)])
        for job in self._claim_of(of):
            self._end_with([Failed(job, "never", permanent=True)])
            self._retry([job.id])

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        """A worker ends in good order."""
        jobs = self._draw_batch(data)
        with self.probe.database.write() as connection:
            _give_back(connection, jobs, "stopped")
        self._give_back(jobs)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), seconds=st.sampled_from([30.0, LATER]))
    def fail_for_everyone(self, data: st.DataObject, seconds: float) -> None:
        jobs = self._draw_batch(data)
        self.engine._pause(self.probe.lane, jobs, "provider down", seconds)
        self._give_back(jobs)
        self.model.pause(PROBE, seconds)

    # --- dying ---

    @precondition(lambda self: self._held())
    @rule(data=st.data())
    def lease_runs_out(self, data: st.DataObject) -> None:
        """The worker is dead, or only slow: it may still come back with its result."""
        jobs = data.draw(_batch(self._held()))
        lapsed = update(Job).where(Job.lease_token.in_([job.token for job in jobs]), Job.id.in_([j.id for j in jobs]))
        self._update(lapsed.values(lease_until=utc_now() - LONG_AGO))
        for job in jobs:
            self.model.jobs[(job.lane, job.target_id)].lapsed = True

    @rule()
    def sweep(self) -> None:
        swept = self.probe.sweep()
        assert swept is not None
        resumed = {lane for lane, pause in self.model.paused.items() if pause is Pause.OVER}
        for lane in resumed:
            del self.model.paused[lane]
        fed = set(resumed)
        given_back = given_up = 0
        for dead in self._dead_claims():
            was_at = [claim for claim in dead if not claim.isolated] or dead
            size = math.ceil(len(was_at) / PARTS)
            parts = [next(self.model.suspicions) for _ in range(PARTS)]
            for claim in dead:
                job = self.model.jobs[(claim.lane, claim.target_id)]
                is_alone = was_at == [claim]
                if is_alone and claim.lane == PROBE and job.attempts >= MAXIMUM_ATTEMPTS:
                    self.model.bury(claim)
                    given_up += 1
                    continue
                job.token, job.lapsed, job.isolated = None, False, True
                if claim in was_at:
                    job.suspicion = parts[was_at.index(claim) // size]
                if not is_alone:
                    job.attempts = max(job.attempts - 1, 0)
                given_back += 1
                fed.add(claim.lane)
        assert (swept.given_back, swept.given_up, swept.resumed) == (given_back, given_up, len(resumed))
        assert swept.fed_lanes == fed

    @precondition(lambda self: any(job.is_due and not job.token for job in self.model.jobs.values()))
    @rule()
    def everyone_dies(self) -> None:
        """Whoever takes something does not come back."""
        self.claim(PROBE, len(TARGETS))
        held = [claim for claim in self.claims if self.model.held(claim) is not None]
        self._update(update(Job).where(Job.lease_until.is_not(None)).values(lease_until=utc_now() - LONG_AGO))
        for claim in held:
            self.model.jobs[(claim.lane, claim.target_id)].lapsed = True
        self.sweep()

    @rule(limit=st.integers(1, len(TARGETS)), works=st.booleans())
    def work_on_what_is_left_behind(self, limit: int, *, works: bool) -> None:
        """Everything at once is left behind; of a part of it something is done, or given back."""
        self.ask(PROBE, [(target, 0.0) for target in TARGETS])
        self.everyone_dies()
        known = len(self.claims)
        self.claim(PROBE, limit)
        claimed = self.claims[known:]
        if works:
            self._end_with([Done(job, f"{job.target_id} {uuid7()}") for job in claimed])
        else:
            with self.probe.database.write() as connection:
                _give_back(connection, claimed, "stopped")
            self._give_back(claimed)

    # --- people ---

    @rule(lane=st.sampled_from([FUTURE, FUTURE, PROBE]), seconds=st.sampled_from([None, 30.0, LATER]))
    def pause(self, lane: str, seconds: float | None) -> None:
        with self.probe.database.write() as connection:
            stands = ledger.pause(connection, lane, "by hand", seconds)
        assert stands == self.model.pause(lane, seconds)

    @precondition(lambda self: self.model.paused)
    @rule(lane=st.sampled_from([PROBE, PROBE, FUTURE]))
    def resume(self, lane: str) -> None:
        with self.probe.database.write() as connection:
            assert ledger.resume(connection, lane) == (lane in self.model.paused)
        self.model.paused.pop(lane, None)

    @precondition(lambda self: self.model.paused)
    @rule(lane=st.sampled_from([PROBE, PROBE, FUTURE]))
    def pause_runs_out(self, lane: str) -> None:
        over = update(LanePause).where(LanePause.lane == lane, LanePause.until.is_not(None))
        self._update(over.values(until=utc_now() - LONG_AGO))
        if self.model.paused.get(lane) not in {None, Pause.UNTIL_RESUMED}:
            self.model.paused[lane] = Pause.OVER

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data())
    def retry_dead_letters(self, data: st.DataObject) -> None:
        self._retry(data.draw(_some(sorted(self.model.dead))))

    def _retry(self, ids: list[int]) -> None:
        retried = dead_letters.retry(self.probe.database, self.probe.keys, STAFF, [*ids, -1])
        assert set(retried.retried) == set(ids)
        for name in {self.model.dead[id_] for id_ in ids}:
            self.model.ask(name, is_due=True)
        for id_ in ids:
            del self.model.dead[id_]

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data())
    def discard_dead_letters(self, data: st.DataObject) -> None:
        ids = data.draw(_some(sorted(self.model.dead)))
        assert set(dead_letters.discard(self.probe.database, self.probe.keys, STAFF, [*ids, -1], "no use")) == set(ids)
        for id_ in ids:
            del self.model.dead[id_]

    def _dead_claims(self) -> list[list[ClaimedJob]]:
        """What is left of each claim whose lease is over, in the order of ids."""
        dead: dict[uuid.UUID, list[ClaimedJob]] = defaultdict(list)
        for claim in sorted(self.claims, key=lambda claim: claim.id):
            job = self.model.held(claim)
            if job is not None and job.lapsed:
                dead[claim.token].append(claim)
        return list(dead.values())

    # --- what always holds ---

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        now = utc_now()
        jobs = {
            (row.lane, row.target_id): (row.due_at <= now, row.generation, row.attempts, row.isolated, row.lease_token)
            for row in table(self.probe.database, Job.table())
        }
        assert jobs == {name: job.as_row for name, job in self.model.jobs.items()}
        suspected = [row for row in table(self.probe.database, Job.table()) if row.isolated]
        by_suspicion = _parts(((row.lane, row.target_id), row.suspicion or row.id) for row in suspected)
        assert by_suspicion == _parts((name, job.suspicion) for name, job in self.model.jobs.items() if job.isolated)
        dead = {row.id: (row.lane, row.target_id) for row in table(self.probe.database, DeadJob.table())}
        assert dead == self.model.dead
        assert self.probe.done() == self.model.done

    def _of(self, row: Any) -> Due:
        return self.model.jobs[(row.lane, row.target_id)]

    def _is_free(self, row: Any, lane: str) -> bool:
        job = self._of(row)
        rests = self.model.paused.get(lane, Pause.OVER) is not Pause.OVER
        return bool(row.lane == lane and not rests and job.is_due and job.token is None)

    def _come_back(self, data: st.DataObject, jobs: list[ClaimedJob]) -> None:
        ends = data.draw(st.lists(st.sampled_from(_ENDS), min_size=len(jobs), max_size=len(jobs)))
        self._end_with([end(job) for job, end in zip(jobs, ends, strict=True)])

    def _end_with(self, verdicts: list[Verdict]) -> None:
        fed = self.engine._finish(self.probe.lane, verdicts, Lease.starting_now(LEASE))
        assert fed == {verdict.job.lane for verdict in verdicts if self._is_asked_again(verdict)}
        for verdict in verdicts:
            self._end(verdict)

    def _claim_of(self, target: uuid.UUID) -> list[ClaimedJob]:
        """The claim of it, among others, if nobody else has it and the lane does not rest."""
        known = len(self.claims)
        self.claim(PROBE, len(TARGETS))
        return [job for job in self.claims[known:] if job.target_id == target]

    def _draw_batch(self, data: st.DataObject) -> list[ClaimedJob]:
        """Of claims that count, or of any that were ever made: most of them count for nothing any more."""
        held = self._held()
        only_held = data.draw(st.booleans())
        return data.draw(_batch(held if held and only_held else self.claims))

    def _held(self) -> list[ClaimedJob]:
        return [claim for claim in self.claims if self.model.held(claim) is not None]

    def _is_asked_again(self, verdict: Verdict) -> bool:
        job = self.model.held(verdict.job)
        return isinstance(verdict, Done) and job is not None and job.generation != verdict.job.generation

    def _end(self, verdict: Verdict) -> None:
        claim = verdict.job
        job = self.model.held(claim)
        if job is None:
            return
        if isinstance(verdict, Done):
            self.model.done[claim.target_id] += 1
        is_new = job.generation == claim.generation
        if isinstance(verdict, Done) and is_new:
            del self.model.jobs[(claim.lane, claim.target_id)]
        elif isinstance(verdict, Done):
            job.give_back(claim, is_due=True, costs=False)
        elif is_new and (verdict.permanent or (verdict.costs_attempt and claim.attempts >= MAXIMUM_ATTEMPTS)):
            self.model.bury(claim)
        else:
            job.give_back(claim, is_due=verdict.delay_seconds == 0, costs=verdict.costs_attempt)

    def _give_back(self, claims: Iterable[ClaimedJob]) -> None:
        for claim in claims:
            if (job := self.model.held(claim)) is not None:
                job.give_back(claim, is_due=True, costs=False)

    def _update(self, statement: Any) -> None:
        with self.probe.database.write() as connection:
            connection.execute(statement)


def _parts(named: Iterable[tuple[Name, Any]]) -> set[frozenset[Name]]:
    """Who has the same suspicion, whatever it is called."""
    parts: dict[Any, set[Name]] = defaultdict(set)
    for name, suspicion in named:
        parts[suspicion].add(name)
    return {frozenset(part) for part in parts.values()}


def _some(of: Sequence[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(st.sampled_from(of), min_size=1, max_size=4, unique=True)


def _batch(of: Sequence[ClaimedJob]) -> st.SearchStrategy[list[ClaimedJob]]:
    """No worker has the same job twice, by two of its claims, in one batch."""
    return st.lists(st.sampled_from(of), min_size=1, max_size=4, unique_by=lambda job: job.id)


_ENDS: tuple[Callable[[ClaimedJob], Verdict], ...] = (
    lambda job: Done(job, f"{job.target_id} {uuid7()}"),
    lambda job: Done(job, f"{job.target_id} {uuid7()}"),
    lambda job: Failed(job, "busy", delay_seconds=0),
    lambda job: Failed(job, "busy", delay_seconds=LATER),
    lambda job: Failed(job, "not its fault", delay_seconds=0, costs_attempt=False),
    lambda job: Failed(job, "never", permanent=True),
)


def test_whatever_happens_the_ledger_does_as_its_model(
    database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_sweep, "PARTS", PARTS)

    class OnThisDatabase(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(database, keys)

    run_state_machine_as_test(OnThisDatabase, settings=SETTINGS)
