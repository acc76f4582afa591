import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from config.providers import ProviderDocument
from config.screening import DataClass
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.consent.ledger import Line, standing_of
from pipeline.consent.purposes import ConsentDecision, ConsentPurpose
from pipeline.consent.withdrawing import HowAsked, TakenBack, take_back_by_staff
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.message import Outgoing
from pipeline.reports import disclosures
from pipeline.reports.document import Report
from pipeline.reports.grounds import ground
from pipeline.reports.period import Period
from pipeline.reports.reach import reach_of
from pipeline.reports.records import Record
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.unit_of_work import begin
from tests.pipeline.reports.history import OPENED, begun, opened_by_one_provider, rows, until_now
from tests.pipeline.secure_pages.links import PROVIDERS, referred
from tests.support.submissions import submit
from tests.support.transports import ACCEPTED, ScriptedTransport
from tests.support.work import drain

REFUSED = Receipt(SendOutcome.REJECTED, code="550")


def account(context: Context, *submissions: uuid.UUID, each: bool = False, period: Period | None = None) -> Report:
    making = begun(context, disclosures.NAME, submissions, period)
    with context.database.snapshot() as connection:
        return disclosures.report(connection, making, submissions, each=each)


def test_what_a_provider_saw_is_accounted_for_and_what_nobody_opened_is_not(
    context: Context, network: tuple[ProviderDocument, ...]
) -> None:
    case = opened_by_one_provider(context, times=3)
    report = account(context, case.submission_id)

    (line,) = rows(report)
    document = next(each for each in network if f"provider:{each.id}" == OPENED)
    assert (line["recipient"], line["count"], line["outcome"]) == (document.name, 3, "shown")
    assert document.contact.email in line["address"]
    assert document.locations[0].city in line["address"]
    assert line["description"] == "answers to the screening form: contact and health, by secure page"
    assert line["purpose"].startswith("referral under the person's consent of ")
    assert line["date"] < line["last_date"]
    assert len(rows(account(context, case.submission_id, each=True))) == 3

    unopened = rows(report, "nothing_disclosed")
    assert {each["status"] for each in unopened} == {"offered"}
    assert len(unopened) == len(PROVIDERS) - 1
    assert report.summary["shown to the person"] == 1
    assert any("need not" in note or "does not ask" in note for note in report.notes)
    assert any("disclosed nothing" in note for note in report.notes)


def test_a_period_holds_only_what_was_disclosed_in_it(sqlite_context: Context) -> None:
    case = opened_by_one_provider(sqlite_context)
    (line,) = rows(account(sqlite_context, case.submission_id))
    at = line["date"]
    ahead = Period(at + dt.timedelta(microseconds=1), at + dt.timedelta(days=1))
    just = Period(at, at + dt.timedelta(microseconds=1))
    assert rows(account(sqlite_context, case.submission_id, period=ahead)) == []
    assert len(rows(account(sqlite_context, case.submission_id, period=just))) == 1


def test_a_full_form_is_a_disclosure_with_what_became_of_it(
    sqlite_context: Context, network: tuple[ProviderDocument, ...]
) -> None:
    refuses = next(each.contact.email for each in network if each.id == PROVIDERS[1])
    transport = ByReader(clearance=DataClass.HEALTH, refused=refuses)
    kept = submit(sqlite_context)
    drain(sqlite_context, transport=transport)
    report = account(sqlite_context, kept.submission_id)
    told = {line["recipient"]: (line["description"], line["outcome"]) for line in rows(report)}
    what = "answers to the screening form, without who the person is and how to reach them: health, "
    assert len(told) == len(PROVIDERS)
    assert {description for description, _ in told.values()} == {f"{what}by email in its full form"}
    assert sorted(outcome for _, outcome in told.values()) == ["handed over", "handed over", "refused"]
    assert rows(report, "nothing_disclosed") == []


def test_without_a_consent_in_the_ledger_the_accounting_says_so(sqlite_context: Context) -> None:
    case = referred(sqlite_context)
    with begin(sqlite_context.database, sqlite_context.keys, actions.provider("old-one")) as unit:
        unit.now -= dt.timedelta(days=700)
        told = {Detail.PURPOSE: "referral", Detail.RECIPIENT: "provider:old-one", Detail.LINK: str(uuid7())}
        unit.record(case.submission_id, Action.FACTS_DISCLOSED, told)
    (line,) = rows(account(sqlite_context, case.submission_id))
    assert line["purpose"] == "referral; no consent of before is in the ledger"
    assert (line["recipient"], line["address"]) == ("provider:old-one", "not known")


def shown_by_mistake(context: Context, submission_id: uuid.UUID, recipient: str, at: dt.datetime) -> None:
    with begin(context.database, context.keys, actions.provider("leak")) as unit:
        unit.now = at
        told = {Detail.PURPOSE: "referral", Detail.RECIPIENT: recipient, Detail.LINK: str(uuid7())}
        unit.record(submission_id, Action.FACTS_DISCLOSED, told)


@pytest.mark.parametrize("excluded", [PROVIDERS[0], None])
def test_what_was_disclosed_after_a_consent_was_taken_back_is_not_told_as_under_it(
    sqlite_context: Context, network: tuple[ProviderDocument, ...], excluded: str | None
) -> None:
    context = sqlite_context
    case = opened_by_one_provider(context)
    before = utc_now()
    what = TakenBack(ConsentPurpose.SHARE, excluded)
    take_back_by_staff(context, actions.staff("tests"), case.submission_id, what, HowAsked.PHONE)
    after = utc_now()
    for at in (before, after):
        for id_ in PROVIDERS[:2]:
            shown_by_mistake(context, case.submission_id, f"provider:{id_}", at)
    found = rows(account(context, case.submission_id, each=True))
    told = {(line["date"], line["recipient"]): line["purpose"] for line in found}
    names = {each.id: each.name for each in network}
    first, second = (names[id_] for id_ in PROVIDERS[:2])
    taken_back = {f"referral; the consent had been taken back on {day:%Y-%m-%d}" for day in (before, after)}
    assert told[before, first].startswith("referral under the person's consent of ")
    assert told[before, second].startswith("referral under the person's consent of ")
    assert told[after, first] in taken_back
    assert (told[after, second] in taken_back) is (excluded is None)


GIVEN, WITHDRAWN = ConsentDecision.GIVEN, ConsentDecision.WITHDRAWN
DECISIONS = st.lists(
    st.tuples(st.sampled_from(["providers", "provider:alpha", "provider:beta"]), st.sampled_from([GIVEN, WITHDRAWN])),
    max_size=7,
)


@given(decisions=DECISIONS, until=st.integers(0, 7))
def test_the_ground_is_the_consent_as_the_ledger_has_it_at_that_moment(
    decisions: list[tuple[str, ConsentDecision]], until: int
) -> None:
    def at(day: int) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)

    kept = [
        SimpleNamespace(recipient=recipient, decision=decision.value, text_version="2026-1", decided_at=at(day))
        for day, (recipient, decision) in enumerate(decisions)
    ]
    told_of = {"recipient": "provider:alpha", "purpose": "referral"}
    reach = reach_of(Record(uuid7(), at(until), "x", Action.FACTS_DISCLOSED, uuid7(), None, told_of))
    assert reach is not None
    told = ground(reach, kept)
    lines = [Line(recipient, decision) for recipient, decision in decisions[: until + 1]]
    live = standing_of(ConsentPurpose.SHARE, lines).allows("provider:alpha")
    ours = [decision for recipient, decision in decisions[: until + 1] if recipient != "provider:beta"]
    assert told.startswith("referral under the person's consent of ") is live
    assert ("had been taken back on" in told) is (not live and WITHDRAWN in ours)
    assert ("no consent of before" in told) is (not live and WITHDRAWN not in ours)


A = Action
ANNOUNCED, ANSWERED = 10, 20


@pytest.mark.parametrize(
    ("news", "outcome"),
    [
        ((), "no answer on record"),
        ((A.EMAIL_HANDED_OVER,), "handed over"),
        ((A.EMAIL_HANDED_OVER, A.EMAIL_DEFERRED), "handed over"),
        ((A.EMAIL_HANDED_OVER, A.EMAIL_DEFERRED, A.EMAIL_DELIVERED), "delivered"),
        ((A.EMAIL_DELIVERED, A.EMAIL_HANDED_OVER), "delivered"),
        ((A.EMAIL_UNCERTAIN, A.EMAIL_DELIVERED), "delivered"),
        ((A.EMAIL_HANDED_OVER, A.EMAIL_DROPPED), "dropped by the carrier"),
        ((A.EMAIL_HANDED_OVER, A.EMAIL_DELIVERED, A.EMAIL_BOUNCED), "refused or returned: not delivered"),
        ((A.EMAIL_COMPLAINED, A.EMAIL_DELIVERED), "delivered, and reported as unwanted"),
        ((A.EMAIL_DEFERRED,), "not taken at that time"),
        ((A.EMAIL_FAILED,), "refused"),
    ],
)
def test_the_outcome_of_a_full_form_is_the_last_that_is_known_of_it(news: tuple[Action, ...], outcome: str) -> None:
    ((reach, told),) = disclosures.disclosures(full_form(uuid7(), news))
    assert (reach.recipient, told) == ("provider:alpha", outcome)


def full_form(submission_id: uuid.UUID, news: Sequence[Action]) -> list[Record]:
    """Announced at 10 minutes past, answered from 20 past on."""
    email = {"email": "e", "kind": "referral", "attempt_id": "a"}
    details: list[tuple[int, Action, dict[str, DetailValue]]] = [
        (0, A.EMAIL_QUEUED, {"email": "e", "kind": "referral", "recipient": "provider:alpha"}),
        (ANNOUNCED, A.FACTS_DISCLOSED, {**email, "purpose": "referral", "recipient": "provider:alpha"}),
    ]
    for place, action in enumerate(news):
        answer = {"form": "full", "recipient": "transport:smtp"} if action is A.EMAIL_HANDED_OVER else {}
        details.append((ANSWERED + place, action, {**email, **answer}))
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return [
        Record(uuid7(), start + dt.timedelta(minutes=minute), "lane:email", action.value, submission_id, None, said)
        for minute, action, said in details
    ]


def test_a_full_form_that_is_answered_in_the_next_period_counts_in_the_first_alone(sqlite_context: Context) -> None:
    context = sqlite_context
    kept = submit(context).submission_id
    for record in full_form(kept, [A.EMAIL_HANDED_OVER]):
        with begin(context.database, context.keys, actions.lane("email")) as unit:
            unit.now = record.at
            unit.record(kept, Action(record.action), {Detail(key): value for key, value in record.details.items()})
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    border, end = start + dt.timedelta(minutes=15), start + dt.timedelta(days=1)
    earlier = account(context, kept, period=Period(start, border))
    (line,) = rows(earlier)
    assert (line["recipient"], line["outcome"]) == ("provider:alpha", "handed over")
    assert earlier.summary["emails given to a carrier"] == 0
    later = account(context, kept, period=Period(border, end))
    assert rows(later) == []
    assert later.summary["emails given to a carrier"] == 1


RECIPIENTS = ("provider:alpha", "provider:beta", "person", "staff:ana", "transport:smtp", "agency:court", None)
DISCLOSED = st.fixed_dictionaries(
    {
        "recipient": st.sampled_from(RECIPIENTS),
        "actor": st.sampled_from((actions.staff("ana"), actions.provider("alpha"), actions.lane("email"))),
        "purpose": st.sampled_from(("referral", "own_request", "review", "what_if", "court order", None)),
        "link": st.booleans(),
        "days_ago": st.integers(0, 3000),
        "of": st.integers(0, 2),
    }
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(DISCLOSED, max_size=12))
def test_exactly_what_is_on_record_as_disclosed_is_listed(
    sqlite_context: Context, history: list[dict[str, Any]]
) -> None:
    context = sqlite_context
    kept = [submit(context, first_name=f"Ana {uuid7()}").submission_id for _ in range(3)]
    wanted = set(kept[:2])
    period = until_now()
    expected = []
    for each in history:
        with begin(context.database, context.keys, each["actor"]) as unit:
            unit.now -= dt.timedelta(days=each["days_ago"])
            details = {Detail.PURPOSE: each["purpose"], Detail.RECIPIENT: each["recipient"]}
            if each["link"]:
                details[Detail.LINK] = str(uuid7())
            unit.record(kept[each["of"]], Action.FACTS_DISCLOSED, details)
            # What is no disclosure stands among them.
            unit.record(kept[each["of"]], Action.PAGE_OPENED, {Detail.LINK: str(uuid7())})
        recipient = each["recipient"] or str(each["actor"])
        outside = recipient.startswith(("provider:", "agency:"))
        if outside and kept[each["of"]] in wanted and period.holds(unit.now):
            expected.append((unit.now, recipient))
    report = account(context, *wanted, each=True, period=period)
    assert sorted((line["date"], line["recipient"]) for line in rows(report)) == sorted(expected)
    assert report.summary["disclosures"] == len(expected)
    summed = rows(account(context, *wanted, period=period))
    assert sum(line["count"] for line in summed) == len(expected)


def test_a_full_form_whose_answer_alone_is_on_record_counts_by_that(sqlite_context: Context) -> None:
    context = sqlite_context
    kept = submit(context).submission_id
    email, attempt = str(uuid7()), str(uuid7())
    with begin(context.database, context.keys, actions.lane("email")) as unit:
        about = {Detail.EMAIL: email, Detail.KIND: "referral"}
        unit.record(kept, Action.EMAIL_QUEUED, {**about, Detail.RECIPIENT: "provider:alpha"})
        told = {**about, Detail.FORM: "full", Detail.ATTEMPT_ID: attempt, Detail.RECIPIENT: "transport:smtp"}
        unit.record(kept, Action.EMAIL_HANDED_OVER, told)
        unit.record(kept, Action.EMAIL_HANDED_OVER, {**told, Detail.FORM: "notice", Detail.ATTEMPT_ID: str(uuid7())})
    (line,) = rows(account(context, kept))
    assert (line["recipient"], line["outcome"]) == ("provider:alpha", "handed over")


@dataclass
class ByReader(ScriptedTransport):
    """Refuses what is written to one address."""

    refused: str = ""

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        """The receipt for the message's reader."""
        super().send(message, content)
        return REFUSED if message.recipient == self.refused else ACCEPTED
