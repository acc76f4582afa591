import datetime as dt
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.intake.accept import Kept, accept
from pipeline.models import Duplicate, Quarantine, RecentRequest
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from pipeline.unit_of_work import begin
from tests.pipeline.stages.gates import drain_together
from tests.support.installations import Installation
from tests.support.submissions import arrival, person, submit
from tests.support.work import actions_about, drain, emails, jobs, status_of, statuses, table


def test_mistakes_are_named_to_the_person_and_the_rest_is_kept(context: Context) -> None:
    kept = submit(context, severity=11, first_name=None)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.REJECTED
    assert emails(context) == [("please-correct", "person", "handed_over")]
    with context.database.read() as connection:
        (sealed,) = read_sealed(connection, [kept.submission_id], [Part.ANSWERS, Part.PROBLEMS]).values()
    problems = sealed.open_json(context.vault, Part.PROBLEMS)
    assert problems == [["first_name", "required"], ["severity", "out_of_range"]]
    assert sealed.open_json(context.vault, Part.ANSWERS)["email"] == "maria.lopez@example.org"
    assert not jobs(context.database)


def test_without_a_usable_address_nobody_is_written_to(context: Context) -> None:
    kept = submit(context, email="not an address")
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.REJECTED
    assert emails(context) == []


@pytest.mark.parametrize(
    ("body", "reason"), [(b"\xff\xfe", "not_utf8"), (b"{", "not_json"), (b'{"other": 1}', "unknown_field")]
)
def test_what_software_cannot_read_waits_for_a_person(context: Context, body: bytes, reason: str) -> None:
    kept = accept(context, arrival(body=body), lambda _lane: None)
    assert isinstance(kept, Kept)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.QUARANTINED
    (waiting,) = table(context.database, Quarantine.table())
    assert (waiting.submission_id, waiting.source) == (kept.submission_id, "network-site")
    assert waiting.reason == reason
    assert emails(context) == []
    assert not jobs(context.database)


def test_the_same_person_asking_again_is_joined_to_the_first_request(context: Context) -> None:
    first = submit(context)
    drain(context)
    again = submit(context, email="MARIA.LOPEZ@example.org", severity=2)
    drain(context)
    assert status_of(context, again.submission_id) is SubmissionStatus.DUPLICATE
    assert emails(context, again.submission_id) == [("joined", "person", "handed_over")]
    (link,) = table(context.database, Duplicate.table())
    assert (link.submission_id, link.duplicate_of) == (again.submission_id, first.submission_id)
    others: list[dict[str, Any]] = [
        {"condition": "osteoarthritis"},
        {"date_of_birth": "1975-03-29"},
        {"email": "m@example.org"},
    ]
    for different in others:
        other = submit(context, **different)
        drain(context, "validate")
        assert status_of(context, other.submission_id) is SubmissionStatus.VALID


def test_of_two_in_one_batch_the_earlier_one_stands(context: Context) -> None:
    first, second = submit(context), submit(context)
    drain(context, "validate")
    assert status_of(context, first.submission_id) is SubmissionStatus.VALID
    assert status_of(context, second.submission_id) is SubmissionStatus.DUPLICATE


def test_after_the_window_a_request_is_a_new_one(context: Context) -> None:
    submit(context)
    drain(context, "validate")
    (request,) = table(context.database, RecentRequest.table())
    assert request.held_until - request.received_at == dt.timedelta(days=context.settings.duplicate_window_days)
    with context.database.write() as connection:
        connection.execute(update(RecentRequest).values(held_until=request.received_at))
    again = submit(context)
    drain(context, "validate")
    assert status_of(context, again.submission_id) is SubmissionStatus.VALID
    (request,) = table(context.database, RecentRequest.table())
    assert request.submission_id == again.submission_id


def test_of_two_validated_at_the_same_moment_one_is_joined_to_the_other(postgresql_context: Context) -> None:
    both = [submit(postgresql_context) for _ in range(2)]
    drain_together(postgresql_context, "validate")
    assert statuses(postgresql_context) == {"valid": 1, "duplicate": 1}
    (link,) = table(postgresql_context.database, Duplicate.table())
    assert {link.submission_id, link.duplicate_of} == {kept.submission_id for kept in both}
    assert status_of(postgresql_context, link.duplicate_of) is SubmissionStatus.VALID
    assert len(jobs(postgresql_context.database, "score")) == 1


@pytest.mark.parametrize("one_by_one", [True, False])
def test_what_floods_an_address_waits_and_mails_nobody(installation: Installation, *, one_by_one: bool) -> None:
    context = installation.context(requests_per_recipient_per_day=2)
    several = []
    for number in range(4):
        several.append(submit(context, person(number, language="en"), email="someone.else@example.org"))
        if one_by_one:
            drain(context, "validate")
    drain(context, "validate")
    assert statuses(context) == {"valid": 2, "quarantined": 2}
    told = [emails(context, kept.submission_id) for kept in several]
    assert told == [[("confirmation", "person", "queued")]] * 2 + [[]] * 2
    assert {row.reason for row in table(context.database, Quarantine.table())} == {"recipient_limit"}
    someone = submit(context, person(5))
    drain(context, "validate")
    assert emails(context, someone.submission_id) == [("confirmation", "person", "queued")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"first_name": "Ana"}, {"first_name": "Eva"}),
        (
            {"condition": "other", "condition_other": "frozen shoulder"},
            {"condition": "other", "condition_other": "tennis elbow"},
        ),
    ],
)
def test_twins_and_requests_about_different_things_are_not_joined(
    context: Context, one: dict[str, Any], other: dict[str, Any]
) -> None:
    for answers in (one, other):
        submit(context, person(1) | answers)
    drain(context, "validate")
    assert statuses(context) == {"valid": 2}


def test_validating_again_changes_nothing(context: Context) -> None:
    kept = submit(context)
    drain(context)
    before = actions_about(context, kept.submission_id)
    with begin(context.database, context.keys, actions.staff("ann")) as unit:
        unit.enqueue("validate", kept.submission_id, kept.submission_id)
    assert drain(context) == 1
    assert actions_about(context, kept.submission_id) == before
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
