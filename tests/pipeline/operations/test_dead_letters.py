import pytest

from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.models import AuditEvent, DeadJob, Email
from pipeline.operations.dead_letters import Retried, discard, list_dead, retry
from pipeline.secure_link import token_for
from pipeline.secure_pages.stopping import stop
from pipeline.status import EmailStatus, SubmissionStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.unit_of_work import begin
from tests.pipeline.operations.work import dead_email, set_email_status
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, jobs, table

STAFF = actions.staff("ana")


def ids(context: Context) -> list[int]:
    with context.database.read() as connection:
        return [letter.id for letter in list_dead(connection)]


def test_a_retried_email_is_sent_once_and_both_are_on_record(context: Context) -> None:
    kept = dead_email(context)
    (dead,) = ids(context)
    assert emails(context, kept.submission_id) == [("confirmation", "person", "failed")]

    assert retry(context.database, context.keys, STAFF, [dead]) == Retried(retried=(dead,))
    transport = ScriptedTransport()
    drain(context, "email", transport=transport)

    assert len(transport.sent) == 1
    assert emails(context, kept.submission_id) == [("confirmation", "person", "handed_over")]
    assert ids(context) == []
    assert actions_about(context, kept.submission_id)[-3:] == ["job:died", "job:retried", "email:handed_over"]
    retried = [row for row in table(context.database, AuditEvent.table()) if row.action == Action.JOB_RETRIED]
    assert [row.actor for row in retried] == ["staff:ana"]
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_an_email_that_may_have_been_sent_is_sent_again_only_when_told_so(context: Context) -> None:
    kept = dead_email(context)
    (dead,) = ids(context)
    set_email_status(context, kept.submission_id, EmailStatus.UNCERTAIN)

    assert retry(context.database, context.keys, STAFF, [dead]) == Retried(uncertain=(dead,))
    assert ids(context) == [dead]
    assert emails(context, kept.submission_id) == [("confirmation", "person", "uncertain")]

    told = retry(context.database, context.keys, STAFF, [dead], resend_uncertain=True)
    assert told == Retried(retried=(dead,))
    assert emails(context, kept.submission_id) == [("confirmation", "person", "queued")]


@pytest.mark.parametrize("status", [EmailStatus.HANDED_OVER, EmailStatus.CANCELLED])
def test_what_was_settled_meanwhile_is_not_done_again(context: Context, status: EmailStatus) -> None:
    kept = dead_email(context)
    (dead,) = ids(context)
    set_email_status(context, kept.submission_id, status)
    assert retry(context.database, context.keys, STAFF, [dead], resend_uncertain=True) == Retried(settled=(dead,))
    assert (ids(context), jobs(context.database, "email")) == ([], [])
    assert emails(context, kept.submission_id) == [("confirmation", "person", status.value)]


def test_nobody_is_written_to_after_this_was_not_me(context: Context) -> None:
    kept = dead_email(context)
    (dead,) = ids(context)
    with begin(context.database, context.keys, actions.person(kept.submission_id)) as unit:
        unit.lock([kept.submission_id])
        unit.transition(kept.submission_id, SubmissionStatus.WITHDRAWN, Action.SUBMISSION_WITHDRAWN)
    assert retry(context.database, context.keys, STAFF, [dead]) == Retried(settled=(dead,))
    assert jobs(context.database, "email") == []


def test_a_provider_is_told_of_a_withdrawal_even_after_its_email_was_given_up(context: Context) -> None:
    kept = submit(context)
    drain(context)
    (confirmation, *_) = [row for row in table(context.database, Email.table()) if row.kind == "confirmation"]
    stop(context, token_for(context.vault, confirmation.id), "request", lambda _lane: None)
    refused = [Receipt(SendOutcome.REJECTED, None, "5.7.1")] * 3
    drain(context, "email", transport=ScriptedTransport(refused))
    assert len(ids(context)) == 3
    assert len(retry(context.database, context.keys, STAFF, ids(context)).retried) == 3
    drain(context, "email")
    told = [status for kind, _, status in emails(context, kept.submission_id) if kind == "referral-withdrawn"]
    assert told == ["handed_over"] * 3


def test_discarding_keeps_the_reason_on_record_and_leaves_the_rest(context: Context) -> None:
    kept, other = dead_email(context), dead_email(context)
    first, second = ids(context)
    assert discard(context.database, context.keys, STAFF, [first, 999_999], "address is gone") == (first,)
    assert ids(context) == [second]
    assert actions_about(context, kept.submission_id)[-1] == "job:discarded"
    assert "job:discarded" not in actions_about(context, other.submission_id)
    (event,) = [row for row in table(context.database, AuditEvent.table()) if row.action == Action.JOB_DISCARDED]
    assert (event.reason, event.submission_id) == ("address is gone", kept.submission_id)


def test_the_same_dead_letter_is_retried_once(context: Context) -> None:
    dead_email(context)
    (dead,) = ids(context)
    assert retry(context.database, context.keys, STAFF, [dead]).retried == (dead,)
    assert retry(context.database, context.keys, STAFF, [dead]) == Retried()
    assert len(jobs(context.database, "email")) == 1
    assert table(context.database, DeadJob.table()) == []
