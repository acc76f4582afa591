"""What an erasure takes, from every status, and what it leaves: records, and a farewell to who holds the answers."""

import datetime as dt
import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.erasure.erasing import UNSUBSCRIBE_DAYS, Done, UnderHold
from pipeline.erasure.holds import NotAMatter, lift, place
from pipeline.erasure.journal import CannotBeWritten, Cause
from pipeline.intake.accept import Kept, accept
from pipeline.models import (
    AuditEvent,
    Email,
    EmailAttempt,
    Erasure,
    IntakeKey,
    MailEvent,
    OneTimeCode,
    PersonIndex,
    Referral,
    SecureLink,
    SecureSession,
    Submission,
    Suppression,
)
from pipeline.retention import let_go
from pipeline.secure_link import unsubscribe_url
from pipeline.status import SubmissionStatus
from pipeline.suppression import Reason
from pipeline.transports.mailbox import MailboxTransport
from pipeline.unsubscribing import unsubscribe
from tests.pipeline.erasure.cases import STAFF, erase, left_of, of_every_status, rows_of, set_columns
from tests.pipeline.secure_pages.links import PROVIDERS, referred
from tests.support.submissions import answers, arrival, person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, count, drain, emails, make_due, status_of, table

FAREWELL = EmailKind.REFERRAL_WITHDRAWN.value


def test_from_every_status_all_that_was_said_goes_and_nothing_more_is_done(context: Context) -> None:
    made = of_every_status(context)
    for status, submission_id in made.items():
        (erased,) = erase(context, submission_id).erased
        assert (erased.submission_id, erased.was) == (submission_id, status)
    before = count(context.database, AuditEvent.table())
    drain(context)
    for status, submission_id in made.items():
        assert left_of(context, submission_id) == {}, status
        assert status_of(context, submission_id) is SubmissionStatus.ERASED
        assert {each for each in emails(context, submission_id) if each[2] == "queued"} == set(), status
        assert rows_of(context, Erasure.table(), submission_id)[0].cause == "request"
        *_, last = [action for action in actions_about(context, submission_id) if not action.startswith("email:")]
        assert last == "submission:erased"
        assert not erase(context, submission_id).erased, "once is enough"
    assert all(
        row.revoked_at for row in table(context.database, SecureLink.table()) if row.submission_id in made.values()
    )
    other = next(row for row in table(context.database, Submission.table()) if row.id not in made.values())
    assert left_of(context, other.id), "the form that one was joined to is a submission of its own"
    assert count(context.database, AuditEvent.table()) > before, "the farewells"


def test_holders_are_told_after_the_key_is_gone_and_rendered_mail_goes_with_it(context: Context) -> None:
    case = referred(context)
    case.provider_session(PROVIDERS[0])
    folder = context.settings.effective_mailbox_dir
    drain(context)
    rendered = len(list(folder.iterdir()))
    (erased,) = erase(context, case.submission_id).erased
    assert (erased.rendered, list(folder.iterdir())) == (rendered, [])
    (recorded,) = [row for row in table(context.database, AuditEvent.table()) if row.action == "submission:erased"]
    told = json.loads(recorded.details)
    assert told == {"cause": "request", "count": rendered, "previous_status": "withdrawn", "status": "erased"}
    drain(context)
    sent = [each for each in emails(context, case.submission_id) if each[0] == FAREWELL]
    assert sent == [(FAREWELL, f"provider:{each}", "handed_over") for each in sorted(PROVIDERS)]
    written = [path.read_text() for path in folder.iterdir()]
    assert len(written) == len(PROVIDERS)
    assert all(erased.reference in each for each in written)
    assert {row.status for row in rows_of(context, Referral.table(), case.submission_id)} == {"withdrawn"}
    assert not table(context.database, SecureSession.table())
    assert not table(context.database, OneTimeCode.table())


def test_where_emails_went_goes_after_30_days_in_which_their_unsubscribe_links_work(context: Context) -> None:
    old, kept = submit(context), submit(context)
    drain(context, transport=ScriptedTransport())
    to_person = {row.id for row in table(context.database, Email.table()) if row.recipient == "person"}
    of_old = {row.id for row in rows_of(context, Email.table(), old.submission_id)} & to_person
    long_ago = utc_now() - dt.timedelta(days=UNSUBSCRIBE_DAYS + 1)
    set_columns(context, Email, Email.id.in_(of_old), handed_over_at=long_ago)
    set_columns(context, EmailAttempt, EmailAttempt.email_id.in_(of_old), started_at=long_ago)
    erase(context, old.submission_id, kept.submission_id)
    assert {email_id for email_id in to_person if where_to(context, email_id)} == to_person - of_old

    (email_id, *_) = to_person - of_old
    token = unsubscribe_url("", context.vault, email_id).removeprefix("/u/")
    assert unsubscribe(context, token, "request") is not None
    assert {row.reason for row in table(context.database, Suppression.table())} == {Reason.UNSUBSCRIBED}
    for days, left in ((UNSUBSCRIBE_DAYS - 1, to_person - of_old), (UNSUBSCRIBE_DAYS + 1, set())):
        let_go(context, STAFF, now=utc_now() + dt.timedelta(days=days))
        assert {email_id for email_id in to_person if where_to(context, email_id)} == left
    attempts = table(context.database, EmailAttempt.table())
    assert b"" not in {bytes(row.address_index) for row in attempts if row.email_id not in to_person}


def where_to(context: Context, email_id: uuid.UUID) -> bool:
    rows = table(context.database, EmailAttempt.table())
    return any(bytes(row.address_index) for row in rows if row.email_id == email_id)


def test_an_event_about_an_email_of_another_request_that_is_held_stays_as_it_was(context: Context) -> None:
    erased, held = submit(context), submit(context, condition="hair_loss")
    drain(context, transport=ScriptedTransport())
    (email_id, *_) = [
        row.id for row in rows_of(context, Email.table(), held.submission_id) if row.recipient == "person"
    ]
    (who,) = rows_of(context, PersonIndex.table(), held.submission_id)
    with context.database.write() as connection:
        for about in (email_id, None):
            event = {"event_key": uuid.uuid4().bytes, "transport": "sendgrid", "event": "delivered"}
            times = {"occurred_at": utc_now(), "received_at": utc_now(), "applied_at": utc_now()}
            values = {"id": uuid.uuid4(), "email_id": about, "address_index": bytes(who.email), **event, **times}
            connection.execute(MailEvent.table().insert().values(**values))
    place(context.database, context.keys, STAFF, held.submission_id, "case-2026-14")
    erase(context, erased.submission_id)
    left = {row.email_id: row.address_index is not None for row in table(context.database, MailEvent.table())}
    assert left == {email_id: True, None: False}


@dataclass
class ErasesMeanwhile(MailboxTransport):
    """The person asks for erasure while the first of their emails is being written."""

    def __init__(self, folder: Path, context: Context, submission_id: uuid.UUID) -> None:
        super().__init__(folder)
        self._context, self._submission_id = context, submission_id

    def send(self, message, content):  # type: ignore[no-untyped-def]
        erase(self._context, self._submission_id)
        return super().send(message, content)


def test_what_is_being_written_while_it_is_erased_is_recorded_and_deleted_afterwards(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    folder = context.settings.effective_mailbox_dir
    drain(context, "email", transport=ErasesMeanwhile(folder, context, kept.submission_id))
    assert emails(context, kept.submission_id) == [("confirmation", "person", "handed_over")]
    assert list(folder.iterdir()) == []
    assert left_of(context, kept.submission_id) == {}


def test_what_a_lost_process_may_have_written_to_a_file_is_not_written_again(sqlite_context: Context) -> None:
    kept = submit(sqlite_context)
    drain(sqlite_context, "validate")
    marked = {"attempt_id": uuid.uuid4(), "transport": MailboxTransport.name}
    set_columns(sqlite_context, Email, Email.submission_id == kept.submission_id, **marked)
    erase(sqlite_context, kept.submission_id)
    (email,) = rows_of(sqlite_context, Email.table(), kept.submission_id)
    folder = sqlite_context.settings.effective_mailbox_dir
    folder.mkdir(exist_ok=True)
    (folder / f"{email.id}.eml").write_text("To: ...")  # it wrote that after the erasure, and died over it
    drain(sqlite_context, "email")
    assert emails(sqlite_context, kept.submission_id) == [("confirmation", "person", "cancelled")]
    assert list(sqlite_context.settings.effective_mailbox_dir.iterdir()) == []
    assert left_of(sqlite_context, kept.submission_id) == {}


def test_an_email_of_unknown_fate_is_not_sent_again(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    set_columns(context, Email, Email.submission_id == kept.submission_id, attempt_id=uuid.uuid4())
    erase(context, kept.submission_id)
    transport = ScriptedTransport()
    for status in ("uncertain", "cancelled"):
        make_due(context.database)
        drain(context, "email", transport=transport)
        assert emails(context, kept.submission_id) == [("confirmation", "person", status)]
    assert transport.sent == []
    assert left_of(context, kept.submission_id) == {}


@pytest.mark.parametrize("keys", [{"vendor_id": "17"}, {"idempotency_key": "k", "vendor_id": "17"}])
def test_what_a_vendor_sends_again_is_answered_and_not_stored(context: Context, keys: dict[str, str]) -> None:
    def take(**changes: object) -> Kept:
        found = accept(context, arrival(answers(**changes), **keys), lambda _lane: None)
        assert isinstance(found, Kept)
        return found

    first = take()
    revision = accept(context, arrival(answers(severity=2), vendor_id="17"), lambda _lane: None)
    assert isinstance(revision, Kept)
    assert not revision.repeated
    drain(context)
    assert len(erase(context, first.submission_id).erased) == 2, "a revision says the same, of the same person"
    before = [count(context.database, each.table()) for each in (Submission, IntakeKey)]
    for changes in ({}, {"severity": 2}, {"severity": 3}):
        again = take(**changes)
        assert (again.submission_id, again.reference, again.repeated) == (first.submission_id, first.reference, True)
    assert [count(context.database, each.table()) for each in (Submission, IntakeKey)] == before
    told = actions_about(context, first.submission_id)
    assert (told[-1], told.count("submission:not_stored")) == ("submission:not_stored", 1), "once a day is enough"
    assert {bytes(row.body_index) for row in table(context.database, IntakeKey.table())} == {b""}


@pytest.mark.parametrize("keys", [{"vendor_id": "17"}, {"idempotency_key": "k", "vendor_id": "17"}])
def test_what_comes_after_only_its_time_was_over_is_new(context: Context, keys: dict[str, str]) -> None:
    def take(**changes: object) -> Kept:
        found = accept(context, arrival(answers(**changes), **keys), lambda _lane: None)
        assert isinstance(found, Kept)
        return found

    first = take()
    erase(context, first.submission_id, cause=Cause.RETENTION)
    second = take()
    assert (second.repeated, status_of(context, second.submission_id)) == (False, SubmissionStatus.RECEIVED)
    assert take() == replace(second, repeated=True)
    erase(context, second.submission_id, cause=Cause.RETENTION)
    third = take(severity=3)
    assert not third.repeated
    assert take(severity=3) == replace(third, repeated=True)
    erase(context, third.submission_id, cause=Cause.REQUEST)
    assert take() == replace(third, repeated=True), "the latest of them was erased since somebody asked"
    assert count(context.database, Submission.table()) == 3


def test_a_revision_whose_time_is_over_does_not_swallow_the_next(sqlite_context: Context) -> None:
    def take(severity: int) -> Kept:
        found = accept(sqlite_context, arrival(answers(severity=severity), vendor_id="17"), lambda _lane: None)
        assert isinstance(found, Kept)
        return found

    first, revision = take(1), take(2)
    erase(sqlite_context, revision.submission_id, cause=Cause.RETENTION)
    again = take(2)
    assert (again.repeated, again.status) == (False, SubmissionStatus.QUARANTINED)
    assert take(2) == replace(again, repeated=True)
    assert take(1).submission_id == first.submission_id


def test_a_file_that_cannot_be_deleted_keeps_nothing_else_and_goes_the_next_time(context: Context) -> None:
    kept = submit(context)
    drain(context)
    folder = context.settings.effective_mailbox_dir
    stubborn, *others = sorted(folder.iterdir())
    stubborn.unlink()
    stubborn.mkdir()
    done = erase(context, kept.submission_id)
    assert (len(done.erased), done.left) == (1, (stubborn.name,))
    assert left_of(context, kept.submission_id).keys() <= {"job"}, "to tell providers"
    assert not any(each.exists() for each in others)
    stubborn.rmdir()
    stubborn.write_text("To: ...")
    assert erase(context, kept.submission_id) == Done((), frozenset(), no_trace=True)
    assert list(folder.iterdir()) == []


def test_a_hold_refuses_it_and_all_that_was_asked_for_with_it(context: Context) -> None:
    held, free = submit(context, **person(1)).submission_id, submit(context, **person(2)).submission_id
    revision = accept(context, arrival(answers(), vendor_id="5"), lambda _lane: None)
    assert isinstance(revision, Kept)
    for matter in ("case-2026-14", "audit-7"):
        assert place(context.database, context.keys, STAFF, held, matter)
    assert not place(context.database, context.keys, STAFF, held, "audit-7")
    assert lift(context.database, context.keys, STAFF, held, "audit-7")
    assert not lift(context.database, context.keys, STAFF, held, "audit-7")
    before = count(context.database, AuditEvent.table())
    with pytest.raises(UnderHold, match="case-2026-14"):
        erase(context, free, held)
    assert count(context.database, AuditEvent.table()) == before
    assert not context.settings.effective_erasure_file.exists()
    assert left_of(context, free)
    lift(context.database, context.keys, STAFF, held, "case-2026-14")
    assert len(erase(context, free, held).erased) == 2
    assert actions_about(context, held)[1:5] == ["hold:placed", "hold:placed", "hold:lifted", "hold:lifted"]
    for typed in ("Mrs Jones", "knee", "case-2026-14\n", "case-jones", "c-1", "case-2026-14-1-1-1"):
        with pytest.raises(NotAMatter):
            place(context.database, context.keys, STAFF, free, typed)


def test_what_cannot_be_written_down_outside_does_not_happen(context: Context) -> None:
    kept = submit(context)
    context.settings.effective_erasure_file.mkdir()
    before = count(context.database, AuditEvent.table())
    with pytest.raises(CannotBeWritten):
        erase(context, kept.submission_id)
    assert status_of(context, kept.submission_id) is SubmissionStatus.RECEIVED
    assert count(context.database, AuditEvent.table()) == before
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
