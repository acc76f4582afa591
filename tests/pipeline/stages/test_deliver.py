import hashlib
import uuid
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import Never

import pytest
from sqlalchemy import update

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.email.message import Outgoing, to_bytes
from pipeline.models import AuditEvent, DeadJob, Email, LanePause
from pipeline.stages.addressing import Letter
from pipeline.stages.deliver import Composed, DeliverStage
from pipeline.suppression import Reason, suppress
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.unit_of_work import begin
from pipeline.withdrawal import withdraw
from tests.support.networks import fitting, put_in_force
from tests.support.probe import Killed
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import (
    actions_about,
    drain,
    emails,
    end_pauses,
    engine,
    expire_leases,
    jobs,
    leave_one_attempt,
    make_due,
    run_sweep,
    table,
)


@pytest.fixture
def confirmations(context: Context) -> list[uuid.UUID]:
    """Three people whose confirmations wait to be sent, in order."""
    several = [submit(context, person(number)).submission_id for number in range(3)]
    drain(context, "validate")
    return several


def send(context: Context, transport: ScriptedTransport) -> None:
    engine(context, transport).drain("email")


def standing(context: Context) -> list[str]:
    return [row.status for row in table(context.database, Email.table())]


def marks(context: Context) -> list[uuid.UUID | None]:
    return [row.attempt_id for row in table(context.database, Email.table())]


@pytest.mark.parametrize(
    ("receipt", "status", "action"),
    [
        (Receipt(SendOutcome.ACCEPTED, "m-17", "202"), "handed_over", "email:handed_over"),
        (Receipt(SendOutcome.REJECTED, None, "5.6.0"), "failed", "email:failed"),
        (Receipt(SendOutcome.REJECTED, None, "5.1.1", bad_address=True), "bounced", "email:bounced"),
        (Receipt(SendOutcome.UNCERTAIN, None, "timeout"), "uncertain", "email:uncertain"),
        (RuntimeError("with an address in it"), "uncertain", "email:uncertain"),
    ],
)
def test_an_answer_settles_the_email_and_is_on_record(
    context: Context, confirmations: list[uuid.UUID], receipt: Receipt | Exception, status: str, action: str
) -> None:
    transport = ScriptedTransport([receipt])
    send(context, transport)
    assert len(transport.sent) == 3
    assert len({message.attempt_id for message in transport.sent}) == 3
    (first,) = [row for row in table(context.database, Email.table()) if row.id == transport.sent[0].email_id]
    assert (first.status, first.transport, first.attempt_id) == (status, "scripted", None)
    assert (first.handed_over_at is not None) == (status == "handed_over")
    recorded = [action, "job:died"] if status in {"failed", "bounced"} else [action]
    if status == "bounced":
        recorded.insert(1, "suppression:added")
        recorded[1:2] = ["suppression:added"] * 3
    assert actions_about(context, first.submission_id)[-len(recorded) :] == recorded
    assert first.content_hash == hashlib.sha256(to_bytes(transport.sent[0])).digest()
    if isinstance(receipt, Receipt):
        assert (first.provider_message_id, first.detail) == (receipt.provider_message_id, receipt.code)
    else:
        assert first.detail == "unexpected:RuntimeError"
    assert sorted(standing(context)) == sorted([status, "handed_over", "handed_over"])
    held = [job.target_id for job in jobs(context.database, "email")]
    assert held == ([first.id] if status == "uncertain" else []), "one of unknown fate waits for the provider's word"
    dead = [row.target_id for row in table(context.database, DeadJob.table())]
    assert dead == ([first.id] if status in {"failed", "bounced"} else [])
    send(context, transport)
    assert len(transport.sent) == 3


def test_an_email_refused_for_now_is_tried_again_and_given_up_at_last(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    retry = Receipt(SendOutcome.RETRY, None, "451", retry_after=3000)
    send(context, ScriptedTransport([retry]))
    (job,) = jobs(context.database, "email")
    assert (job.attempts, job.last_error) == (1, "451")
    assert job.due_at > job.created_at
    assert marks(context) == [None] * 3
    leave_one_attempt(context, "email")
    assert sorted(standing(context)) == ["handed_over", "handed_over", "queued"]
    make_due(context.database)
    send(context, ScriptedTransport([retry]))
    assert sorted(standing(context)) == ["failed", "handed_over", "handed_over"]
    (dead,) = table(context.database, DeadJob.table())
    assert dead.reason == "451"
    assert actions_about(context, dead.submission_id)[-2:] == ["email:failed", "job:died"]


def test_a_provider_that_refuses_everyone_pauses_the_lane_and_costs_nobody(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    down = [Receipt(SendOutcome.LANE_FAILURE, None, "401", retry_after=120)] * 3
    send(context, ScriptedTransport(down))
    assert standing(context) == ["queued"] * 3
    assert marks(context) == [None] * 3
    assert [job.attempts for job in jobs(context.database, "email")] == [0] * 3
    (pause,) = table(context.database, LanePause.table())
    assert (pause.lane, pause.reason) == ("email", "401")
    assert 119 <= (pause.until - pause.since).total_seconds() <= 121
    working = ScriptedTransport()
    send(context, working)
    assert working.sent == []
    end_pauses(context.database)
    run_sweep(context)
    make_due(context.database)
    send(context, working)
    assert standing(context) == ["handed_over"] * 3


def test_one_lost_connection_delays_one_email_and_pauses_nobody(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    send(context, ScriptedTransport([Receipt(SendOutcome.UNAVAILABLE, None, "connection")]))
    assert sorted(standing(context)) == ["handed_over", "handed_over", "queued"]
    assert not table(context.database, LanePause.table())
    (job,) = jobs(context.database, "email")
    assert job.attempts == 1
    assert job.due_at > job.created_at


def test_an_email_on_its_way_when_the_person_stopped_everything_is_not_tried_again(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    stopped = confirmations[0]

    class StoppedMeanwhile(ScriptedTransport):
        def send(self, message: Outgoing, content: bytes) -> Receipt:
            if not self.sent:
                with begin(context.database, context.keys, actions.person(stopped)) as unit:
                    withdraw(context, unit, stopped, uuid.uuid4())
            return super().send(message, content)

    transport = StoppedMeanwhile([Receipt(SendOutcome.RETRY, None, "451")] * 3)
    send(context, transport)
    assert emails(context, stopped) == [("confirmation", "person", "cancelled")]
    assert actions_about(context, stopped)[-1] == "email:cancelled"
    make_due(context.database)
    send(context, transport)
    assert sorted(standing(context)) == ["cancelled", "handed_over", "handed_over"]


def test_a_worker_that_is_told_to_stop_finishes_the_slice_in_hand_and_gives_the_rest_back(
    context: Context, confirmations: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.deliver.LOCAL_SLICE", 1)
    transport = ScriptedTransport(idempotent=True)
    worker = engine(context, transport)
    worker.stopping = lambda: bool(transport.sent)
    worker.drain("email")
    assert sorted(standing(context)) == ["handed_over", "queued", "queued"]
    assert [(job.attempts, job.lease_until) for job in jobs(context.database, "email")] == [(0, None)] * 2
    send(context, transport)
    assert standing(context) == ["handed_over"] * 3


@pytest.mark.parametrize(("idempotent", "status", "sent_again"), [(False, "uncertain", 0), (True, "handed_over", 3)])
def test_what_a_dead_worker_was_sending_is_sent_again_only_where_that_does_no_harm(
    context: Context, confirmations: list[uuid.UUID], *, idempotent: bool, status: str, sent_again: int
) -> None:
    def die(_message: object) -> Never:
        raise Killed

    with pytest.raises(Killed):
        send(context, ScriptedTransport(idempotent=idempotent, during=die))
    assert standing(context) == ["queued"] * 3
    assert None not in marks(context)
    expire_leases(context.database)
    run_sweep(context)
    successor = ScriptedTransport(idempotent=idempotent)
    send(context, successor)
    assert standing(context) == [status] * 3
    assert len(successor.sent) == sent_again
    assert len(jobs(context.database, "email")) == 3 - sent_again, "those of unknown fate are held"


def test_an_email_whose_lease_was_lost_before_its_call_is_not_sent(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    transport = ScriptedTransport()

    class Slow(DeliverStage):
        def work(self, item: Letter) -> Composed:
            expire_leases(context.database)
            run_sweep(context)
            return super().work(item)

    running = engine(context)
    running.run_batch(replace(running.lanes["email"], stage=Slow(context, transport)))
    assert transport.sent == []
    assert standing(context) == ["queued"] * 3
    send(context, transport)
    assert len(transport.sent) == 3


def test_a_cancelled_email_is_not_sent(context: Context, confirmations: list[uuid.UUID]) -> None:
    def cancel(submission_id: uuid.UUID) -> None:
        with context.database.write() as connection:
            connection.execute(update(Email).where(Email.submission_id == submission_id).values(status="cancelled"))

    class Interrupted(DeliverStage):
        """The second one is cancelled after it was claimed and before it is marked."""

        def work(self, item: Letter) -> Composed:
            if item.sealed.submission_id == confirmations[1]:
                cancel(confirmations[1])
            return super().work(item)

    cancel(confirmations[0])
    transport = ScriptedTransport()
    running = engine(context)
    running.run_batch(replace(running.lanes["email"], stage=Interrupted(context, transport)))
    assert standing(context) == ["cancelled", "cancelled", "handed_over"]
    send(context, transport)
    assert [message.recipient for message in transport.sent] == ["ana.2@example.org"]
    assert not jobs(context.database, "email")


def test_an_address_that_is_suppressed_while_its_email_is_being_written_is_not_written_to(
    context: Context, confirmations: list[uuid.UUID]
) -> None:
    class Interrupted(DeliverStage):
        """The second address is suppressed after its email was claimed and before it is marked."""

        def work(self, item: Letter) -> Composed:
            if item.sealed.submission_id == confirmations[1]:
                assert item.address_index is not None
                with begin(context.database, context.keys, actions.staff("test")) as unit:
                    suppress(unit, item.address_index, Reason.STAFF, submission_id=confirmations[1])
            return super().work(item)

    transport = ScriptedTransport()
    running = engine(context)
    running.run_batch(replace(running.lanes["email"], stage=Interrupted(context, transport)))
    send(context, transport)
    assert sorted(message.recipient for message in transport.sent) == ["ana.0@example.org", "ana.2@example.org"]
    assert standing(context) == ["handed_over", "suppressed", "handed_over"]
    assert not jobs(context.database, "email")


def test_no_call_is_started_that_could_outlive_the_lease(context: Context, confirmations: list[uuid.UUID]) -> None:
    transport = ScriptedTransport()
    stage = DeliverStage(context, transport)
    running = engine(context)
    running.run_batch(replace(running.lanes["email"], stage=stage, lease_seconds=12))
    assert transport.sent == []
    assert [(job.attempts, job.lease_token) for job in jobs(context.database, "email")] == [(0, None)] * 3


def test_a_call_is_made_only_after_its_mark_was_committed(context: Context, confirmations: list[uuid.UUID]) -> None:
    seen: list[uuid.UUID | None] = []

    def look(message: Outgoing) -> None:
        rows = {row.id: row.attempt_id for row in table(context.database, Email.table())}
        seen.append(rows[message.email_id])

    transport = ScriptedTransport(during=look)
    send(context, transport)
    assert sorted(seen, key=str) == sorted((message.attempt_id for message in transport.sent), key=str)


def test_the_mailbox_holds_each_email_once_under_its_id_and_no_health_fact(context: Context) -> None:
    submit(context)
    drain(context)
    sent = {row.id: row for row in table(context.database, Email.table())}
    files = {uuid.UUID(file.stem): file for file in context.settings.effective_mailbox_dir.iterdir()}
    assert files.keys() == sent.keys()
    addresses = set()
    for email_id, file in files.items():
        message = message_from_bytes(file.read_bytes(), policy=default)
        addresses.add(message["To"])
        text = "".join(part.get_content() for part in message.walk() if not part.is_multipart()).lower()
        assert not {word for word in ("fibro", "dolor", "1975", "94110", "maría josé") if word in text}, email_id
        assert "/s/" in text
    assert "maria.lopez@example.org" in addresses
    assert len(addresses) == 4


def test_an_address_that_is_gone_ends_as_a_failed_email(context: Context) -> None:
    submit(context)
    drain(context, "validate", "score")
    put_in_force(context, fitting("another"))  # the referral's provider is retired before its email leaves
    drain(context, "email")
    failed = [row for row in emails(context) if row[2] == "failed"]
    assert [kind for kind, _, _ in failed] == ["referral"] * 3
    assert {row.reason for row in table(context.database, DeadJob.table())} == {"provider_unknown"}
    details = [row.details for row in table(context.database, AuditEvent.table()) if row.action == "email:failed"]
    assert all('"code":"provider_unknown"' in each for each in details)
