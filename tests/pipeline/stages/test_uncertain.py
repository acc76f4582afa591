"""An email of unknown fate is held for the provider's word; then the policy of its kind decides."""

import uuid

import pytest
from sqlalchemy import delete, update

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.models import DeadJob, Email, EmailAttempt, LanePause, OneTimeCode, Referral, TransportBreaker
from pipeline.secure_link import token_for
from pipeline.secure_pages.code import send_code
from pipeline.secure_pages.opening import look
from pipeline.status import ReferralStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, engine, jobs, make_due, table

LOST = Receipt(SendOutcome.UNCERTAIN, None, "no-answer")


def send(context: Context, transport: ScriptedTransport) -> None:
    engine(context, transport).drain("email")


@pytest.fixture
def all_lost(context: Context) -> uuid.UUID:
    """A candidate's submission of which every email was handed over without an answer."""
    submission_id = submit(context).submission_id
    drain(context, "validate", "score")
    send(context, ScriptedTransport([LOST] * 5, confirms=True))
    close_breaker(context)
    return submission_id


def close_breaker(context: Context) -> None:
    """As if somebody else had got through meanwhile: five without an answer are enough to open it."""
    with context.database.write() as connection:
        connection.execute(delete(LanePause))
        connection.execute(delete(TransportBreaker))


def test_it_is_held_then_sent_again_once_or_put_before_an_operator_as_its_kind_says(
    context: Context, all_lost: uuid.UUID
) -> None:
    rows = {row.id: EmailKind(row.kind) for row in table(context.database, Email.table())}
    assert {row.status for row in table(context.database, Email.table())} == {"uncertain"}
    assert {EmailKind.CONFIRMATION, EmailKind.RECOMMENDATION, EmailKind.REFERRAL} == set(rows.values())
    silent = ScriptedTransport()
    send(context, silent)
    assert silent.sent == [], "nothing is sent before the hold is over"
    holds = {(job.due_at - job.created_at).total_seconds() > 60 for job in jobs(context.database, "email")}
    assert holds == {True}

    make_due(context.database)
    again = ScriptedTransport([LOST] * 2, confirms=True)
    send(context, again)
    send(context, again)
    asked = {id_ for id_, kind in rows.items() if RULES[kind].when_uncertain is WhenUncertain.ASK}
    assert {message.email_id for message in again.sent} == set(rows) - asked
    assert {row.target_id for row in table(context.database, DeadJob.table())} == asked
    assert actions_about(context, all_lost).count("email:requeued") == len(rows) - len(asked)

    make_due(context.database)
    third = ScriptedTransport()
    send(context, third)
    assert third.sent == [], "once: a third one is for an operator to decide"
    assert {row.target_id for row in table(context.database, DeadJob.table())} == set(rows)
    assert not jobs(context.database, "email")
    outcomes = [row.outcome for row in table(context.database, EmailAttempt.table())]
    assert set(outcomes) == {"uncertain"}
    assert len(outcomes) == len(rows) + len(rows) - len(asked)


def test_where_no_word_will_come_the_hold_is_short(context: Context) -> None:
    submit(context)
    drain(context, "validate")
    send(context, ScriptedTransport([LOST]))
    (job,) = jobs(context.database, "email")
    assert 0 < (job.due_at - job.created_at).total_seconds() < 90


def test_what_is_over_or_has_arrived_is_neither_sent_again_nor_asked_about(
    context: Context, all_lost: uuid.UUID
) -> None:
    """The referrals are answered meanwhile, and the person follows the confirmation's link."""
    rows = {row.id: EmailKind(row.kind) for row in table(context.database, Email.table())}
    (confirmation,) = [id_ for id_, kind in rows.items() if kind is EmailKind.CONFIRMATION]
    look(context, token_for(context.vault, confirmation), None, "r-1")
    with context.database.write() as connection:
        connection.execute(update(Referral).values(status=ReferralStatus.ACCEPTED.value))
    make_due(context.database)
    again = ScriptedTransport()
    send(context, again)
    send(context, again)
    assert {rows[message.email_id] for message in again.sent} == {EmailKind.RECOMMENDATION}
    assert not table(context.database, DeadJob.table())
    assert not jobs(context.database, "email")
    assert {row.status for row in table(context.database, Email.table()) if row.id == confirmation} == {"delivered"}


def test_a_code_that_expired_while_it_waited_is_not_sent(context: Context) -> None:
    submission_id = submit(context).submission_id
    drain(context)
    (referral, *_) = [row for row in table(context.database, Email.table()) if row.kind == "referral"]
    send_code(context, token_for(context.vault, referral.id), None, "r-1", lambda _lane: None)
    with context.database.write() as connection:
        connection.execute(update(OneTimeCode).values(expires_at=utc_now()))
    transport = ScriptedTransport()
    send(context, transport)
    assert transport.sent == []
    assert ("one-time-code", referral.recipient, "cancelled") in emails(context, submission_id)
