"""The oracle is not fooled: evidence that adds up is broken in one place, and the rule that this breaks is named."""

import datetime as dt
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from config.providers import Capacity
from tests.chaos import story
from tests.chaos.arrivals import Door, Sort, arrivals
from tests.chaos.client import Sent, Try
from tests.chaos.conductor import Happened
from tests.chaos.evidence import (
    Attempt,
    DeadLetter,
    Email,
    Evidence,
    Job,
    Mail,
    Promise,
    Record,
    Referral,
    Submission,
    Told,
)
from tests.chaos.oracle import judge

BEGAN = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
WHO, OTHER = UUID(int=1), UUID(int=2)
CONFIRMATION, RECOMMENDATION, REFERRAL = UUID(int=11), UUID(int=12), UUID(int=13)
OFFER = UUID(int=21)
ADDRESS = "ana.1@example.org"


def attempt_of(email_id: UUID) -> UUID:
    return UUID(int=email_id.int + 100)


def record(seq: int, action: str, at: float = 0.0, about: UUID = WHO, **details: Any) -> Record:
    moment = BEGAN + dt.timedelta(seconds=at or seq)
    return Record(about, seq, "lane:any", action, details, None, moment, moment)


def good() -> Evidence:
    """One person with a recommendation and an accepted referral; one whose fields were wrong; all of it settled."""
    emails = {
        CONFIRMATION: Email(CONFIRMATION, WHO, "confirmation", "person", "delivered", None, is_marked=False),
        RECOMMENDATION: Email(RECOMMENDATION, WHO, "recommendation", "person", "delivered", None, is_marked=False),
        REFERRAL: Email(REFERRAL, WHO, "referral", "provider:mesa", "delivered", OFFER, is_marked=False),
    }
    steps: list[tuple[str, dict[str, Any]]] = [
        ("submission:received", {}),
        ("submission:validated", {"previous_status": "received", "status": "valid"}),
        ("submission:scored", {"previous_status": "valid", "status": "candidate"}),
        ("referral:offered", {"referral": str(OFFER), "provider": "mesa"}),
    ]
    for id_ in emails:
        attempt = str(attempt_of(id_))
        steps += [
            ("email:queued", {"email": str(id_)}),
            ("email:handed_over", {"email": str(id_), "attempt_id": attempt}),
            ("email:delivered", {"email": str(id_), "attempt_id": attempt}),
        ]
    steps.append(("referral:accepted", {"referral": str(OFFER), "provider": "mesa", "status": "accepted"}))
    to = {CONFIRMATION: ADDRESS, RECOMMENDATION: ADDRESS, REFERRAL: "desk@mesa.example"}
    quarantined: dict[str, Any] = {"previous_status": "received", "status": "quarantined"}
    return Evidence(
        promises=[
            Promise(1, Door.API, ADDRESS, frozenset({"candidate"}), frozenset({WHO})),
            Promise(2, Door.HOOK, "x@example.org", frozenset({"quarantined"}), frozenset({OTHER})),
        ],
        answers={str(REFERRAL): "accepted"},
        mails=[Mail(str(attempt_of(id_)), str(id_), address, 0.0) for id_, address in to.items()],
        told=[Told(str(attempt_of(id_)), "delivered", bytes([id_.int])) for id_ in emails],
        submissions={
            WHO: Submission(WHO, "CR-AAAA-AAAA", "network-site", "candidate", len(steps), BEGAN),
            OTHER: Submission(OTHER, "CR-BBBB-BBBB", "webflow-site", "quarantined", 2, BEGAN),
        },
        records=[
            *(record(number, action, **details) for number, (action, details) in enumerate(steps, start=1)),
            record(1, "submission:received", about=OTHER),
            record(2, "submission:quarantined", about=OTHER, **quarantined),
        ],
        emails=emails,
        attempts={attempt_of(id_): Attempt(attempt_of(id_), id_, "accepted") for id_ in emails},
        referrals=[Referral(OFFER, WHO, "mesa", "accepted")],
        loads={"mesa": 0},
        capacities={"mesa": (Capacity(max_open=1, max_per_day=2), "UTC")},
        kept_events=frozenset(bytes([id_.int]) for id_ in emails),
    )


def without(evidence: Evidence, action: str) -> None:
    evidence.records = [each for each in evidence.records if each.action != action]


def lose(evidence: Evidence) -> None:
    """All of it, as a database does that forgets a commit."""
    del evidence.submissions[OTHER]
    evidence.records = [each for each in evidence.records if each.about != OTHER]


def make_up(evidence: Evidence) -> None:
    evidence.promises = evidence.promises[:1]


def answer_twice(evidence: Evidence) -> None:
    evidence.promises[0] = replace(evidence.promises[0], ids=frozenset({WHO, OTHER}))


def stop_halfway(evidence: Evidence) -> None:
    evidence.submissions[OTHER] = replace(evidence.submissions[OTHER], status="received")


def end_elsewhere(evidence: Evidence) -> None:
    evidence.promises[0] = replace(evidence.promises[0], ends=frozenset({"rejected"}))


def leave_a_lease(evidence: Evidence) -> None:
    evidence.jobs.append(Job("refer", WHO, WHO, 1, is_held=True, is_due=False, last_error=None))


def leave_a_job(evidence: Evidence) -> None:
    evidence.jobs.append(Job("email", WHO, CONFIRMATION, 0, is_held=False, is_due=True, last_error=None))


def leave_a_mark(evidence: Evidence) -> None:
    evidence.emails[CONFIRMATION] = replace(evidence.emails[CONFIRMATION], is_marked=True)


def leave_records_out_of_the_log(evidence: Evidence) -> None:
    evidence.waiting_records = 1


def leave_an_event(evidence: Evidence) -> None:
    evidence.unapplied_events = 1


def lose_a_record(evidence: Evidence) -> None:
    without(evidence, "submission:validated")


def lose_the_last_record(evidence: Evidence) -> None:
    without(evidence, "referral:accepted")


def record_a_step_twice(evidence: Evidence) -> None:
    (scored,) = (each for each in evidence.records if each.action == "submission:scored")
    evidence.records.append(replace(scored, seq=evidence.submissions[WHO].audit_seq + 1))
    evidence.submissions[WHO] = replace(evidence.submissions[WHO], audit_seq=evidence.submissions[WHO].audit_seq + 1)


def change_a_status_without_record(evidence: Evidence) -> None:
    evidence.submissions[WHO] = replace(evidence.submissions[WHO], status="no_match")


def change_an_email_without_record(evidence: Evidence) -> None:
    evidence.emails[CONFIRMATION] = replace(evidence.emails[CONFIRMATION], status="cancelled")


def write_an_email_twice(evidence: Evidence) -> None:
    evidence.emails[UUID(int=19)] = replace(evidence.emails[CONFIRMATION], id=UUID(int=19))


def forget_an_email(evidence: Evidence) -> None:
    del evidence.emails[RECOMMENDATION]


def again(evidence: Evidence, email_id: UUID, first: str) -> None:
    """It was sent once more, after an attempt that is on record as `first`."""
    attempt = UUID(int=email_id.int + 200)
    to = next(mail.to for mail in evidence.mails if mail.email_id == str(email_id))
    evidence.attempts[attempt_of(email_id)] = Attempt(attempt_of(email_id), email_id, first)
    evidence.attempts[attempt] = Attempt(attempt, email_id, "accepted")
    evidence.mails.append(Mail(str(attempt), str(email_id), to, 1.0))


def send_twice(evidence: Evidence) -> None:
    again(evidence, CONFIRMATION, "accepted")


def send_twice_what_must_not_be(evidence: Evidence) -> None:
    again(evidence, REFERRAL, "uncertain")


def send_what_was_said_to_have_failed(evidence: Evidence) -> None:
    again(evidence, CONFIRMATION, "retry")


def send_without_a_record(evidence: Evidence) -> None:
    del evidence.attempts[attempt_of(CONFIRMATION)]


def send_for_nobody(evidence: Evidence) -> None:
    evidence.mails.append(Mail(str(UUID(int=500)), str(UUID(int=501)), ADDRESS, 0.0))


def not_send(evidence: Evidence) -> None:
    evidence.mails = evidence.mails[1:]


def be_unsure_and_tell_nobody(evidence: Evidence) -> None:
    evidence.emails[REFERRAL] = replace(evidence.emails[REFERRAL], status="uncertain")


def send_to_a_stranger(evidence: Evidence) -> None:
    evidence.mails[0] = replace(evidence.mails[0], to="stranger@example.org")


def lose_an_event(evidence: Evidence) -> None:
    evidence.kept_events = frozenset(list(evidence.kept_events)[1:])


def ignore_a_bounce(evidence: Evidence) -> None:
    evidence.told.append(Told(str(attempt_of(CONFIRMATION)), "bounce", bytes([CONFIRMATION.int])))


def forget_an_answer(evidence: Evidence) -> None:
    evidence.answers[str(REFERRAL)] = "declined"


def offer_too_many(evidence: Evidence) -> None:
    """Two at once at a provider that has room for one; in the end both are answered."""
    second, number = UUID(int=22), evidence.submissions[WHO].audit_seq
    of_second: dict[str, Any] = {"referral": str(second), "provider": "mesa"}
    evidence.records += [
        record(number + 1, "referral:offered", at=5.0, **of_second),
        record(number + 2, "referral:declined", at=30.0, **of_second),
    ]
    evidence.submissions[WHO] = replace(evidence.submissions[WHO], audit_seq=number + 2)


def offer_too_many_in_a_day(evidence: Evidence) -> None:
    """One after the other: three at a provider that takes two a day."""
    for place, moment in enumerate((100.0, 200.0)):
        of_it: dict[str, Any] = {"referral": str(UUID(int=30 + place)), "provider": "mesa"}
        number = evidence.submissions[WHO].audit_seq
        evidence.records += [
            record(number + 1, "referral:offered", at=moment, **of_it),
            record(number + 2, "referral:declined", at=moment + 1, **of_it),
        ]
        evidence.submissions[WHO] = replace(evidence.submissions[WHO], audit_seq=number + 2)


def miscount(evidence: Evidence) -> None:
    evidence.loads["mesa"] = 1


def not_verify(evidence: Evidence) -> None:
    evidence.verification = "status 1"


def not_end(evidence: Evidence) -> None:
    evidence.processes.append("worker-1 did not end")


NO_GAP, ONCE = "records have no gap", "mails are sent once"
LEFT, EMAILS = "nothing is left", "emails' changes are recorded once, and allowed"
STEPS, ROOM = "transitions are recorded once, and allowed", "capacity is never exceeded"


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lose, "nothing is lost"),
        (make_up, "nothing is made up"),
        (answer_twice, "one request is one submission"),
        (stop_halfway, "everything comes to its end"),
        (end_elsewhere, "everything comes to its end"),
        (leave_a_lease, LEFT),
        (leave_a_job, LEFT),
        (leave_a_mark, LEFT),
        (leave_records_out_of_the_log, LEFT),
        (leave_an_event, LEFT),
        (lose_a_record, NO_GAP),
        (lose_the_last_record, NO_GAP),
        (record_a_step_twice, STEPS),
        (change_a_status_without_record, STEPS),
        (change_an_email_without_record, EMAILS),
        (write_an_email_twice, "emails are those that are due"),
        (forget_an_email, "emails are those that are due"),
        (send_twice, ONCE),
        (send_twice_what_must_not_be, ONCE),
        (send_what_was_said_to_have_failed, ONCE),
        (send_without_a_record, ONCE),
        (send_for_nobody, ONCE),
        (not_send, "missing mails have a reason"),
        (be_unsure_and_tell_nobody, "missing mails have a reason"),
        (send_to_a_stranger, "mails go to whom they should"),
        (lose_an_event, "events are kept, and leave the right status"),
        (ignore_a_bounce, "events are kept, and leave the right status"),
        (forget_an_answer, "referrals are as recorded and answered"),
        (offer_too_many, ROOM),
        (offer_too_many_in_a_day, ROOM),
        (miscount, ROOM),
        (not_verify, "the log verifies"),
        (not_end, "processes obey"),
    ],
)
def test_each_thing_that_may_go_wrong_is_noticed(break_it: Callable[[Evidence], None], rule: str) -> None:
    evidence = good()
    break_it(evidence)
    assert rule in {each.rule for each in judge(evidence)}


def send_again_by_policy(evidence: Evidence) -> None:
    again(evidence, CONFIRMATION, "uncertain")


def not_hear_of_it(evidence: Evidence) -> None:
    evidence.promises[1] = replace(evidence.promises[1], ids=frozenset(), may_have_left=1)


def settle_a_lost_call_by_a_report(evidence: Evidence) -> None:
    evidence.attempts[attempt_of(REFERRAL)] = Attempt(attempt_of(REFERRAL), REFERRAL, None)


def wait_for_room(evidence: Evidence) -> None:
    evidence.jobs.append(Job("refer", WHO, WHO, 0, is_held=False, is_due=False, last_error=None))


def give_up_with_a_reason(evidence: Evidence) -> None:
    stop_halfway(evidence)
    without(evidence, "submission:quarantined")
    evidence.submissions[OTHER] = replace(evidence.submissions[OTHER], audit_seq=1)
    evidence.promises[1] = replace(evidence.promises[1], ends=frozenset({"candidate"}))
    evidence.dead.append(DeadLetter("validate", OTHER, OTHER, "lease expired"))


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        send_again_by_policy,
        not_hear_of_it,
        settle_a_lost_call_by_a_report,
        wait_for_room,
        give_up_with_a_reason,
    ],
)
def test_what_may_be_is_no_finding(change: Callable[[Evidence], None]) -> None:
    evidence = good()
    change(evidence)
    assert judge(evidence) == []


def test_the_story_of_a_submission_has_everyones_side_and_no_answer_of_a_person() -> None:
    evidence = good()
    arrival = next(each for each in arrivals(1) if each.sort is Sort.FITTING)
    evidence.promises[0] = replace(evidence.promises[0], number=arrival.number)
    at = BEGAN.timestamp()
    sent = Sent(arrival, {WHO}, tries=[Try(at, "ConnectError"), Try(at + 1, "202")])
    evidence.mails = [replace(mail, at=at + 7) for mail in evidence.mails]
    leave_a_job(evidence)
    log = [Happened(at + 2, "SIGKILL: worker-1"), Happened(at + 3600, "long after")]
    told = story.tell(WHO, evidence, [sent], log)
    for part in ("ConnectError", "202", "SIGKILL: worker-1", "submission:scored", "was accepted", "lane='email'"):
        assert part in told
    assert "long after" not in told
    said = [value for value in arrival.answers.values() if isinstance(value, str) and len(value) > 3]
    assert [value for value in said if value in told] == []
    assert time.strftime("%H:%M", time.gmtime(at)) in told
    assert json.dumps(str(OFFER)) in told
