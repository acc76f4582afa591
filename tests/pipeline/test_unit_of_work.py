import uuid

import pytest
from sqlalchemy.exc import DBAPIError

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.models import AuditEvent, AuditPending, Job, SealedDocument, Submission
from pipeline.status import SubmissionStatus, TransitionNotAllowed
from pipeline.unit_of_work import begin
from tests.support.racing import at_once
from tests.support.submissions import arrival, submit
from tests.support.work import actions_about, count, drain, status_of, table

BREAK_AUDIT = {
    "sqlite": ["CREATE TRIGGER broken BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'disk full'); END"],
    "postgresql": [
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$",
        "CREATE TRIGGER broken BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION broken()",
    ],
}


def change(context: Context, submission_id: uuid.UUID, after: SubmissionStatus, action: Action) -> None:
    with begin(context.database, context.keys, actions.staff("ann")) as unit:
        unit.lock([submission_id])
        unit.record(submission_id, Action.PAGE_OPENED)
        unit.transition(submission_id, after, action)


def test_steps_at_once_number_their_records_without_a_gap(postgresql_context: Context) -> None:
    context = postgresql_context
    submissions = [submit(context).submission_id for _ in range(3)]

    def step(number: int) -> None:
        # Each in another order: whoever locked in the order of asking would sooner or later wait in a circle.
        mine = submissions[number % 3 :] + submissions[: number % 3]
        for _ in range(10):
            with begin(context.database, context.keys, actions.staff(f"worker-{number}")) as unit:
                unit.lock(mine)
                for submission_id in mine:
                    unit.record(submission_id, Action.PAGE_OPENED)
                    unit.record(submission_id, Action.PAGE_UNLOCKED)
                unit.record(None, Action.LANE_RESUMED, {Detail.LANE: "score"})

    at_once(6, step)
    for submission in table(context.database, Submission.table()):
        numbers = [row.seq for row in table(context.database, AuditEvent.table()) if row.submission_id == submission.id]
        assert sorted(numbers) == list(range(1, 1 + 6 * 10 * 2 + 1))
        assert submission.audit_seq == max(numbers)
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_without_its_record_a_step_did_not_happen(context: Context) -> None:
    kept = submit(context)
    with context.database.write() as connection:
        for statement in BREAK_AUDIT[connection.dialect.name]:
            connection.exec_driver_sql(statement)
    tables = (Submission, SealedDocument, Job, AuditPending)
    before = {of: table(context.database, of.table()) for of in tables}
    with pytest.raises(DBAPIError):
        submit(context)
    with pytest.raises(DBAPIError):
        change(context, kept.submission_id, SubmissionStatus.WITHDRAWN, Action.SUBMISSION_WITHDRAWN)
    assert {of: table(context.database, of.table()) for of in tables} == before


def test_what_the_life_cycle_does_not_allow_leaves_nothing(context: Context) -> None:
    kept = submit(context)
    drain(context)
    recorded = actions_about(context, kept.submission_id)
    with pytest.raises(TransitionNotAllowed, match="candidate to valid"):
        change(context, kept.submission_id, SubmissionStatus.VALID, Action.SUBMISSION_VALIDATED)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert actions_about(context, kept.submission_id) == recorded


def test_every_record_waits_for_the_sequencer(context: Context) -> None:
    submit(context)
    drain(context)
    events = {row.id for row in table(context.database, AuditEvent.table())}
    assert {row.event_id for row in table(context.database, AuditPending.table())} == events
    assert count(context.database, AuditPending.table()) == len(events)


def test_a_change_of_status_says_from_what_to_what_and_who_did_it(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    events = [row for row in table(context.database, AuditEvent.table()) if row.submission_id == kept.submission_id]
    received, validated, *consents, queued = sorted(events, key=lambda row: row.seq)
    assert (received.actor, received.details) == (f"source:{arrival().source}", '{"source":"network-site"}')
    assert (validated.actor, validated.attempt) == ("lane:validate", 1)
    assert validated.details == '{"previous_status":"received","status":"valid"}'
    assert [consent.action for consent in consents] == ["consent:given"] * 2
    assert queued.action == "email:queued"
    assert queued.job_id == validated.job_id
