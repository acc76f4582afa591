"""Looking at links, and opening them with the person's second factor."""

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import SecureLink, SecureSession
from pipeline.secure_pages.link import ATTEMPTS_EVER, Closed, Locked
from pipeline.secure_pages.opening import Gated, Opened, Wrong, look
from tests.pipeline.secure_pages.links import BORN, FUTURE, PAST, PROVIDERS, change, fail_long_ago, referred
from tests.support.racing import at_once
from tests.support.work import actions_about, table


def test_looking_records_the_access_at_most_once_a_minute_and_nothing_else(context: Context) -> None:
    case = referred(context)
    token, before = case.token(), actions_about(context.database, case.submission_id)
    seen = at_once(4, lambda _: look(context, token, None, "request"))
    assert all(isinstance(each, Gated) and not each.session_open for each in seen)
    assert actions_about(context.database, case.submission_id) == [*before, "page:opened"]
    assert case.recorded(Action.PAGE_OPENED)[0].actor == f"link:{case.link(token).id}"
    look(context, case.token(EmailKind.CONFIRMATION), None, "request")
    assert len(case.recorded(Action.PAGE_OPENED)) == 2, "another link has a record of its own"


def test_the_date_of_birth_opens_a_session_and_every_view_is_a_disclosure_on_record(context: Context) -> None:
    case = referred(context)
    token = case.token()
    opened = case.open(token, BORN)
    assert isinstance(opened, Opened)
    assert opened.session_key is not None
    assert isinstance(case.open(token, session=opened.session_key), Opened)
    assert isinstance(look(context, token, opened.session_key, "request"), Gated)
    shown = case.recorded(Action.FACTS_DISCLOSED)
    assert [row.actor for row in shown] == [f"person:{case.submission_id}"] * 2
    assert opened.session_key.encode() not in b"".join(
        row.token_hash for row in table(context.database, SecureSession.table())
    )
    assert "page:unlocked" in actions_about(context.database, case.submission_id)


def test_a_session_is_good_for_its_own_link_and_its_own_time_only(context: Context) -> None:
    case = referred(context)
    token, other = case.token(), case.token(EmailKind.CONFIRMATION)
    session = case.unlocked(token, BORN)
    assert isinstance(case.open(other, session=session), Wrong)
    assert isinstance(case.open(case.provider_token(), session=session), Wrong)
    change(context, SecureSession.table(), expires_at=PAST)
    assert isinstance(case.open(token, session=session), Wrong)


def test_wrong_dates_lock_the_link_for_an_hour_and_in_the_end_for_good(context: Context) -> None:
    case = referred(context)
    token = case.token()
    assert isinstance(case.open(token), Wrong), "nothing typed is not an attempt"
    lefts = [case.open(token, "1975-03-29").link.attempts_left for _ in range(4)]
    assert lefts == [4, 3, 2, 1]
    fifth = case.open(token, "1975-03-29")
    assert isinstance(fifth, Locked)
    assert fifth.seconds == 3600
    locked = case.open(token, BORN)
    assert isinstance(locked, Locked), "the right date does not help now"
    assert locked.seconds is not None
    assert isinstance(look(context, token, None, "request"), Locked)
    assert len(case.recorded(Action.PAGE_UNLOCK_FAILED)) == 5
    assert isinstance(case.open(case.token(EmailKind.CONFIRMATION), BORN), Opened), "attempts are counted per link"

    later = referred(context, email="other@example.org")
    token = later.token()
    fail_long_ago(later, token, 5)
    assert isinstance(later.open(token, "1975-03-29"), Wrong), "an hour later it may be tried again"
    assert isinstance(later.open(token, BORN), Opened)
    assert isinstance(later.open(token), Wrong), "no lock is left"
    fail_long_ago(later, token, ATTEMPTS_EVER)
    for_good = later.open(token, BORN)
    assert isinstance(for_good, Locked)
    assert for_good.seconds is None


def test_the_right_second_factor_takes_attempts_back_and_the_next_fifth_wrong_one_locks_again(
    context: Context,
) -> None:
    case = referred(context)
    for token, right in ((case.token(), BORN), (case.provider_token(), case.new_code(case.provider_token()))):
        fail_long_ago(case, token, ATTEMPTS_EVER - 1)
        assert isinstance(case.open(token, right), Opened)
        assert case.link(token).failed_attempts == 0
        assert isinstance(look(context, token, None, "request"), Gated)
        results = [case.open(token, "wrong") for _ in range(5)]
        assert [type(each) for each in results] == [Wrong] * 4 + [Locked]
        assert results[-1].seconds == 3600
        assert isinstance(case.open(token, right), Locked)


def test_guesses_at_the_same_time_are_all_counted(context: Context) -> None:
    case = referred(context)
    token = case.token()
    results = at_once(8, lambda number: case.open(token, f"1990-01-{10 + number}"))
    assert sum(isinstance(result, Wrong) for result in results) == 4
    assert case.link(token).failed_attempts == 5
    assert len(case.recorded(Action.PAGE_UNLOCK_FAILED)) == 5


def test_unknown_expired_and_revoked_links_are_the_same_and_leave_no_trace(context: Context) -> None:
    case = referred(context)
    token, provider_token = case.token(), case.provider_token(PROVIDERS[1])
    change(context, SecureLink.table(), expires_at=PAST)
    expired = [look(context, each, None, "request") for each in (token, provider_token)]
    change(context, SecureLink.table(), expires_at=FUTURE, revoked_at=PAST)
    revoked = [look(context, token, None, "request"), case.open(token, BORN)]
    unknown = [look(context, bad, None, "request") for bad in ("", "x", "é" * 43, "A" * 43, token + "A", token[:-1])]
    assert {type(each) for each in (*expired, *revoked, *unknown)} == {Closed}
    assert not case.recorded(Action.PAGE_OPENED)
