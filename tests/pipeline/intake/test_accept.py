from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from pipeline.context import Context
from pipeline.intake.accept import CHANGED_REVISION, Kept, KeyReused, accept
from pipeline.models import AuditEvent, IntakeKey, Job, Quarantine, SealedDocument, Submission
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from tests.support.racing import at_once
from tests.support.submissions import answers, arrival, body, submit
from tests.support.work import actions_about, count, drain, jobs, status_of, table

BODY, OTHER_BODY = body(answers()), body(answers(severity=2))
TABLES = (Submission, SealedDocument, IntakeKey, Job, AuditEvent, Quarantine)


def take(context: Context, **other: Any) -> Kept | KeyReused:
    return accept(context, arrival(**{"body": BODY, **other}), lambda _lane: None)


def kept(context: Context, **other: Any) -> Kept:
    found = take(context, **other)
    assert isinstance(found, Kept)
    return found


def everything(context: Context) -> list[int]:
    return [count(context.database, of.table()) for of in TABLES]


def test_what_is_acknowledged_is_there_for_everyone_with_its_job_and_its_record(context: Context) -> None:
    seen: list[tuple[str, list[str], SubmissionStatus]] = []

    def wake(lane: str) -> None:
        (job,) = jobs(context.database)
        recorded = actions_about(context, job.submission_id)
        seen.append((lane, recorded, status_of(context, job.submission_id)))

    found = accept(context, arrival(body=b"\x00 as it came"), wake)
    assert seen == [("validate", ["submission:received"], SubmissionStatus.RECEIVED)]
    assert isinstance(found, Kept)
    with context.database.read() as connection:
        (sealed,) = read_sealed(connection, [found.submission_id], [Part.BODY]).values()
    assert sealed.reference == found.reference
    assert sealed.key(context.vault).open(Part.BODY, sealed.parts[Part.BODY].ciphertext) == b"\x00 as it came"
    assert b"as it came" not in sealed.parts[Part.BODY].ciphertext


@pytest.mark.parametrize("broken", ["job", "audit_event", "sealed_document"])
def test_without_one_of_its_parts_nothing_is_kept(context: Context, broken: str) -> None:
    before = everything(context)
    with context.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {broken} RENAME TO elsewhere")
    with pytest.raises(DBAPIError):
        take(context)
    with context.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE elsewhere RENAME TO {broken}")
    assert everything(context) == before


@pytest.mark.parametrize("by", ["vendor_id", "idempotency_key"])
def test_a_repeat_is_answered_like_the_first_and_changes_nothing(context: Context, by: str) -> None:
    first = kept(context, **{by: "17"})
    assert not first.repeated
    before = everything(context)
    again = kept(context, **{by: "17"})
    assert (again.submission_id, again.reference, again.repeated) == (first.submission_id, first.reference, True)
    assert everything(context) == before
    drain(context, "validate")
    assert kept(context, **{by: "17"}).status is SubmissionStatus.RECEIVED
    elsewhere = kept(context, **{by: "17"}, source="webflow-site")
    assert elsewhere.submission_id != first.submission_id


def test_without_an_id_or_a_key_the_same_body_is_a_new_submission(context: Context) -> None:
    assert submit(context).submission_id != submit(context).submission_id


def test_the_same_key_with_another_body_is_refused(context: Context) -> None:
    first = kept(context, idempotency_key="k", vendor_id="17")
    before = everything(context)
    reused = take(context, idempotency_key="k", body=OTHER_BODY)
    assert reused == KeyReused(first.reference)
    assert take(context, idempotency_key="k", vendor_id="17", body=OTHER_BODY) == reused
    assert everything(context) == before


def test_the_same_vendor_id_with_another_body_is_kept_for_a_person_to_decide(context: Context) -> None:
    first = kept(context, vendor_id="17")
    revision = kept(context, vendor_id="17", body=OTHER_BODY)
    assert (revision.status, revision.repeated) == (SubmissionStatus.QUARANTINED, False)
    assert revision.submission_id != first.submission_id
    before = everything(context)
    again = kept(context, vendor_id="17", body=OTHER_BODY)
    assert (again.submission_id, again.repeated) == (revision.submission_id, True)
    assert everything(context) == before
    rows = {row.id: row for row in table(context.database, Submission.table())}
    assert rows[revision.submission_id].revision_of == first.submission_id
    (waiting,) = table(context.database, Quarantine.table())
    assert (waiting.submission_id, waiting.reason) == (revision.submission_id, CHANGED_REVISION)
    assert [job.target_id for job in jobs(context.database)] == [first.submission_id]
    assert actions_about(context, revision.submission_id) == ["submission:received", "submission:quarantined"]


@pytest.mark.parametrize(
    "keys", [{"vendor_id": "17"}, {"idempotency_key": "k"}, {"vendor_id": "17", "idempotency_key": "k"}]
)
def test_of_many_identical_arrivals_at_once_one_is_kept(postgresql_context: Context, keys: dict[str, str]) -> None:
    found = at_once(8, lambda _number: kept(postgresql_context, **keys))
    (row,) = table(postgresql_context.database, Submission.table())
    assert {one.submission_id for one in found} == {row.id}
    assert sorted(one.repeated for one in found) == [False] + [True] * 7
    assert len(jobs(postgresql_context.database)) == 1
    assert actions_about(postgresql_context, row.id) == ["submission:received"]


def test_of_many_bodies_under_one_vendor_id_at_once_one_counts_and_none_is_lost(postgresql_context: Context) -> None:
    bodies = [body(answers(severity=number)) for number in range(6)]
    found = at_once(6, lambda number: kept(postgresql_context, vendor_id="17", body=bodies[number]))
    assert sorted(one.status for one in found) == ["quarantined"] * 5 + ["received"]
    assert len({one.submission_id for one in found}) == count(postgresql_context.database, Submission.table()) == 6
