"""Kept together or one after the other: it must come to the same."""

from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.intake.accept import Arrival, Kept, KeyReused, Outcome, accept, accept_many
from pipeline.models import AuditEvent, IntakeKey, Job, Submission
from pipeline.status import SubmissionStatus
from tests.support.racing import at_once
from tests.support.submissions import answers, arrival, body, person
from tests.support.work import count, jobs, table


def take(context: Context, arrivals: Sequence[Arrival]) -> Sequence[Outcome | Exception]:
    return accept_many(context, arrivals, lambda _lane: None)


def new(number: int, **other: str) -> Arrival:
    return arrival(person(number), **{"vendor_id": f"v-{number}", "request_id": f"r-{number}", **other})


def test_each_is_kept_with_its_own_record_and_all_wake_the_lane_once(context: Context) -> None:
    woken: list[str] = []
    arrivals = [new(1), new(2, source="webflow-site"), new(3, idempotency_key="k")]
    found = accept_many(context, arrivals, woken.append)
    assert [one.status for one in found if isinstance(one, Kept)] == [SubmissionStatus.RECEIVED] * 3
    ids = [one.submission_id for one in found if isinstance(one, Kept)]
    records = {row.submission_id: row for row in table(context.database, AuditEvent.table()) if row.submission_id}
    told = [(records[each].actor, records[each].request_id, records[each].seq) for each in ids]
    assert told == [
        ("source:network-site", "r-1", 1),
        ("source:webflow-site", "r-2", 1),
        ("source:network-site", "r-3", 1),
    ]
    assert {job.target_id for job in jobs(context.database, "validate")} == set(ids)
    assert woken == ["validate"]
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_those_with_a_key_in_common_are_answered_as_if_one_had_come_after_the_other(context: Context) -> None:
    earlier = accept(context, new(0), lambda _lane: None)
    changed = arrival(answers(severity=2), vendor_id="v-1")
    reused = Arrival("network-site", body(answers(severity=3)), idempotency_key="k")
    first, again, revision, keyed, other_body, repeat = take(
        context, [new(1), new(1), changed, new(2, idempotency_key="k"), reused, new(0)]
    )
    assert isinstance(first, Kept)
    assert isinstance(again, Kept)
    assert isinstance(revision, Kept)
    assert isinstance(keyed, Kept)
    assert (again.submission_id, again.repeated) == (first.submission_id, True)
    assert (revision.status, revision.repeated) == (SubmissionStatus.QUARANTINED, False)
    assert other_body == KeyReused(keyed.reference)
    assert isinstance(earlier, Kept)
    assert isinstance(repeat, Kept)
    assert (repeat.submission_id, repeat.repeated) == (earlier.submission_id, True)
    rows = {row.id: row.revision_of for row in table(context.database, Submission.table())}
    assert rows == {
        earlier.submission_id: None,
        first.submission_id: None,
        keyed.submission_id: None,
        revision.submission_id: first.submission_id,
    }


def test_the_failure_of_one_is_not_the_others(postgresql_context: Context) -> None:
    """PostgreSQL has no text with a NUL: such a source breaks every statement that it is in."""
    outcomes = take(postgresql_context, [new(1), new(2, source="net\0work"), new(3)])
    assert [isinstance(one, Kept) for one in outcomes] == [True, False, True]
    assert count(postgresql_context.database, Submission.table()) == 2
    assert count(postgresql_context.database, Job.table()) == 2


def test_without_the_database_nobody_is_told_that_something_was_kept(context: Context) -> None:
    with context.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE job RENAME TO elsewhere")
    outcomes = take(context, [new(1), new(2)])
    assert all(isinstance(one, DBAPIError) for one in outcomes)
    assert count(context.database, Submission.table()) == count(context.database, IntakeKey.table()) == 0


def test_of_many_overlapping_batches_each_key_is_kept_once(postgresql_context: Context) -> None:
    arrivals = [new(number, idempotency_key=f"k-{number}") for number in range(8)]
    found = at_once(4, lambda turn: take(postgresql_context, arrivals if turn % 2 else arrivals[::-1]))
    everything = [one for batch in found for one in batch]
    assert all(isinstance(one, Kept) for one in everything)
    rows = table(postgresql_context.database, Submission.table())
    assert len(rows) == len(jobs(postgresql_context.database)) == 8
    assert {one.submission_id for one in everything if isinstance(one, Kept)} == {row.id for row in rows}
    assert sum(not one.repeated for one in everything if isinstance(one, Kept)) == 8
