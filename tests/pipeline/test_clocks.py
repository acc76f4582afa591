"""A worker whose clock is wrong does nothing that cannot be undone, and nothing over and over."""

import datetime as dt
from collections import Counter

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import database_time
from pipeline.email.kinds import EmailKind
from pipeline.models import OneTimeCode, Referral
from pipeline.retention import take_retention_turn
from pipeline.status import ReferralStatus
from tests.pipeline.secure_pages.links import PAST, change, referred
from tests.support.clocks import step_clock
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, emails, expire_referrals, run_sweep, statuses, table

YEARS = dt.timedelta(days=3660)
WRONG = pytest.mark.parametrize("ahead", [YEARS, -YEARS], ids=["ahead", "behind"])


def test_a_clock_that_is_years_ahead_erases_nobody(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(context)
    submit(context, email="other@example.org", consent_share=None)
    drain(context)
    before = statuses(context)
    assert before == {"candidate": 1, "rejected": 1}
    step_clock(monkeypatch, YEARS)
    let = take_retention_turn(context, every_seconds=0)
    assert let is not None
    assert (statuses(context), dict(let.counts)) == (before, {})


@WRONG
def test_an_offer_stands_until_the_database_says_that_it_has_ended_and_ends_once(
    context: Context, monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta
) -> None:
    kept = submit(context)
    with monkeypatch.context() as offering:
        step_clock(offering, ahead)
        drain(context)
    run_sweep(context)
    assert drain(context) == 0
    offered = actions_about(context, kept.submission_id).count(Action.REFERRAL_OFFERED)
    assert offered > 0

    expire_referrals(context.database)
    step_clock(monkeypatch, ahead)
    worked = 0
    for _ in range(4):
        run_sweep(context)
        worked += drain(context, "refer")
    assert worked == 1
    assert actions_about(context, kept.submission_id).count(Action.REFERRAL_EXPIRED) == offered


@WRONG
def test_offers_are_dated_by_the_database_whoever_makes_them(
    context: Context, monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta
) -> None:
    put_in_force(context, *(fitting(f"p{place}", place) for place in range(1, 6)))
    submit(context)
    began = time_of(context)
    with monkeypatch.context() as scoring:
        step_clock(scoring, ahead)
        drain(context)
    assert offers(context) == {"offered": 3}
    expire_referrals(context.database)
    with monkeypatch.context() as referring:
        step_clock(referring, ahead)
        run_sweep(context)
        drain(context)
    assert offers(context) == {"expired": 3, "offered": 2}
    settings = context.settings
    valid = dt.timedelta(days=settings.referral_valid_days)
    for row in table(context.database, Referral.table()):
        assert began <= row.created_at <= time_of(context)
        if row.status == ReferralStatus.OFFERED:
            assert row.expires_at - row.created_at == valid
            assert row.expires_at - row.remind_at == dt.timedelta(days=settings.referral_reminder_days)


def time_of(context: Context) -> dt.datetime:
    """The database's own."""
    with context.database.read() as connection:
        return database_time(connection)


def offers(context: Context) -> Counter[str]:
    return Counter(row.status for row in table(context.database, Referral.table()))


@WRONG
def test_a_provider_is_reminded_when_the_database_says_so(
    context: Context, monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta
) -> None:
    referred(context)
    step_clock(monkeypatch, ahead)
    run_sweep(context)
    assert EmailKind.REFERRAL_REMINDER not in {kind for kind, _, _ in emails(context)}
    change(context, Referral, remind_at=PAST)
    run_sweep(context)
    assert EmailKind.REFERRAL_REMINDER in {kind for kind, _, _ in emails(context)}


@pytest.mark.parametrize(("ahead", "expired", "sent"), [(YEARS, False, True), (-YEARS, True, False)])
def test_a_code_is_sent_while_the_database_says_that_it_opens_something(
    context: Context, monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta, *, expired: bool, sent: bool
) -> None:
    case = referred(context)
    case.new_code(case.provider_token())
    if expired:
        change(context, OneTimeCode, expires_at=PAST)
    step_clock(monkeypatch, ahead)
    drain(context)
    (status,) = [status for kind, _, status in emails(context) if kind == EmailKind.ONE_TIME_CODE]
    assert (status == "handed_over") == sent
