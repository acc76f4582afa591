"""Reminders to providers: once, in time, and only while the referral waits for an answer."""

import datetime as dt

import pytest
from sqlalchemy import update

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import Email, Referral, SecureLink
from pipeline.reminders import remind_of_referrals
from pipeline.secure_pages.answering import Answered, ProviderAnswer, answer_referral
from pipeline.secure_pages.stopping import stop
from pipeline.unit_of_work import begin
from tests.pipeline.secure_pages.links import PROVIDERS, Referred, change, nobody, referred
from tests.support.installations import Installation
from tests.support.racing import at_once
from tests.support.submissions import person
from tests.support.work import drain, emails, run_sweep, table

A_MOMENT = dt.timedelta(seconds=1)


def reminders(context: Context) -> list[tuple[str, str]]:
    """Recipient and status of each."""
    return [(to, status) for kind, to, status in emails(context) if kind == EmailKind.REFERRAL_REMINDER]


def times(context: Context) -> list[dt.datetime | None]:
    return [row.remind_at for row in table(context.database, Referral.table())]


def make_reminders_due(context: Context) -> None:
    change(context, Referral, remind_at=utc_now() - A_MOMENT)


def answer(case: Referred, provider_id: str, *, accepts: bool) -> None:
    token = case.provider_token(provider_id)
    session = case.unlocked(token, case.new_code(token))
    given = ProviderAnswer(accepts, None if accepts else "other")
    assert isinstance(answer_referral(case.context, token, session, given, None, "request", nobody), Answered)


def test_who_has_not_answered_two_days_before_the_end_is_reminded_once(context: Context) -> None:
    case = referred(context)
    days = context.settings.referral_valid_days - context.settings.referral_reminder_days
    for row in table(context.database, Referral.table()):
        assert row.remind_at - row.created_at == dt.timedelta(days=days)
    run_sweep(context)
    assert reminders(context) == [], "it is not time yet"
    accepting, declining, silent = PROVIDERS
    answer(case, accepting, accepts=True)
    answer(case, declining, accepts=False)
    answered = [row for row in table(context.database, Referral.table()) if row.provider_id != silent]
    assert [row.remind_at for row in answered] == [None, None]

    make_reminders_due(context)  # of those that were answered too, as if they had been missed
    assert "email" in run_sweep(context).fed_lanes
    run_sweep(context)
    drain(context)
    assert reminders(context) == [(f"provider:{silent}", "handed_over")]
    assert times(context)[:3] == [None] * 3


def test_a_reminder_has_a_link_that_answers_and_ends_with_the_referral(context: Context) -> None:
    case = referred(context)
    ends = utc_now() + dt.timedelta(days=1)
    change(context, Referral, expires_at=ends)
    make_reminders_due(context)
    run_sweep(context)
    token = case.token(EmailKind.REFERRAL_REMINDER, f"provider:{PROVIDERS[0]}")
    link = case.link(token)
    assert (link.provider_id, link.referral_expires_at) == (PROVIDERS[0], ends)
    assert {row.expires_at for row in table(context.database, SecureLink.table()) if row.id == link.id} == {ends}
    session = case.unlocked(token, case.new_code(token))
    given = ProviderAnswer(accepts=True)
    assert isinstance(answer_referral(context, token, session, given, None, "request", nobody), Answered)
    drain(context)
    assert dict(reminders(context))[f"provider:{PROVIDERS[0]}"] == "cancelled", "answered before it was sent"


def test_nobody_is_reminded_of_what_was_withdrawn_or_never_arrived(context: Context) -> None:
    stopped, other = referred(context), referred(context, **person(1))
    stop(context, stopped.token(), "request", nobody)
    assert times(context)[:3] == [None] * 3
    unsent, returned, sent = (other.link(other.provider_token(each)).id for each in PROVIDERS)
    with context.database.write() as connection:
        for email_id, status in ((unsent, "queued"), (returned, "bounced"), (sent, "delivered")):
            connection.execute(update(Email).where(Email.id == email_id).values(status=status))
    make_reminders_due(context)
    run_sweep(context)
    assert [to for to, _ in reminders(context)] == [f"provider:{PROVIDERS[2]}"]


def test_a_referral_that_is_no_older_than_its_reminder_has_none(sqlite_installation: Installation) -> None:
    context = sqlite_installation.context(referral_valid_days=2, referral_reminder_days=2)
    referred(context)
    assert times(context) == [None] * 3


def test_sweeps_and_an_answer_at_the_same_moment_remind_each_provider_once_at_most(
    postgresql_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = postgresql_context
    monkeypatch.setattr("pipeline.reminders.MOST_AT_ONCE", 7)
    cases = [referred(context, **person(number)) for number in range(5)]
    make_reminders_due(context)
    session = cases[0].provider_session()

    def act(number: int) -> None:
        if number == 3:
            decline = ProviderAnswer(accepts=False, reason="other")
            answer_referral(context, cases[0].provider_token(), session, decline, None, "request", nobody)
            return
        for _ in range(4):
            with begin(context.database, context.keys, actions.lane("sweep")) as unit:
                remind_of_referrals(context, unit)

    at_once(4, act)
    run_sweep(context)
    queued = reminders(context)
    assert times(context) == [None] * 15
    assert len(queued) in {14, 15}
    causes = [row.cause for row in table(context.database, Email.table()) if row.kind == EmailKind.REFERRAL_REMINDER]
    assert len(set(causes)) == len(causes) == len(queued)
