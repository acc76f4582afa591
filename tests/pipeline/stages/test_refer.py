import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline import ledger
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.engine.stage import Stage
from pipeline.lanes import build_lanes
from pipeline.models import AuditEvent, DeadJob, ProviderLoad, ProviderMatch, Referral
from pipeline.stages.refer import ReferStage
from pipeline.status import SubmissionStatus
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import person, submit
from tests.support.work import (
    actions_about,
    drain,
    emails,
    expire_referrals,
    jobs,
    make_due,
    run_sweep,
    status_of,
    table,
)

IDS = [f"p{number}" for number in range(7)]


@pytest.fixture
def seven(context: Context) -> Context:
    """A network of seven that all fit, p0 best."""
    put_in_force(context, *(fitting(each, place + 1) for place, each in enumerate(IDS)))
    return context


def referrals(context: Context) -> list[tuple[str, str]]:
    return [(row.provider_id, row.status) for row in table(context.database, Referral.table())]


def loads(context: Context) -> dict[str, int]:
    return {row.provider_id: row.open_referrals for row in table(context.database, ProviderLoad.table())}


def nobody_answers(context: Context) -> None:
    expire_referrals(context.database)
    run_sweep(context)
    drain(context)


def test_an_unanswered_offer_goes_to_the_next_best_until_five_have_seen_it(seven: Context) -> None:
    kept = submit(seven)
    drain(seven)
    assert referrals(seven) == [(each, "offered") for each in IDS[:3]]
    nobody_answers(seven)
    assert referrals(seven) == [(each, "expired") for each in IDS[:3]] + [(each, "offered") for each in IDS[3:5]]
    assert {name: load for name, load in loads(seven).items() if load} == {"p3": 1, "p4": 1}
    nobody_answers(seven)
    assert referrals(seven) == [(each, "expired") for each in IDS[:5]]
    nobody_answers(seven)
    assert Counter(actions_about(seven, kept.submission_id)) >= Counter(
        {"referral:offered": 5, "referral:expired": 5, "referral:exhausted": 1}
    )
    assert [kind for kind, _, _ in emails(seven)].count("referral") == 5
    assert status_of(seven, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert not jobs(seven.database)
    assert set(loads(seven).values()) == {0}


def test_an_open_offer_stays_and_only_the_empty_place_is_filled(seven: Context) -> None:
    submit(seven)
    drain(seven)
    with seven.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE referral SET status = 'accepted', expires_at = NULL WHERE provider_id = 'p0'"
        )
        connection.exec_driver_sql(
            "UPDATE referral SET status = 'declined', expires_at = NULL WHERE provider_id = 'p1'"
        )
    nobody_answers(seven)
    assert Counter(referrals(seven)) == Counter(
        [("p0", "accepted"), ("p1", "declined"), ("p2", "expired"), ("p3", "offered"), ("p4", "offered")]
    )


def test_whoever_found_no_room_is_offered_when_there_is_some(context: Context) -> None:
    put_in_force(context, fitting("small", capacity={"max_open": 1, "max_per_day": 10}))
    first, second = (submit(context, person(number)) for number in range(2))
    drain(context)
    assert referrals(context) == [("small", "offered")]
    (waiting,) = jobs(context.database, "refer")
    assert waiting.target_id == second.submission_id
    make_due(context.database)
    drain(context)
    assert len(jobs(context.database, "refer")) == 1  # still no room: asks again later
    assert "referral:exhausted" not in actions_about(context, second.submission_id)
    nobody_answers(context)
    make_due(context.database)
    drain(context)
    assert referrals(context) == [("small", "expired"), ("small", "offered")]
    assert "referral:exhausted" in actions_about(context, first.submission_id)
    assert loads(context) == {"small": 1}


@pytest.fixture
def failing(seven: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The seven, one submission whose offers have expired, and a lane `refer` that fails each time."""
    submit(seven)
    drain(seven)
    expire_referrals(seven.database)

    def fail(_stage: Stage, _item: object) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(ReferStage, "work", fail)
        yield seven


def test_the_sweep_lets_a_failing_job_back_off(failing: Context) -> None:
    run_sweep(failing)
    drain(failing)
    (before,) = jobs(failing.database, "refer")
    assert before.attempts == 1
    assert before.due_at > utc_now()
    run_sweep(failing)
    assert jobs(failing.database, "refer") == [before]


def test_a_job_that_fails_each_time_becomes_a_dead_letter_and_stays_one(failing: Context) -> None:
    for _ in range(20):
        run_sweep(failing)
        make_due(failing.database)
        drain(failing)
    assert jobs(failing.database, "refer") == []
    (dead,) = table(failing.database, DeadJob.table())
    assert (dead.lane, dead.attempts) == ("refer", build_lanes(failing)["refer"].maximum_attempts)


def test_the_sweep_leaves_a_job_alone_that_a_worker_holds(seven: Context) -> None:
    submit(seven)
    drain(seven)
    expire_referrals(seven.database)
    run_sweep(seven)
    with seven.database.write() as connection:
        ledger.claim(connection, "refer", 1, 60.0)
    (before,) = jobs(seven.database, "refer")
    run_sweep(seven)
    assert jobs(seven.database, "refer") == [before]


def test_a_job_that_waits_for_room_is_pulled_forward(seven: Context) -> None:
    kept = submit(seven)
    drain(seven)
    with seven.database.write() as connection:
        ledger.enqueue(connection, [ledger.NewJob("refer", kept.submission_id, kept.submission_id, 3600.0)])
    drain(seven)
    assert len(jobs(seven.database, "refer")) == 1
    nobody_answers(seven)
    assert jobs(seven.database, "refer") == []
    assert referrals(seven)[:3] == [(each, "expired") for each in IDS[:3]]


def test_a_provider_that_was_retired_gets_no_new_offers(seven: Context) -> None:
    submit(seven)
    drain(seven)
    put_in_force(seven, *(fitting(each) for each in IDS if each not in {"p3", "p4"}))
    nobody_answers(seven)
    assert [provider for provider, status in referrals(seven) if status == "offered"] == ["p5", "p6"]


PAUSED: dict[str, Any] = {"availability": {"paused": True}}


def test_a_provider_that_has_paused_gets_no_new_offers(seven: Context) -> None:
    submit(seven)
    drain(seven)
    put_in_force(seven, *(fitting(each, **(PAUSED if each in {"p3", "p4"} else {})) for each in IDS))
    nobody_answers(seven)
    assert [provider for provider, status in referrals(seven) if status == "offered"] == ["p5", "p6"]
    assert jobs(seven.database, "refer") == []


def test_a_pause_of_all_that_fit_ends_no_request(context: Context) -> None:
    small: dict[str, Any] = {"capacity": {"max_open": 1, "max_per_day": 9}}
    put_in_force(context, fitting("small", **small))
    second = [submit(context, person(number)) for number in range(2)][1]
    drain(context)
    put_in_force(context, fitting("small", **small, **PAUSED))
    for _ in range(2):
        make_due(context.database)
        nobody_answers(context)
        (waiting,) = jobs(context.database, "refer")
        assert waiting.target_id == second.submission_id
        assert waiting.due_at > waiting.created_at
    assert "referral:exhausted" not in actions_about(context, second.submission_id)
    put_in_force(context, fitting("small", **small))
    make_due(context.database)
    drain(context)
    assert referrals(context) == [("small", "expired"), ("small", "offered")]


def test_a_place_that_is_given_back_goes_to_whoever_waits_in_the_same_batch(context: Context) -> None:
    put_in_force(context, fitting("small", capacity={"max_open": 1, "max_per_day": 9}))
    for number in range(2):
        submit(context, person(number))
    drain(context)
    make_due(context.database)
    nobody_answers(context)
    assert referrals(context) == [("small", "expired"), ("small", "offered")]
    assert jobs(context.database, "refer") == []


def test_equals_have_their_turn_and_the_record_keeps_the_stored_rank(context: Context) -> None:
    put_in_force(context, *(fitting(each) for each in IDS[:5]))
    kept = [submit(context, person(number)) for number in range(2)]
    drain(context)  # the first to p0, p1, p2; the second to p3, p4, p0
    nobody_answers(context)  # the first to p3, p4; the second to p1, p2
    stored = {(row.submission_id, row.provider_id): row.rank for row in table(context.database, ProviderMatch.table())}
    told = {
        (row.submission_id, details["provider"]): details["rank"]
        for row in table(context.database, AuditEvent.table())
        if row.action == "referral:offered"
        for details in [json.loads(row.details)]
    }
    assert told == stored
    assert [
        provider
        for (submission, provider), _ in sorted(stored.items(), key=lambda item: item[1])
        if submission == kept[1].submission_id
    ] == ["p3", "p4", "p0", "p1", "p2"]
