"""From events to what follows from them, on both databases."""

import datetime as dt
import hashlib
import itertools
import json
import uuid
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from sqlalchemy import Row, delete, select, update

from pipeline.audit.actions import Action, staff
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing
from pipeline.models import AuditEvent, DeadJob, Email, EmailAttempt, MailEvent, MailTally, Suppression
from pipeline.operations.dead_letters import retry
from pipeline.status import SubmissionStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.unit_of_work import begin
from tests.support.receipts import attempts, report, told
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, engine, jobs, make_due, table

LOST = Receipt(SendOutcome.UNCERTAIN, None, "no-answer")
CONFIRMATION, REFERRAL = EmailKind.CONFIRMATION, EmailKind.REFERRAL


def accepting() -> ScriptedTransport:
    numbers = itertools.count(1)
    return ScriptedTransport(Receipt(SendOutcome.ACCEPTED, f"m-{next(numbers)}", "202") for _ in itertools.count())


def losing() -> ScriptedTransport:
    """Of four calls the answer is lost: one more would open the breaker."""
    return ScriptedTransport([LOST] * 4, confirms=True)


def sent(context: Context, number: int = 1, transport: ScriptedTransport | None = None) -> list[uuid.UUID]:
    """So many people's submissions, each with a candidate, whose emails were all called out."""
    people = [submit(context, person(each)).submission_id for each in range(number)]
    transport = transport or accepting()
    drain(context, "validate")
    drain(context, "email", transport=transport)  # the confirmations first
    drain(context, "score")
    drain(context, "email", transport=transport)
    return people


def mail(context: Context, kind: EmailKind, submission_id: uuid.UUID) -> Row[Any]:
    rows = table(context.database, Email.table())
    return next(row for row in rows if (row.kind, row.submission_id) == (kind, submission_id))


def again(context: Context, email: Row[Any]) -> Row[Any]:
    """The same email, as it is now."""
    return next(row for row in table(context.database, Email.table()) if row.id == email.id)


def to_person(context: Context, submission_id: uuid.UUID) -> list[Row[Any]]:
    rows = table(context.database, Email.table())
    return [row for row in rows if (row.recipient, row.submission_id) == ("person", submission_id)]


def receive(context: Context, *events: dict[str, Any]) -> None:
    report(context, events)
    engine(context).drain("receipts")


def last_attempt(context: Context, email: Row[Any]) -> Row[Any]:
    return attempts(context, email.id)[-1]


def counted(context: Context) -> dict[str, int]:
    with context.database.read() as connection:
        return {row.event: row[2] for row in connection.execute(select(MailTally.table()))}


def test_what_happened_to_an_email_is_its_status_and_on_record(context: Context) -> None:
    (submission_id,) = sent(context)
    attempt = last_attempt(context, mail(context, CONFIRMATION, submission_id))
    before = actions_about(context, submission_id)
    events = [told(name, attempt) for name in ("processed", "deferred", "delivered")]
    receive(context, *events, events[0])
    assert not jobs(context.database, "receipts")
    row = mail(context, CONFIRMATION, submission_id)
    assert (row.status, row.attempt_id, row.detail) == ("delivered", None, "2.0.0")
    assert actions_about(context, submission_id) == [*before, "email:deferred", "email:delivered"]
    (record,) = [each for each in table(context.database, AuditEvent.table()) if each.action == "email:delivered"]
    assert json.loads(record.details) == {
        "email": str(row.id),
        "kind": "confirmation",
        "transport": "sendgrid",
        "code": "2.0.0",
        "attempt_id": str(attempt.id),
    }
    receive(context, *events, told("bounce", attempt), told("delivered", attempt))
    assert again(context, row).status == "bounced"
    assert actions_about(context, submission_id)[-5:] == [
        "email:delivered",
        "email:bounced",
        *["suppression:added"] * 3,
    ]
    assert counted(context) == {"processed": 1, "deferred": 1, "delivered": 2, "bounced": 1, "repeated": 4}


Names = Callable[[Row[Any], str], dict[str, Any]]

BY: dict[str, tuple[Names, bool]] = {
    "attempt id": (lambda attempt, _: {"attempt_id": str(attempt.id)}, True),
    "message id": (lambda attempt, _: {"sg_message_id": f"{attempt.provider_message_id}.recvd-1.0"}, True),
    "address alone": (lambda _, address: {"email": address.upper()}, True),
    "address alone, 71 hours on": (lambda _, address: {"email": address, "timestamp": _hours(71)}, True),
    "address alone, 73 hours on": (lambda _, address: {"email": address, "timestamp": _hours(73)}, False),
    "another's message id": (lambda _, address: {"email": address, "sg_message_id": "other.recvd-1.0"}, False),
    "an unknown attempt id": (lambda _, address: {"email": address, "attempt_id": str(uuid.uuid4())}, False),
    "an address that nobody wrote to": (lambda *_: {"email": "else@example.org"}, False),
    "nothing": (lambda *_: {}, False),
}


def _hours(number: float) -> int:
    return int((dt.datetime.now(dt.UTC) + dt.timedelta(hours=number)).timestamp())


def test_a_bounce_finds_its_email(context: Context) -> None:
    events, expected = {}, dict[str, bool]()
    for number, (case, submission_id) in enumerate(zip(BY, sent(context, len(BY)), strict=True)):
        names, expected[case] = BY[case]
        newest = max(map(partial(last_attempt, context), to_person(context, submission_id)), key=_started)
        events[case] = told("bounce", **names(newest, f"ana.{number}@example.org"))
    receive(context, *events.values())
    for _ in range(3):
        make_due(context.database)
        engine(context).drain("receipts")
    found = {bytes(row.event_key): row for row in table(context.database, MailEvent.table())}
    rows = {case: found[hashlib.sha256(event["sg_event_id"].encode()).digest()] for case, event in events.items()}
    assert {case: row.email_id is not None for case, row in rows.items()} == expected
    assert all(row.applied_at is not None for row in rows.values())
    assert {row.address_index for row in rows.values() if row.email_id is None} == {None}, "about nobody we know"
    bounced = {row.id for row in table(context.database, Email.table()) if row.status == "bounced"}
    assert bounced == {row.email_id for row in rows.values()} - {None}
    assert rows["attempt id"].attempt_id is not None
    assert not jobs(context.database, "receipts")
    assert not table(context.database, DeadJob.table())
    # Where it is not known which email it was, what is said about an address that we write to still counts.
    assert len({bytes(row.address_index) for row in table(context.database, Suppression.table())}) == len(BY) - 2
    assert counted(context) == {"bounced": len(BY), "unmatched": 2}


def test_a_message_id_that_no_answer_told_is_the_one_call_whose_answer_was_lost(context: Context) -> None:
    people = sent(context, 2, ScriptedTransport([LOST] * 2, confirms=True))
    lost, one_of_two = (mail(context, CONFIRMATION, person) for person in people)
    other = mail(context, EmailKind.RECOMMENDATION, people[1])
    with context.database.write() as connection:
        unknown = {"outcome": None, "provider_message_id": None}  # as after a lost process
        connection.execute(update(EmailAttempt).where(EmailAttempt.email_id == other.id).values(**unknown))
    names = [("ana.0", "never-told", 1), ("ana.0", "anothers", 2), ("ana.1", "whose", 3)]
    receive(
        context,
        *(
            told("bounce", email=f"{person}@example.org", sg_message_id=f"{name}.recvd-1.0", timestamp=_hours(hours))
            for person, name, hours in names
        ),
    )
    for _ in range(3):
        make_due(context.database)
        engine(context).drain("receipts")
    assert (again(context, lost).status, again(context, lost).provider_message_id) == ("bounced", "never-told")
    assert last_attempt(context, lost).provider_message_id == "never-told"
    found = {row.provider_message_id: row.email_id for row in table(context.database, MailEvent.table())}
    assert found == {"never-told": lost.id, "anothers": None, "whose": None}
    assert again(context, one_of_two).status == "uncertain"


def _started(attempt: Row[Any]) -> dt.datetime:
    started: dt.datetime = attempt.started_at
    return started


NEWS: list[tuple[str, dict[str, Any], str, str | None, int]] = [
    ("bounce", {}, "bounced", "bounced", 3),
    ("blocked", {}, "bounced", None, 0),
    ("spamreport", {}, "complained", "complained", 3),
    ("dropped", {"reason": "Bounced Address"}, "dropped", "bounced", 3),
    ("dropped", {"reason": "Invalid"}, "dropped", "bounced", 3),
    ("dropped", {"reason": "Spam Reporting Address"}, "dropped", "complained", 3),
    ("dropped", {"reason": "Unsubscribed Address"}, "dropped", "unsubscribed", 2),
    ("dropped", {"reason": "Spam Content"}, "dropped", None, 0),
    ("processed", {"event": "unsubscribe"}, "handed_over", "unsubscribed", 2),
]


def test_bad_news_about_an_address_suppresses_it_for_what_the_reason_covers(sqlite_context: Context) -> None:
    emails = [mail(sqlite_context, CONFIRMATION, person) for person in sent(sqlite_context, len(NEWS))]
    last = [last_attempt(sqlite_context, email) for email in emails]
    receive(sqlite_context, *(told(news[0], attempt, **news[1]) for news, attempt in zip(NEWS, last, strict=True)))
    suppressed = table(sqlite_context.database, Suppression.table())
    for news, email, attempt in zip(NEWS, emails, last, strict=True):
        _, _, status, reason, classes = news
        assert again(sqlite_context, email).status == status, news
        found = [row.reason for row in suppressed if bytes(row.address_index) == bytes(attempt.address_index)]
        assert found == [reason] * classes, news
    with sqlite_context.database.write() as connection:  # staff lift all of it, and the old news comes once more
        connection.execute(delete(Suppression))
    receive(sqlite_context, *(told(news[0], attempt, **news[1]) for news, attempt in zip(NEWS, last, strict=True)))
    assert {row.reason for row in table(sqlite_context.database, Suppression.table())} == {"unsubscribed"}


def test_each_reason_that_is_told_of_an_attempt_suppresses_once_in_whatever_order(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context)
    last = last_attempt(sqlite_context, mail(sqlite_context, CONFIRMATION, submission_id))
    added = [("blocked", 0), ("bounce", 3), ("blocked", 3), ("bounce", 3), ("spamreport", 6), ("bounce", 6)]
    for name, number in added:
        receive(sqlite_context, told(name, last))
        assert actions_about(sqlite_context, submission_id).count("suppression:added") == number, name
        with sqlite_context.database.write() as connection:
            connection.execute(delete(Suppression))  # staff lift it: only what is new counts


def test_people_see_that_a_referral_did_not_arrive_and_not_each_bounced_person(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context)
    confirmation, referral = (mail(sqlite_context, kind, submission_id) for kind in (CONFIRMATION, REFERRAL))
    receive(
        sqlite_context, *(told("bounce", last_attempt(sqlite_context, email)) for email in (confirmation, referral))
    )
    drain(sqlite_context, "email", transport=accepting())
    (dead,) = table(sqlite_context.database, DeadJob.table())
    assert (dead.target_id, dead.reason) == (referral.id, "bounced:5.1.1")
    assert not jobs(sqlite_context.database, "email")


def test_nobody_is_asked_about_a_referral_that_the_person_took_back(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context)
    referral = mail(sqlite_context, REFERRAL, submission_id)
    with begin(sqlite_context.database, sqlite_context.keys, staff("ana")) as unit:
        unit.lock([submission_id])
        unit.transition(submission_id, SubmissionStatus.WITHDRAWN, Action.SUBMISSION_WITHDRAWN)
    receive(sqlite_context, told("bounce", last_attempt(sqlite_context, referral)))
    assert again(sqlite_context, referral).status == "bounced"
    assert not jobs(sqlite_context.database, "email")
    assert not table(sqlite_context.database, DeadJob.table())


SETTLES = [("processed", "handed_over"), ("delivered", "delivered"), ("bounce", "bounced"), ("dropped", "dropped")]


def test_a_receipt_settles_what_was_uncertain_and_its_job_ends(context: Context) -> None:
    people = sent(context, len(SETTLES), losing())
    emails = [mail(context, CONFIRMATION, submission_id) for submission_id in people]
    assert {email.status for email in emails} == {"uncertain"}
    waiting = {job.target_id for job in jobs(context.database, "email")}
    settling = zip(SETTLES, emails, strict=True)
    receive(context, *(told(n, last_attempt(context, e), sg_message_id=f"late-{n}.recvd-1") for (n, _), e in settling))
    assert {job.target_id for job in jobs(context.database, "email")} == waiting - {email.id for email in emails}
    for (name, status), email in zip(SETTLES, emails, strict=True):
        assert (again(context, email).status, again(context, email).provider_message_id) == (status, f"late-{name}")
        assert last_attempt(context, email).provider_message_id == f"late-{name}"
        assert f"email:{status}" in actions_about(context, email.submission_id)
    make_due(context.database)
    transport = accepting()
    drain(context, "email", transport=transport)
    assert not {email.id for email in emails} & {message.email_id for message in transport.sent}


def test_an_old_attempts_delivery_ends_the_sending_again_that_was_queued(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context, transport=losing())
    email = mail(sqlite_context, CONFIRMATION, submission_id)
    with sqlite_context.database.write() as connection:  # as the end of the hold does
        connection.execute(update(Email).where(Email.status == "uncertain").values(status="queued"))
    receive(sqlite_context, told("delivered", last_attempt(sqlite_context, email)))
    transport = accepting()
    make_due(sqlite_context.database)
    drain(sqlite_context, "email", transport=transport)
    assert email.id not in {message.email_id for message in transport.sent}
    assert again(sqlite_context, email).status == "delivered"


def test_a_dead_letter_about_an_unknown_fate_goes_when_the_fate_is_known(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context, transport=losing())
    make_due(sqlite_context.database)
    drain(sqlite_context, "email", transport=accepting())
    referral = mail(sqlite_context, REFERRAL, submission_id)
    assert referral.status == "uncertain"
    assert referral.id in {row.target_id for row in table(sqlite_context.database, DeadJob.table())}
    receive(sqlite_context, told("delivered", last_attempt(sqlite_context, referral)))
    assert again(sqlite_context, referral).status == "delivered"
    assert referral.id not in {row.target_id for row in table(sqlite_context.database, DeadJob.table())}
    assert actions_about(sqlite_context, submission_id)[-2:] == ["email:delivered", "job:discarded"]


def test_what_comes_late_about_an_old_try_does_not_move_the_one_an_operator_asked_for(context: Context) -> None:
    (submission_id,) = sent(context)
    email = mail(context, REFERRAL, submission_id)
    old = last_attempt(context, email)
    receive(context, told("blocked", old))
    drain(context, "email", transport=accepting())
    (dead,) = table(context.database, DeadJob.table())
    retry(context.database, context.keys, staff("ana"), [dead.id])
    late = [told(name, old) for name in ("delivered", "blocked", "processed")]
    receive(context, *late, told("dropped", old, reason="Spam Content"))
    assert again(context, email).status == "queued"
    drain(context, "email", transport=ScriptedTransport([Receipt(SendOutcome.ACCEPTED, "m-99", "202")]))
    receive(context, told("delivered", old), told("blocked", old))
    assert again(context, email).status == "handed_over"
    assert len(attempts(context, email.id)) == 2
    receive(context, told("delivered", last_attempt(context, email)))
    assert again(context, email).status == "delivered"
    assert not table(context.database, DeadJob.table())


def test_late_bad_news_of_an_uncertain_try_does_not_undo_the_one_that_arrived(context: Context) -> None:
    (submission_id,) = sent(context, transport=losing())
    make_due(context.database)
    drain(context, "email", transport=accepting())  # the confirmation again; about the referral people are asked
    dead = [row.id for row in table(context.database, DeadJob.table())]
    retry(context.database, context.keys, staff("ana"), dead, resend_uncertain=True)
    drain(context, "email", transport=accepting())
    confirmation, referral = (mail(context, kind, submission_id) for kind in (CONFIRMATION, REFERRAL))
    (old, new), (old_offer, new_offer) = (attempts(context, email.id) for email in (confirmation, referral))
    receive(context, told("delivered", new), told("bounce", old_offer))
    assert again(context, referral).status == "handed_over"
    assert actions_about(context, submission_id).count("suppression:added") == 3  # what is said of the address counts
    receive(context, told("dropped", old, reason="Invalid"), told("delivered", new_offer), told("blocked", old_offer))
    assert {again(context, email).status for email in (confirmation, referral)} == {"delivered"}
    assert actions_about(context, submission_id).count("suppression:added") == 6
    assert not {job.target_id for job in jobs(context.database, "email")} & {confirmation.id, referral.id}
    assert not table(context.database, DeadJob.table())


def test_an_event_that_overtakes_the_answer_waits_for_it(sqlite_context: Context) -> None:
    def tell(message: Outgoing) -> None:
        with one_at_a_time:
            receive(sqlite_context, told("delivered", attempt_id=str(message.attempt_id)))
            statuses.update(row.status for row in table(sqlite_context.database, Email.table()))

    one_at_a_time, statuses = Lock(), set[str]()
    transport = accepting()
    transport.during = tell
    (submission_id,) = sent(sqlite_context, transport=transport)
    assert statuses == {"queued", "handed_over"}
    make_due(sqlite_context.database)
    engine(sqlite_context).drain("receipts")
    assert {row.status for row in table(sqlite_context.database, Email.table())} == {"delivered"}
    actions = actions_about(sqlite_context, submission_id)
    assert actions.count("email:handed_over") == actions.count("email:delivered") > 0


def test_two_bounces_to_one_address_are_about_two_emails(sqlite_context: Context) -> None:
    (submission_id,) = sent(sqlite_context)
    emails = to_person(sqlite_context, submission_id)
    assert len(emails) == 2
    receive(sqlite_context, *(told("bounce", email="ana.0@example.org") for _ in emails))
    assert {again(sqlite_context, email).status for email in emails} == {"bounced"}
