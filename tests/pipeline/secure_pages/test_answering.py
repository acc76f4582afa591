"""Accepting and declining referrals."""

import datetime as dt
import json

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import ProviderLoad, Referral, SealedDocument, SecureLink
from pipeline.secure_pages.answering import (
    Answered,
    DeclineReason,
    ProviderAnswer,
    ReasonMissing,
    answer_referral,
)
from pipeline.secure_pages.link import Closed
from pipeline.secure_pages.opening import look
from pipeline.secure_pages.session import SessionEnded
from pipeline.submission import Part, read_sealed
from tests.pipeline.secure_pages.links import NEXT, PROVIDERS, Referred, change, referred
from tests.support.racing import at_once
from tests.support.work import actions_about, drain, emails, expire_referrals, table

ACCEPT = ProviderAnswer(accepts=True)
DECLINE = ProviderAnswer(accepts=False, reason=DeclineReason.NO_CAPACITY, note="MARKER: takes warfarin")


def answer(case: Referred, token: str, session: str | None, given: ProviderAnswer) -> object:
    woken: list[str] = []
    result = answer_referral(case.context, token, session, given, None, "request", woken.append)
    changed = isinstance(result, Answered) and not result.already
    assert woken == (["refer"] if changed and not given.accepts else [])
    return result


def statuses(case: Referred) -> dict[str, str]:
    return {row.provider_id: row.status for row in table(case.context.database, Referral.table())}


def open_referrals(context: Context, provider_id: str) -> int:
    loads = {row.provider_id: row.open_referrals for row in table(context.database, ProviderLoad.table())}
    return int(loads[provider_id])


def test_an_accepted_referral_stays_readable_and_its_place_is_free_again(context: Context) -> None:
    case = referred(context)
    token, session = case.provider_token(), case.provider_session()
    first = answer(case, token, session, ACCEPT)
    again = answer(case, token, session, DECLINE)
    assert isinstance(first, Answered)
    assert isinstance(again, Answered)
    assert [(first.accepted, first.already), (again.accepted, again.already)] == [(True, False), (True, True)]
    assert statuses(case)[PROVIDERS[0]] == "accepted"
    assert open_referrals(context, PROVIDERS[0]) == 0
    assert case.open(token, session=session).view.accepted
    assert case.recorded(Action.REFERRAL_ACCEPTED)[0].actor == f"provider:{PROVIDERS[0]}"


@pytest.mark.parametrize("given", [ACCEPT, DECLINE])
def test_who_accepts_late_has_the_page_as_long_as_who_accepts_at_once(context: Context, given: ProviderAnswer) -> None:
    case = referred(context)
    token, session = case.provider_token(), case.provider_session()
    soon = utc_now() + dt.timedelta(minutes=1)
    change(context, SecureLink.table(), expires_at=soon)
    assert isinstance(answer(case, token, session, given), Answered)
    expiries = {row.id: row.expires_at for row in table(context.database, SecureLink.table())}
    of_accepted = expiries.pop(case.link(token).id)
    days = context.settings.link_valid_days if given.accepts else 0
    assert abs(of_accepted - soon - dt.timedelta(days=days)) < dt.timedelta(minutes=2)
    assert set(expiries.values()) == {soon}, "nobody else's"


def test_a_decline_needs_a_reason_closes_the_page_and_sends_the_next_best_match(context: Context) -> None:
    case = referred(context)
    token, session = case.provider_token(), case.provider_session()
    shown = len(case.recorded(Action.FACTS_DISCLOSED))
    for reason in (None, "", "because"):
        missing = answer(case, token, session, ProviderAnswer(accepts=False, reason=reason, note="x"))
        assert isinstance(missing, ReasonMissing)
    assert statuses(case)[PROVIDERS[0]] == "offered"
    assert len(case.recorded(Action.FACTS_DISCLOSED)) == shown + 3, "the facts were shown again, so it is on record"

    declined = answer(case, token, session, DECLINE)
    assert isinstance(declined, Answered)
    assert isinstance(case.open(token, session=session), Closed)
    assert isinstance(look(context, token, session, "request"), Closed)
    drain(context)
    assert statuses(case) == {**dict.fromkeys(PROVIDERS, "offered"), PROVIDERS[0]: "declined", NEXT: "offered"}
    assert ("referral", f"provider:{NEXT}", "handed_over") in emails(context, case.submission_id)
    assert open_referrals(context, PROVIDERS[0]) == 0


def test_reason_and_note_are_kept_sealed_with_a_commitment_on_record(context: Context) -> None:
    case = referred(context)
    answer(case, case.provider_token(), case.provider_session(), DECLINE)
    record = case.recorded(Action.REFERRAL_DECLINED)[0]
    part = f"reason:{json.loads(record.details)['referral']}"
    with context.database.read() as connection:
        sealed = read_sealed(connection, [case.submission_id], [Part.BODY])[case.submission_id]
    key = sealed.key(context.vault)
    kept = next(row for row in table(context.database, SealedDocument.table()) if row.part == part)
    plaintext = key.open(part, bytes(kept.ciphertext))
    assert json.loads(plaintext) == {"reason": "no_capacity", "note": DECLINE.note}
    assert bytes(record.health_commitment) == key.commit_to(plaintext)
    assert bytes(record.health_ciphertext) == bytes(kept.ciphertext)
    assert "MARKER" not in str([tuple(row) for row in case.recorded(Action.REFERRAL_DECLINED)])


def test_of_two_answers_at_the_same_time_the_first_one_stands(context: Context) -> None:
    case = referred(context)
    token, session = case.provider_token(), case.provider_session()
    results = at_once(
        4,
        lambda number: answer_referral(
            context, token, session, (ACCEPT, DECLINE)[number % 2], None, "request", lambda _lane: None
        ),
    )
    answered = [result for result in results if isinstance(result, Answered)]
    assert sorted(result.already for result in answered) == [False, True, True, True]
    assert len({result.accepted for result in answered}) == 1
    about = actions_about(context.database, case.submission_id)
    assert about.count("referral:accepted") + about.count("referral:declined") == 1
    assert open_referrals(context, PROVIDERS[0]) == 0


@pytest.mark.parametrize("given", [ACCEPT, DECLINE])
def test_no_answer_without_the_referrals_own_session_or_after_its_time(
    sqlite_context: Context, given: ProviderAnswer
) -> None:
    case = referred(sqlite_context)
    token, other = (case.provider_token(provider) for provider in PROVIDERS[:2])
    session = case.provider_session()
    for wrong in (None, "", "x", session):
        assert isinstance(answer(case, other if wrong == session else token, wrong, given), SessionEnded)
    assert isinstance(answer(case, case.token(), session, given), Closed), "a person has nothing to answer"
    expire_referrals(sqlite_context.database)
    assert isinstance(answer(case, token, session, given), Closed)
    assert isinstance(answer(case, other, None, given), Closed)
    assert set(statuses(case).values()) == {"offered"}
