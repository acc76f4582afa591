"""Who must not be written to is not: in the transaction that claims an email, by class, person or provider."""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import RULES, EmailKind, MailClass
from pipeline.models import DeadJob, Email, Referral, Suppression
from pipeline.operations import dead_letters
from pipeline.outreach import Message, queue_email, to_provider
from pipeline.secure_link import unsubscribe_url
from pipeline.suppression import COVERS, Reason, address_index, lift, read_suppressions, suppress
from pipeline.unit_of_work import begin
from pipeline.unsubscribing import unsubscribe
from tests.pipeline.operations.reviewing import EXPERT, about
from tests.support.networks import fitting, put_in_force
from tests.support.racing import at_once
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, table

ADDRESS = "ana.1@example.org"
DESK = "desk@blue-mesa.example"
REST = ("validate", "score", "refer")
ALL = set(MailClass)


def put_on_list(context: Context, address: str, reason: Reason, submission_id: uuid.UUID | None = None) -> None:
    index = address_index(context.vault, address)
    with begin(context.database, context.keys, EXPERT) as unit:
        suppress(unit, index, reason, submission_id=submission_id)


def take_off(context: Context, address: str, **which: Any) -> set[tuple[MailClass, Reason]]:
    with begin(context.database, context.keys, EXPERT) as unit:
        return lift(unit, address_index(context.vault, address), submission_id=None, why="works again", **which)


def standing(context: Context, address: str = ADDRESS) -> dict[MailClass, Reason]:
    with context.database.read() as connection:
        return {
            mail_class: reason
            for (_, mail_class), reason in read_suppressions(
                connection, [address_index(context.vault, address)]
            ).items()
        }


def test_each_reason_covers_its_classes_and_is_lifted_by_itself(context: Context) -> None:
    for reason in (Reason.UNSUBSCRIBED, Reason.UNSUBSCRIBED, Reason.BOUNCED):
        put_on_list(context, ADDRESS, reason)
    assert standing(context) == dict.fromkeys(ALL, Reason.BOUNCED), "the wider reason adds what it covers, and is named"
    assert actions_about(context, None).count("suppression:added") == 2 + 3, "nothing new, no record"
    put_on_list(context, ADDRESS, Reason.COMPLAINED)
    assert set(standing(context).values()) == {Reason.COMPLAINED}
    take_off(context, ADDRESS, reasons=[Reason.COMPLAINED])
    assert take_off(context, ADDRESS, reasons=[Reason.BOUNCED]) == {(each, Reason.BOUNCED) for each in ALL}
    assert standing(context) == dict.fromkeys(COVERS[Reason.UNSUBSCRIBED], Reason.UNSUBSCRIBED), (
        "a mailbox that works again does not make anybody want what they had unsubscribed from"
    )
    assert take_off(context, ADDRESS, classes=[MailClass.REQUESTED]) == {(MailClass.REQUESTED, Reason.UNSUBSCRIBED)}
    assert standing(context) == {MailClass.PROMOTIONAL: Reason.UNSUBSCRIBED}
    assert take_off(context, "bea@example.org") == set()
    assert address_index(context.vault, ADDRESS.upper()) == address_index(context.vault, ADDRESS)
    assert address_index(context.vault, "a@bücher.example") == address_index(context.vault, "a@xn--bcher-kva.example")


def test_two_at_once_are_recorded_once(context: Context) -> None:
    at_once(4, lambda _: put_on_list(context, ADDRESS, Reason.BOUNCED))
    assert len(table(context.database, Suppression.table())) == len(ALL)
    assert actions_about(context, None).count("suppression:added") == len(ALL)


@pytest.mark.parametrize("reason", Reason)
def test_what_waits_when_its_address_is_put_on_the_list_is_not_sent(context: Context, reason: Reason) -> None:
    put_in_force(context, fitting("blue-mesa"))
    kept = submit(context, person(1))
    drain(context, *REST)
    put_on_list(context, ADDRESS, reason, kept.submission_id)
    transport = ScriptedTransport()
    drain(context, "email", transport=transport)
    to_person = {"confirmation"} if reason is Reason.UNSUBSCRIBED else set()
    assert {row[0] for row in emails(context, kept.submission_id) if row[1:] == ("person", "handed_over")} == to_person
    assert ("recommendation", "person", "suppressed") in emails(context, kept.submission_id)
    assert [message.recipient for message in transport.sent].count(ADDRESS) == len(to_person)
    suppressed = about(context, kept.submission_id, Action.EMAIL_SUPPRESSED)
    assert len(suppressed) == 2 - len(to_person)
    assert all(f'"code":"{reason}"' in each.details for each in suppressed)
    assert not table(context.database, DeadJob.table()), "that a person does not want mail is no operator's business"


def test_whoever_unsubscribed_still_hears_of_a_new_form_and_a_bounced_address_of_nothing(context: Context) -> None:
    put_in_force(context, fitting("blue-mesa"))
    put_on_list(context, "ana.1@example.org", Reason.UNSUBSCRIBED)
    put_on_list(context, "ana.2@example.org", Reason.BOUNCED)
    transport = ScriptedTransport()
    first, second = (submit(context, person(number)).submission_id for number in (1, 2))
    drain(context, transport=transport)
    assert sorted(message.recipient for message in transport.sent) == ["ana.1@example.org", DESK, DESK]
    to_second = [row for row in emails(context, second) if row[1] == "person"]
    assert to_second == [("confirmation", "person", "suppressed"), ("recommendation", "person", "suppressed")]
    assert actions_about(context, second).count("email:suppressed") == 2
    assert ("confirmation", "person", "handed_over") in emails(context, first)


def remind(context: Context, submission_id: uuid.UUID) -> None:
    (referral,) = [row for row in table(context.database, Referral.table()) if row.submission_id == submission_id]
    with begin(context.database, context.keys, actions.lane("refer")) as unit:
        unit.lock([submission_id])
        recipient = to_provider(referral.provider_id)
        until = utc_now() + dt.timedelta(days=1)
        message = Message(submission_id, EmailKind.REFERRAL_REMINDER, recipient, "en", "test", referral.id, until)
        queue_email(context, unit, message)


def test_a_contact_that_cannot_be_written_to_is_an_operators_business(context: Context) -> None:
    put_in_force(context, fitting("blue-mesa"))
    kept = submit(context, person(1))
    put_on_list(context, DESK, Reason.BOUNCED)
    transport = ScriptedTransport()
    drain(context, transport=transport)
    assert DESK not in {message.recipient for message in transport.sent}
    (dead,) = table(context.database, DeadJob.table())
    assert (dead.reason, dead.submission_id) == ("suppressed:bounced", kept.submission_id)
    assert ("referral", "provider:blue-mesa", "suppressed") in emails(context, kept.submission_id)

    take_off(context, DESK)
    dead_letters.retry(context.database, context.keys, EXPERT, [dead.id], resend_uncertain=False)
    drain(context, "email", transport=transport)
    assert transport.sent[-1].recipient == DESK


def test_a_contact_that_wants_no_reminders_still_gets_referrals(context: Context) -> None:
    put_in_force(context, fitting("blue-mesa"))
    put_on_list(context, DESK, Reason.UNSUBSCRIBED)
    kept = submit(context, person(1))
    drain(context)
    remind(context, kept.submission_id)
    drain(context)
    found = emails(context, kept.submission_id)
    assert ("referral", "provider:blue-mesa", "handed_over") in found
    assert ("referral-reminder", "provider:blue-mesa", "suppressed") in found
    assert not table(context.database, DeadJob.table()), "as was wished: nobody need see to it"


def test_unsubscribing_is_about_the_address_that_the_email_went_to(context: Context) -> None:
    put_in_force(context, fitting("blue-mesa"))
    kept = submit(context, person(1))
    drain(context, transport=ScriptedTransport())
    new = {"name": "New desk", "email": "new@blue-mesa.example"}
    put_in_force(context, fitting("blue-mesa", contact=new))
    (referral,) = [row for row in table(context.database, Email.table()) if row.kind == EmailKind.REFERRAL]
    token = unsubscribe_url("", context.vault, referral.id).rpartition("/")[2]
    assert unsubscribe(context, token, "request") is not None
    assert standing(context, DESK)
    assert not standing(context, new["email"])
    remind(context, kept.submission_id)
    transport = ScriptedTransport()
    drain(context, "email", transport=transport)
    assert [message.recipient for message in transport.sent] == [new["email"]]


NUMBERS = count(1000)
WHO = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), WHO),
        st.tuples(st.sampled_from(("work", "send", "send")), st.just(0)),
        st.tuples(st.sampled_from([*Reason]), WHO),
        st.tuples(st.just("lift"), WHO),
    ),
    min_size=4,
    max_size=14,
)


def moves(context: Context, steps: Sequence[tuple[str, int]]) -> Iterator[dict[str, set[MailClass]]]:
    """Does the steps; before each sending, what must not be sent to whom, as kept here."""
    everyone = [next(NUMBERS) for _ in range(3)]
    addresses = [f"ana.{number}@example.org" for number in everyone]
    kept: dict[str, set[Reason]] = {address: set() for address in addresses}
    for step, who in (("submit", 0), *steps, ("submit", 1), ("work", 0), ("send", 0)):
        if step == "submit":
            submit(context, person(everyone[who]))
        elif step == "work":
            drain(context, *REST)
        elif step == "lift":
            take_off(context, addresses[who])
            kept[addresses[who]] = set()
        elif step == "send":
            yield {address: {each for why in kept[address] for each in COVERS[why]} for address in addresses}
        else:
            put_on_list(context, addresses[who], Reason(step))
            kept[addresses[who]].add(Reason(step))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_however_things_come_together_exactly_what_may_be_sent_is_sent(
    sqlite_context: Context, steps: list[tuple[str, int]]
) -> None:
    put_in_force(sqlite_context, fitting("blue-mesa", capacity={"max_open": 500, "max_per_day": 500}))
    for forbidden in moves(sqlite_context, steps):
        transport = ScriptedTransport()
        before = {row.id: row for row in table(sqlite_context.database, Email.table())}
        drain(sqlite_context, "email", transport=transport)
        after = {row.id: row for row in table(sqlite_context.database, Email.table())}
        sent = {message.email_id: message.recipient for message in transport.sent}
        assert len(sent) == len(transport.sent)
        for email_id, address in sent.items():
            assert RULES[EmailKind(after[email_id].kind)].mail_class not in forbidden.get(address, set())
        held_back = [row for row in after.values() if row.status == "suppressed" and before[row.id].status == "queued"]
        assert len(sent) + len(held_back) == len([row for row in before.values() if row.status == "queued"])
        for row in held_back:
            mail_class = RULES[EmailKind(row.kind)].mail_class
            assert any(mail_class in classes for classes in forbidden.values())
