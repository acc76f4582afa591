"""One-time codes, the providers' second factor."""

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.models import Email, OneTimeCode
from pipeline.secure_pages.code import CODES_PER_WINDOW, send_code
from pipeline.secure_pages.link import Closed, Locked
from pipeline.secure_pages.opening import Opened, Wrong
from pipeline.secure_pages.provider import ReferralView
from tests.pipeline.secure_pages.links import PAST, PROVIDERS, change, fail_long_ago, referred
from tests.support.racing import at_once
from tests.support.work import drain, emails, jobs, table


def test_a_code_goes_to_the_registered_contact_and_opens_the_referral_once(context: Context) -> None:
    case, woken = referred(context), list[str]()
    token = case.provider_token()
    send_code(context, token, "es", "request", woken.append)
    assert woken == ["email"]
    drain(context)
    assert ("one-time-code", f"provider:{PROVIDERS[0]}", "handed_over") in emails(context, case.submission_id)
    assert table(context.database, Email.table())[-1].language == "es"

    code = case.new_code(token)
    opened = case.open(token, f" {code[:4]} {code[4:]} ")
    assert isinstance(opened, Opened)
    assert isinstance(opened.view, ReferralView)
    assert isinstance(case.open(token, code), Wrong), "used up"
    assert [row.actor for row in case.recorded(Action.FACTS_DISCLOSED)] == [f"provider:{PROVIDERS[0]}"]
    requested = case.recorded(Action.CODE_REQUESTED)
    assert {row.actor.split(":")[0] for row in requested} == {"link"}


def test_two_uses_of_one_code_at_the_same_time_open_one_session(context: Context) -> None:
    case = referred(context)
    token = case.provider_token()
    code = case.new_code(token)
    results = at_once(2, lambda _: case.open(token, code))
    assert sorted(type(result).__name__ for result in results) == ["Opened", "Wrong"]
    assert len(case.recorded(Action.FACTS_DISCLOSED)) == 1


def test_an_older_code_still_counts_until_it_expires_and_only_for_its_link(context: Context) -> None:
    case = referred(context)
    token, other = (case.provider_token(provider) for provider in PROVIDERS[:2])
    older, _ = case.new_code(token), case.new_code(token)
    assert isinstance(case.open(other, older), Wrong)
    assert isinstance(case.open(token, older), Opened), "emails overtake each other"
    late = case.new_code(token)
    change(context, OneTimeCode.table(), expires_at=PAST)
    assert isinstance(case.open(token, late), Wrong)


def test_codes_are_few_and_never_sent_for_a_person_or_a_locked_link(context: Context) -> None:
    case = referred(context)
    token = case.provider_token()
    results = at_once(CODES_PER_WINDOW + 2, lambda _: send_code(context, token, None, "request", lambda _lane: None))
    refused = [result for result in results if isinstance(result, Locked)]
    assert len(refused) == 2
    assert all(result.seconds is not None and 0 < result.seconds <= 3600 for result in refused)
    assert len(jobs(context.database, "email")) == CODES_PER_WINDOW
    change(context, OneTimeCode.table(), created_at=PAST)
    assert case.new_code(token)
    assert isinstance(send_code(context, case.token(), None, "request", lambda _lane: None), Closed)
    fail_long_ago(case, token, 15)
    assert isinstance(send_code(context, token, None, "request", lambda _lane: None), Locked)
