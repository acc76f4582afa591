"""What goes wrong in one place does not keep the rest from being seen to."""

import datetime as dt
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Never

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import InterfaceError

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.engine import drain as engine_drain
from pipeline.engine import lease as engine_lease
from pipeline.engine import sweep as engine_sweep
from pipeline.engine.stage import Done, LaneFailure, Verdict
from pipeline.engine.sweep import sweep
from pipeline.ledger import ClaimedJob
from pipeline.models import DeadJob, Heartbeat, Job, LanePause
from pipeline.status import EmailStatus
from pipeline.unit_of_work import UnitOfWork, begin
from tests.support.probe import MAXIMUM_ATTEMPTS, PROBE, Probe, ProbeStage
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, end_pauses, expire_leases, jobs, table

LEASE_SECONDS = 60.0


@dataclass
class FrailStage(ProbeStage):
    """Its rows go wrong where a database or a stage's own code may. `bad` is the target that does."""

    bad: uuid.UUID | None = None
    unreadable: bool = False
    unburiable: bool = False
    nothing_to_do: bool = False
    failing_for_all: bool = False
    recorded: list[Any] = field(default_factory=list)

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, uuid.UUID]:
        if self.unreadable and self.bad in {job.target_id for job in jobs}:
            connection.exec_driver_sql("SELECT missing FROM job")
        return {} if self.nothing_to_do else super().load(connection, jobs)

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        self.recorded += [verdict.result for verdict in verdicts if isinstance(verdict, Done)]
        if self.failing_for_all and len(verdicts) > 1:
            raise ValueError("too many at a time")
        if self.failing_for_all and verdicts[0].job.target_id == self.bad:
            raise LaneFailure("no more room", 60)
        super().record(unit, verdicts)

    def bury(self, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
        super().bury(unit, jobs)
        unit.insert(Heartbeat.table(), name="buried", at=unit.now)
        if self.unburiable and self.bad in {job.target_id for job, _ in jobs}:
            raise ValueError("its data is bad")


class CallsOut(ProbeStage):
    calls_out = True


@pytest.fixture
def frail(probe: Probe) -> FrailStage:
    """The stage of `probe`."""
    stage = FrailStage()
    probe.stage, probe.lane = stage, replace(probe.lane, stage=stage)
    return stage


def breaks(_unit: UnitOfWork) -> Never:
    raise ValueError("one of its rows is bad")


def spend_attempts(probe: Probe, *targets: uuid.UUID) -> None:
    """As if they had been tried as often as they may."""
    with probe.database.write() as connection:
        connection.execute(update(Job).where(Job.target_id.in_(targets)).values(attempts=MAXIMUM_ATTEMPTS))


# --- the sweep ---


def test_a_duty_that_fails_stops_neither_leases_nor_pauses_nor_other_duties(probe: Probe) -> None:
    probe.enqueue_new(1)
    probe.claim()
    expire_leases(probe.database)
    with probe.database.write() as connection:
        connection.execute(LanePause.table().insert().values(lane="refer", reason="", since=utc_now()))
    end_pauses(probe.database)
    done: list[UnitOfWork] = []
    swept = sweep(probe.database, probe.keys, {PROBE: probe.lane}, 0, (breaks, done.append, breaks))
    assert swept is not None
    assert (swept.given_back, swept.resumed, swept.fed_lanes) == (1, 1, frozenset({PROBE, "refer"}))
    assert [job.lease_token for job in jobs(probe.database)] == [None]
    assert len(done) == 1


def test_what_a_duty_did_before_it_failed_is_not_kept(probe: Probe) -> None:
    def half(unit: UnitOfWork) -> Never:
        unit.enqueue("refer", uuid.uuid4(), None)
        unit.flush()
        breaks(unit)

    swept = sweep(probe.database, probe.keys, {PROBE: probe.lane}, 0, (half,))
    assert swept is not None
    assert not swept.fed_lanes
    assert jobs(probe.database) == []


def test_leases_that_cannot_be_given_back_do_not_stop_the_duties(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_sweep, "_end_expired_leases", lambda unit, _lanes: breaks(unit))
    done: list[UnitOfWork] = []
    assert sweep(probe.database, probe.keys, {PROBE: probe.lane}, 0, (done.append,)) is not None
    assert len(done) == 1


def test_a_row_that_cannot_be_given_up_keeps_no_other_from_it_and_is_tried_again(
    probe: Probe, frail: FrailStage
) -> None:
    poison, exhausted, other = probe.enqueue_new(3)
    frail.bad, frail.unburiable = poison, True
    for _ in range(3):
        probe.claim(limit=1)
    spend_attempts(probe, poison, exhausted)
    expire_leases(probe.database)
    swept = probe.sweep()
    assert swept is not None
    assert (swept.given_back, swept.given_up) == (1, 1)
    assert {job.target_id: job.lease_token is None for job in jobs(probe.database)} == {poison: False, other: True}
    assert [row.target_id for row in table(probe.database, DeadJob.table())] == [exhausted]
    assert actions_about(probe, None).count("job:died") == 1
    frail.unburiable = False
    with probe.database.write() as connection:
        connection.execute(Heartbeat.table().delete())
    expire_leases(probe.database)
    probe.sweep()
    assert {row.target_id for row in table(probe.database, DeadJob.table())} == {poison, exhausted}


def test_rows_that_cannot_be_given_up_do_not_take_the_room_of_others(
    probe: Probe, frail: FrailStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_sweep, "BATCH", 1)
    poison, other = probe.enqueue_new(2)
    frail.bad, frail.unburiable = poison, True
    for _ in range(2):
        probe.claim(limit=1)
    spend_attempts(probe, poison)
    expire_leases(probe.database)
    for _ in range(2):
        probe.sweep()
    assert {job.target_id: job.lease_token is None for job in jobs(probe.database)} == {poison: False, other: True}


def test_a_clock_that_was_set_back_does_not_stop_the_sweep(probe: Probe) -> None:
    probe.sweep()
    with probe.database.write() as connection:
        connection.execute(update(Heartbeat).values(at=utc_now() + dt.timedelta(hours=1)))
    assert sweep(probe.database, probe.keys, {PROBE: probe.lane}, 5) is not None
    assert sweep(probe.database, probe.keys, {PROBE: probe.lane}, 5) is None, "its time is put right"


# --- the drain ---


def test_a_row_that_the_database_refuses_to_read_fails_alone(probe: Probe, frail: FrailStage) -> None:
    targets = probe.enqueue_new(3)
    frail.bad, frail.unreadable = targets[1], True
    probe.engine().drain(PROBE)
    assert probe.done() == {targets[0]: 1, targets[2]: 1}
    (job,) = jobs(probe.database)
    assert (job.target_id, job.attempts, job.lease_token) == (targets[1], 1, None)
    assert job.last_error.startswith("loading:")


def test_a_row_that_can_be_neither_recorded_nor_given_up_is_left_to_its_lease(probe: Probe, frail: FrailStage) -> None:
    targets = probe.enqueue_new(3)
    bad = frail.bad = targets[1]
    frail.unwritable, frail.unburiable = {bad}, True
    with probe.database.write() as connection:
        last = update(Job).where(Job.target_id == bad)
        connection.execute(last.values(attempts=MAXIMUM_ATTEMPTS - 1))
    probe.engine().drain(PROBE)
    assert probe.done() == {targets[0]: 1, targets[2]: 1}
    (job,) = jobs(probe.database)
    assert job.target_id == bad
    assert job.lease_token is not None


def test_row_by_row_what_fails_for_all_still_costs_nobody_an_attempt(probe: Probe, frail: FrailStage) -> None:
    targets = probe.enqueue_new(3)
    frail.bad, frail.failing_for_all = targets[1], True
    probe.engine().drain(PROBE)
    assert [row.reason for row in table(probe.database, LanePause.table())] == ["no more room"]
    assert {job.target_id: (job.attempts, job.lease_token) for job in jobs(probe.database)} == dict.fromkeys(
        targets, (0, None)
    )


def test_row_by_row_what_left_nothing_to_do_is_not_recorded(
    probe: Probe, frail: FrailStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first transaction fails for whatever reason."""
    probe.enqueue_new(2)
    frail.nothing_to_do = True

    @contextmanager
    def fails(*arguments: Any) -> Iterator[UnitOfWork]:
        with begin(*arguments) as unit:
            yield unit
            raise ValueError("of one row")

    monkeypatch.setattr(engine_drain, "begin", fails)
    probe.engine().drain(PROBE)
    assert jobs(probe.database) == []
    assert frail.recorded == []


def test_a_restart_of_the_database_does_not_make_answers_unknown_that_are_known(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(sqlite_context)
    drain(sqlite_context, "validate", "score")
    away = iter(range(40))

    @contextmanager
    def comes_back(*arguments: Any) -> Iterator[UnitOfWork]:
        if next(away, None) is not None:
            raise InterfaceError("", None, Exception())
        with begin(*arguments) as unit:
            yield unit

    monkeypatch.setattr(engine_drain, "begin", comes_back)
    monkeypatch.setattr(engine_drain, "time", SimpleNamespace(sleep=lambda _seconds: None, monotonic=time.monotonic))
    drain(sqlite_context, "email", transport=ScriptedTransport())
    assert {status for _, _, status in emails(sqlite_context)} == {EmailStatus.HANDED_OVER}


@pytest.mark.parametrize(
    ("stage", "stopping", "least", "most"),
    [
        (ProbeStage, False, 50.0, LEASE_SECONDS - engine_drain.FINISH_MARGIN_SECONDS),
        (ProbeStage, True, 0.5, 2.0),
        (CallsOut, True, 50.0, LEASE_SECONDS - engine_drain.FINISH_MARGIN_SECONDS),
    ],
)
def test_a_database_that_is_away_is_waited_for_within_the_lease(
    sqlite_probe: Probe,
    monkeypatch: pytest.MonkeyPatch,
    stage: type[ProbeStage],
    *,
    stopping: bool,
    least: float,
    most: float,
) -> None:
    probe = sqlite_probe
    probe.lane = replace(probe.lane, stage=stage(), lease_seconds=LEASE_SECONDS)
    probe.enqueue_new(2)
    pauses: list[float] = []

    def away(*_arguments: Any) -> Never:
        raise InterfaceError("", None, Exception())

    began = time.monotonic()
    monkeypatch.setattr(engine_lease, "time", SimpleNamespace(monotonic=lambda: began + sum(pauses)))
    monkeypatch.setattr(engine_drain, "time", SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic))
    monkeypatch.setattr(engine_drain, "begin", away)
    engine = probe.engine()
    engine.stopping = lambda: stopping
    engine.run_batch(probe.lane)
    assert least < sum(pauses) < most
    assert max(pauses) <= engine_drain.LONGEST_PAUSE_SECONDS
    assert all(job.lease_token is not None for job in jobs(probe.database))
