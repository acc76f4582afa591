"""A worker whose clock is wrong does nothing that cannot be undone, and nothing over and over."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline import retention
from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.engine import drain as engine_drain
from pipeline.retention import take_retention_turn
from pipeline.unit_of_work import UnitOfWork, begin
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, expire_referrals, run_sweep, statuses

YEARS = dt.timedelta(days=3660)


@pytest.mark.xfail(reason="retention believes the worker's clock: one that jumps ahead by years erases everything")
def test_a_clock_that_is_years_ahead_erases_nobody(sqlite_context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(sqlite_context, consent_share=None)
    drain(sqlite_context)
    before = statuses(sqlite_context)
    monkeypatch.setattr(retention, "utc_now", lambda: utc_now() + YEARS)
    take_retention_turn(sqlite_context, every_seconds=0)
    assert statuses(sqlite_context) == before


@pytest.mark.xfail(reason="the sweep asks by the database's clock, the lane closes by the worker's: until they agree")
def test_a_clock_that_is_behind_does_not_make_the_same_record_again_and_again(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = submit(sqlite_context)
    drain(sqlite_context)

    @contextmanager
    def behind(*arguments: Any) -> Iterator[UnitOfWork]:
        with begin(*arguments) as unit:
            unit.now -= YEARS
            yield unit

    expire_referrals(sqlite_context.database)
    monkeypatch.setattr(engine_drain, "begin", behind)
    worked = 0
    for _ in range(4):
        run_sweep(sqlite_context)
        worked += drain(sqlite_context, "refer")
    assert worked <= 1, actions_about(sqlite_context, kept.submission_id).count(Action.REFERRAL_EXHAUSTED)
