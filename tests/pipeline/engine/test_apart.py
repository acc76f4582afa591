"""What goes wrong in one place does not keep the rest from being seen to."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

import pytest
from sqlalchemy import update
from sqlalchemy.exc import InterfaceError

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.engine import drain as engine_drain
from pipeline.engine.sweep import sweep
from pipeline.ledger import ClaimedJob
from pipeline.models import Heartbeat, Job
from pipeline.status import EmailStatus
from pipeline.unit_of_work import UnitOfWork, begin
from tests.support.probe import MAXIMUM_ATTEMPTS, PROBE, Probe
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, emails, expire_leases, jobs


def breaks(_unit: UnitOfWork) -> Never:
    raise ValueError("one of its rows is bad")


@pytest.mark.xfail(reason="leases and duties are one transaction: a duty that fails each time ends all recovery")
def test_a_duty_that_fails_does_not_keep_leases_from_being_given_back(probe: Probe) -> None:
    probe.enqueue_new(1)
    probe.claim()
    expire_leases(probe.database)
    with pytest.raises(ValueError, match="one of its rows"):
        sweep(probe.database, probe.keys, {PROBE: probe.lane}, 0, (breaks,))
    assert [job.lease_token for job in jobs(probe.database)] == [None]


@pytest.mark.xfail(reason="all that is given up is one transaction: a row that cannot be buried ends all recovery")
def test_a_row_that_cannot_be_given_up_does_not_keep_others_from_being_given_back(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_unit: UnitOfWork, _jobs: list[tuple[ClaimedJob, str]]) -> Never:
        raise ValueError("its data is bad")

    monkeypatch.setattr(probe.stage, "bury", cannot)
    poison, other = probe.enqueue_new(2)
    probe.claim()
    with probe.database.write() as connection:
        connection.execute(update(Job).where(Job.target_id == poison).values(attempts=MAXIMUM_ATTEMPTS))
    expire_leases(probe.database)
    with pytest.raises(ValueError, match="its data"):
        probe.sweep()
    assert {job.target_id: job.lease_token is None for job in jobs(probe.database)} == {poison: False, other: True}


@pytest.mark.xfail(reason="the turn waits until the database's clock has caught up with the time of the last one")
def test_a_clock_that_was_set_back_does_not_stop_the_sweep(probe: Probe) -> None:
    probe.sweep()
    with probe.database.write() as connection:
        connection.execute(update(Heartbeat).values(at=utc_now() + dt.timedelta(hours=1)))
    assert sweep(probe.database, probe.keys, {PROBE: probe.lane}, 5) is not None


@pytest.mark.xfail(reason="a finish is tried for a fraction of a second; then what was sent is of unknown fate")
def test_a_restart_of_the_database_does_not_make_answers_unknown_that_are_known(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(sqlite_context)
    drain(sqlite_context, "validate", "score")
    away = iter(range(5))

    @contextmanager
    def comes_back(*arguments: Any) -> Iterator[UnitOfWork]:
        if next(away, None) is not None:
            raise InterfaceError("", None, Exception())
        with begin(*arguments) as unit:
            yield unit

    monkeypatch.setattr(engine_drain, "begin", comes_back)
    drain(sqlite_context, "email", transport=ScriptedTransport())
    assert {status for _, _, status in emails(sqlite_context)} == {EmailStatus.HANDED_OVER}
