"""What happens to emails when their transport fails for everybody."""

import uuid
from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from pipeline.breaker import LONGEST_REST_SECONDS
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import Email, LanePause, TransportBreaker
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, end_pauses, engine, jobs, make_due, run_sweep, table

DOWN = Receipt(SendOutcome.UNAVAILABLE, None, "503")
WAITING = 8


@pytest.fixture
def one_at_a_time(context: Context) -> Context:
    """Eight confirmations wait; calls are made one after another, so that it is known how many there were."""
    for number in range(WAITING):
        submit(context, person(number))
    drain(context, "validate")
    return replace(context, settings=context.settings.model_copy(update={"mail_concurrency": 1}))


def send(context: Context, transport: ScriptedTransport) -> None:
    engine(context, transport).drain("email")


def rest_is_over(context: Context) -> None:
    end_pauses(context.database)
    with context.database.write() as connection:
        connection.execute(update(TransportBreaker).values(probe_at=utc_now()))
    run_sweep(context)
    make_due(context.database)


def attempts(context: Context) -> list[int]:
    return [job.attempts for job in jobs(context.database, "email")]


def breaker(context: Context) -> tuple[str, str, int]:
    (row,) = table(context.database, TransportBreaker.table())
    return row.state, row.reason, row.trips


def test_an_outage_opens_the_breaker_probes_with_one_email_and_closes_it_again(one_at_a_time: Context) -> None:
    context = one_at_a_time
    down = ScriptedTransport([DOWN] * 100)
    send(context, down)
    assert len(down.sent) == 5, "the others are spared a call that would fail"
    assert breaker(context) == ("open", "breaker open: 503", 1)
    (pause,) = table(context.database, LanePause.table())
    assert (pause.lane, pause.reason) == ("email", "breaker open: 503")
    paid = [1, 1, 1, 1, 0, 0, 0, 0]
    assert attempts(context) == paid, "those of the slice before it opened"

    first_rest = pause.until - pause.since
    for trips in (2, 3):
        rest_is_over(context)
        down.sent.clear()
        send(context, down)
        assert len(down.sent) == 1
        assert breaker(context) == ("open", "breaker open: 503", trips)
        assert attempts(context) == paid, "an outage, however long, costs nobody more"
    (pause,) = table(context.database, LanePause.table())
    assert pause.until - pause.since > 3 * first_rest

    rest_is_over(context)
    up = ScriptedTransport()
    send(context, up)
    assert len(up.sent) == WAITING
    assert breaker(context) == ("closed", "", 0)
    assert {row.status for row in table(context.database, Email.table())} == {"handed_over"}
    on_record = [action for action in actions_about(context, None) if action.startswith("breaker:")]
    assert on_record == ["breaker:opened", "breaker:closed"]


def test_failures_among_answers_open_nothing_and_cost_those_that_failed(one_at_a_time: Context) -> None:
    context = one_at_a_time
    ok = Receipt(SendOutcome.ACCEPTED, "m", "202")
    send(context, ScriptedTransport([DOWN, DOWN, DOWN, DOWN, ok, DOWN, DOWN, DOWN]))
    assert not table(context.database, TransportBreaker.table())
    assert not table(context.database, LanePause.table())
    assert attempts(context) == [1] * 7


def test_a_storm_of_refusals_rests_as_long_as_it_says_and_asks_with_one(one_at_a_time: Context) -> None:
    context = one_at_a_time
    busy = ScriptedTransport([Receipt(SendOutcome.LANE_FAILURE, None, "429", retry_after=900)] * 100)
    send(context, busy)
    assert len(busy.sent) == 1
    (pause,) = table(context.database, LanePause.table())
    assert pause.reason == "429"
    assert 899 <= (pause.until - pause.since).total_seconds() <= 901
    send(context, busy)
    assert len(busy.sent) == 1, "a paused lane sends nothing"
    rest_is_over(context)
    send(context, busy)
    assert len(busy.sent) == 2
    rest_is_over(context)
    send(context, ScriptedTransport())
    assert {row.status for row in table(context.database, Email.table())} == {"handed_over"}


def test_what_one_email_alone_is_refused_for_costs_that_email_and_holds_up_nobody(one_at_a_time: Context) -> None:
    context = one_at_a_time
    ok = Receipt(SendOutcome.ACCEPTED, "m", "202")
    odd = Receipt(SendOutcome.LANE_FAILURE, None, "5.7.26")
    send(context, ScriptedTransport([ok, odd]))
    assert not table(context.database, LanePause.table())
    assert attempts(context) == [1]


def test_after_however_many_trips_the_rest_is_no_longer_than_the_longest(one_at_a_time: Context) -> None:
    context = one_at_a_time
    with context.database.write() as connection:
        connection.execute(
            insert(TransportBreaker).values(
                transport="scripted", state="open", reason="401", trips=2000, since=utc_now(), probe_at=utc_now()
            )
        )
    send(context, ScriptedTransport([DOWN]))
    (pause,) = table(context.database, LanePause.table())
    assert (pause.until - pause.since).total_seconds() <= LONGEST_REST_SECONDS + 1
    assert attempts(context) == [0] * WAITING
    assert breaker(context)[0] == "open"


def test_what_was_not_called_keeps_no_trace_of_an_attempt(one_at_a_time: Context) -> None:
    context = one_at_a_time
    send(context, ScriptedTransport([Receipt(SendOutcome.LANE_FAILURE, None, "401")] * 100))
    assert [row.attempt_id for row in table(context.database, Email.table())] == [None] * WAITING
    assert {row.status for row in table(context.database, Email.table())} == {"queued"}
    submissions: list[uuid.UUID] = [row.submission_id for row in table(context.database, Email.table())]
    assert all("email:deferred" not in actions_about(context, each) for each in submissions)
