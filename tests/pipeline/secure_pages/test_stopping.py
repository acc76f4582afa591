"""Withdrawal by the person: everything stops, on record, whatever is going on."""

from typing import Any

import pytest
from sqlalchemy import update

from pipeline.audit.actions import Action
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing
from pipeline.models import Email, ProviderLoad, Referral, Review, SecureSession
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from pipeline.secure_pages.link import Closed
from pipeline.secure_pages.opening import look
from pipeline.secure_pages.stopping import Stopped, stop
from pipeline.status import SubmissionStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.pipeline.secure_pages.links import BORN, PROVIDERS, Referred, nobody, referred
from tests.support.racing import at_once
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, emails, jobs, make_due, status_of, table


def test_everything_stops_and_the_same_link_says_so_again(context: Context) -> None:
    case = referred(context)
    token, others = case.token(), [case.token(EmailKind.CONFIRMATION), *map(case.provider_token, PROVIDERS)]
    case.unlocked(token, BORN)
    session = case.provider_session()
    answer_referral(context, others[1], session, ProviderAnswer(accepts=True), None, "request", lambda _lane: None)
    case.new_code(others[2])

    assert isinstance(stop(context, token, "request", nobody), Stopped)
    records = len(case.recorded(Action.EMAIL_CANCELLED))
    assert records == 2, "the emails with codes, which nobody had sent yet"
    assert isinstance(stop(context, token, "request", nobody), Stopped)

    assert status_of(context, case.submission_id) is SubmissionStatus.WITHDRAWN
    assert {row.status for row in table(context.database, Referral.table())} == {"withdrawn"}
    assert {row.open_referrals for row in table(context.database, ProviderLoad.table())} == {0}
    assert table(context.database, SecureSession.table()) == []
    assert [job.lane for job in jobs(context.database)] == ["email"] * 3, "the providers are told, once"
    drain(context)
    told = [(recipient, status) for kind, recipient, status in emails(context) if kind == EmailKind.REFERRAL_WITHDRAWN]
    assert told == sorted((f"provider:{each}", "handed_over") for each in PROVIDERS)
    assert jobs(context.database) == []
    assert isinstance(look(context, token, session, "request"), Stopped)
    assert all(isinstance(look(context, each, session, "request"), Closed) for each in others)
    assert all(isinstance(stop(context, each, "request", nobody), Closed) for each in others)
    assert isinstance(case.open(token, BORN), Closed)
    assert len(case.recorded(Action.SUBMISSION_WITHDRAWN)) == 1
    assert len(case.recorded(Action.REFERRAL_WITHDRAWN)) == 3
    owned = [*case.recorded(Action.SUBMISSION_WITHDRAWN), *case.recorded(Action.REFERRAL_WITHDRAWN)]
    assert {row.actor for row in owned} == {f"person:{case.submission_id}"}
    assert len(case.recorded(Action.EMAIL_CANCELLED)) == records
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_a_joined_requests_link_stops_the_earlier_request_too(context: Context) -> None:
    earlier, joined, other = referred(context), referred(context), referred(context, email="other@example.org")
    token, session = joined.token(EmailKind.JOINED), earlier.provider_session()
    for _ in range(2):
        assert isinstance(stop(context, token, "request", nobody), Stopped)
    assert isinstance(look(context, token, None, "request"), Stopped)
    for case in (earlier, joined):
        assert status_of(context, case.submission_id) is SubmissionStatus.WITHDRAWN
        withdrawn = case.recorded(Action.SUBMISSION_WITHDRAWN)
        assert [row.actor for row in withdrawn] == [f"person:{joined.submission_id}"]
    ended = [earlier.token(), earlier.token(EmailKind.CONFIRMATION), *map(earlier.provider_token, PROVIDERS)]
    assert all(isinstance(look(context, each, session, "request"), Closed) for each in ended)
    offers = {(row.submission_id, row.status) for row in table(context.database, Referral.table())}
    assert offers == {(earlier.submission_id, "withdrawn"), (other.submission_id, "offered")}
    assert status_of(context, other.submission_id) is SubmissionStatus.CANDIDATE
    assert status_of(context, referred(context).submission_id) is SubmissionStatus.CANDIDATE, "nothing to be joined to"
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_both_links_of_a_repeated_request_used_at_the_same_time_stop_it_once(context: Context) -> None:
    earlier, joined = referred(context), referred(context)
    tokens = (earlier.token(), joined.token(EmailKind.JOINED))
    results = at_once(2, lambda number: stop(context, tokens[number], "request", nobody))
    assert isinstance(results[1], Stopped)
    assert {status_of(context, case.submission_id) for case in (earlier, joined)} == {SubmissionStatus.WITHDRAWN}
    assert len(earlier.recorded(Action.SUBMISSION_WITHDRAWN)) == 1
    assert len(earlier.recorded(Action.REFERRAL_WITHDRAWN)) == 3


def test_a_later_request_of_the_same_person_is_not_joined_to_the_withdrawn_one(context: Context) -> None:
    case = referred(context)
    stop(context, case.token(), "request", nobody)
    assert status_of(context, referred(context).submission_id) is SubmissionStatus.CANDIDATE


@pytest.mark.parametrize(
    ("lanes", "changes", "before"),
    [
        (("validate",), {}, SubmissionStatus.VALID),
        ((), {"condition": "other", "condition_other": "Something rare"}, SubmissionStatus.NEEDS_REVIEW),
    ],
)
def test_it_stops_before_and_between_the_stages(
    sqlite_context: Context, lanes: tuple[str, ...], changes: dict[str, Any], before: SubmissionStatus
) -> None:
    context = sqlite_context
    kept = submit(context, **changes)
    drain(context, *lanes)
    assert status_of(context, kept.submission_id) is before
    case = Referred(context, kept.submission_id)
    assert isinstance(stop(context, case.token(EmailKind.CONFIRMATION), "request", nobody), Stopped)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.WITHDRAWN
    assert (jobs(context.database), table(context.database, Review.table())) == ([], [])
    assert not [each for each in emails(context) if each[2] == "queued"]
    assert not case.recorded(Action.REFERRAL_OFFERED)


def test_what_is_being_sent_while_it_is_stopped_is_recorded_as_sent(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate", "score")
    case = Referred(context, kept.submission_id)
    tokens = [case.token(EmailKind.CONFIRMATION)]

    def stop_once(_message: Outgoing) -> None:
        if tokens:
            stop(context, tokens.pop(), "request", nobody)

    transport = ScriptedTransport(during=stop_once)
    drain(context, transport=transport)
    assert status_of(context, kept.submission_id) is SubmissionStatus.WITHDRAWN
    assert [status for _, _, status in emails(context)] == ["handed_over"] * len(transport.sent)
    # The five that were on their way, and to the three providers that it is withdrawn.
    assert len(case.recorded(Action.EMAIL_HANDED_OVER)) == len(transport.sent) == 8
    assert jobs(context.database) == []


def test_an_email_whose_sender_was_lost_is_still_settled(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate", "score")
    case = Referred(context, kept.submission_id)
    marked = jobs(context.database, "email")[0].target_id
    with context.database.write() as connection:
        connection.execute(update(Email).where(Email.id == marked).values(attempt_id=marked))
    stop(context, case.token(EmailKind.CONFIRMATION), "request", nobody)
    assert [job.target_id for job in jobs(context.database)] == [marked]
    drain(context, transport=ScriptedTransport())
    assert sorted(status for _, _, status in emails(context)) == [*["cancelled"] * 4, "uncertain"]


def test_an_email_of_unknown_fate_is_still_settled_and_never_sent_again(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate", transport=ScriptedTransport())
    unknown = ScriptedTransport([Receipt(SendOutcome.UNCERTAIN, code="timeout")])
    drain(context, "email", transport=unknown)
    assert emails(context) == [("confirmation", "person", "uncertain")]
    stop(context, Referred(context, kept.submission_id).token(EmailKind.CONFIRMATION), "request", nobody)
    make_due(context.database)  # the end of its hold
    drain(context, transport=unknown)
    assert emails(context) == [("confirmation", "person", "cancelled")]
    assert len(unknown.sent) == 1


def test_a_withdrawal_and_an_answer_at_the_same_time_end_in_one_consistent_state(context: Context) -> None:
    case = referred(context)
    token, provider_token, session = case.token(), case.provider_token(), case.provider_session()
    decline = ProviderAnswer(accepts=False, reason="other")

    def act(number: int) -> object:
        if number == 0:
            return stop(context, token, "request", nobody)
        return answer_referral(context, provider_token, session, decline, None, "request", lambda _lane: None)

    assert isinstance(at_once(2, act)[0], Stopped)
    drain(context)
    found = {row.provider_id: row.status for row in table(context.database, Referral.table())}
    assert found.pop(PROVIDERS[0]) in {"declined", "withdrawn"}
    assert set(found.values()) == {"withdrawn"}
    assert {row.open_referrals for row in table(context.database, ProviderLoad.table())} == {0}
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()
