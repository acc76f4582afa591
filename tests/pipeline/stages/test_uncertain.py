"""An email of unknown fate is held for the provider's word; then the policy of its kind decides."""

import uuid

import pytest
from sqlalchemy import delete

from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.models import DeadJob, Email, EmailAttempt, LanePause, TransportBreaker
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, engine, jobs, make_due, table

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
