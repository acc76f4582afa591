import uuid
from collections.abc import Callable
from typing import Never

import pytest

from pipeline.engine.stage import LaneFailure, PermanentFailure, TransientFailure
from pipeline.models import AuditEvent, DeadJob, LanePause
from tests.support.probe import MAXIMUM_ATTEMPTS, PROBE, Killed, Probe
from tests.support.work import actions_about, end_pauses, expire_leases, jobs, make_due, table


def raises(error: BaseException) -> Callable[[], Never]:
    def act() -> Never:
        raise error

    return act


def attempts(probe: Probe) -> dict[uuid.UUID, int]:
    return {job.target_id: job.attempts for job in jobs(probe.database)}


def dead(probe: Probe) -> dict[uuid.UUID, str]:
    return {row.target_id: row.reason for row in table(probe.database, DeadJob.table())}


def test_everything_due_is_done_once_in_batches(probe: Probe) -> None:
    targets = probe.enqueue_new(25)
    assert probe.engine().drain(PROBE) == 25
    assert probe.done() == dict.fromkeys(targets, 1)
    assert jobs(probe.database) == []


def test_what_a_worker_finishes_after_its_lease_was_taken_over_counts_for_nothing(probe: Probe) -> None:
    (target,) = probe.enqueue_new(1)
    thief = Probe(probe.database, probe.keys)

    def lose_the_lease() -> None:
        expire_leases(probe.database)
        probe.sweep()
        (stolen,) = thief.claim()
        assert stolen.attempts == 2

    probe.stage.orders[target] = lose_the_lease
    probe.engine().run_batch(probe.lane)
    assert probe.done() == {}
    (job,) = jobs(probe.database)
    assert job.lease_token is not None
    assert job.attempts == 2


@pytest.mark.parametrize(
    "outcome", [lambda: None, raises(TransientFailure("later")), raises(PermanentFailure("never"))]
)
def test_work_asked_for_while_it_is_being_done_is_done_again(probe: Probe, outcome: Callable[[], object]) -> None:
    (target,) = probe.enqueue_new(1)

    def ask_again() -> None:
        probe.enqueue(target)
        outcome()

    probe.stage.orders[target] = ask_again
    probe.engine().run_batch(probe.lane)
    done_before = probe.done()[target]
    (job,) = jobs(probe.database)
    assert job.lease_token is None
    del probe.stage.orders[target]
    assert probe.engine().drain(PROBE) == 1
    assert probe.done()[target] == done_before + 1
    assert jobs(probe.database) == []


def test_a_row_that_kills_its_worker_takes_only_itself_down(probe: Probe) -> None:
    poison, *others = probe.enqueue_new(6)
    probe.stage.orders[poison] = raises(Killed())
    deaths = 0
    for _ in range(4 * MAXIMUM_ATTEMPTS):
        try:
            probe.engine().drain(PROBE)
        except Killed:
            deaths += 1
        expire_leases(probe.database)
        probe.sweep()
    assert probe.done() == dict.fromkeys(others, 1)
    assert dead(probe) == {poison: "lease expired on every attempt"}
    assert deaths == 1 + MAXIMUM_ATTEMPTS, "the first costs nobody an attempt: it is not known whose fault it was"
    assert probe.stage.buried == [poison]
    assert "job:died" in actions_about_nothing(probe)


def test_the_rows_that_a_dead_worker_left_behind_are_all_seen_to_in_one_drain(probe: Probe) -> None:
    targets = probe.enqueue_new(5)
    probe.claim()
    expire_leases(probe.database)
    probe.sweep()
    assert probe.engine().drain(PROBE) == 5
    assert probe.done() == dict.fromkeys(targets, 1)


def test_a_failure_of_one_row_is_that_rows_only(probe: Probe) -> None:
    fine, permanent, transient, unexpected = probe.enqueue_new(4)
    probe.stage.orders = {
        permanent: raises(PermanentFailure("no_address")),
        transient: raises(TransientFailure("busy")),
        unexpected: raises(ValueError("said by a person")),
    }
    probe.engine().drain(PROBE)
    assert probe.done() == {fine: 1}
    assert dead(probe) == {permanent: "no_address"}
    assert probe.stage.buried == [permanent]
    waiting = {job.target_id: job for job in jobs(probe.database)}
    assert {target: job.last_error for target, job in waiting.items()} == {
        transient: "busy",
        unexpected: "unexpected:ValueError",
    }
    assert all(job.due_at > job.created_at and job.lease_token is None for job in waiting.values())
    assert attempts(probe) == {transient: 1, unexpected: 1}
    probe.stage.orders.clear()
    assert probe.engine().drain(PROBE) == 0  # not due yet
    make_due(probe.database)
    assert probe.engine().drain(PROBE) == 2


def test_a_row_that_fails_every_time_ends_as_a_dead_letter_on_record(probe: Probe) -> None:
    (target,) = probe.enqueue_new(1)
    probe.stage.orders[target] = raises(TransientFailure("busy"))
    for attempt in range(1, MAXIMUM_ATTEMPTS + 1):
        assert dead(probe) == {}
        make_due(probe.database)
        probe.engine().drain(PROBE)
        assert attempts(probe).get(target, MAXIMUM_ATTEMPTS) == attempt
    assert dead(probe) == {target: "busy"}
    (event,) = [row for row in table(probe.database, AuditEvent.table()) if row.action == "job:died"]
    assert event.details == '{"code":"busy","lane":"probe"}'
    assert event.attempt == MAXIMUM_ATTEMPTS


def test_the_wait_between_attempts_doubles_up_to_a_limit(probe: Probe) -> None:
    for attempt in range(1, 60):
        unvaried = min(5.0 * 2 ** (attempt - 1), 3600.0)
        assert unvaried * 0.75 <= probe.lane.backoff(attempt) <= unvaried * 1.25


def test_when_everyone_would_fail_the_lane_rests_and_nobody_loses_an_attempt(probe: Probe) -> None:
    targets = probe.enqueue_new(3)
    probe.stage.orders[targets[1]] = raises(LaneFailure("provider down", 60))
    assert probe.engine().drain(PROBE) == 3
    (pause,) = table(probe.database, LanePause.table())
    assert (pause.lane, pause.reason) == (PROBE, "provider down")
    assert pause.until > pause.since
    assert attempts(probe) == dict.fromkeys(targets, 0)
    probe.stage.orders.clear()
    assert probe.engine().drain(PROBE) == 0
    end_pauses(probe.database)
    swept = probe.sweep()
    assert swept is not None
    assert (swept.resumed, swept.fed_lanes) == (1, frozenset({PROBE}))
    assert probe.engine().drain(PROBE) == 3
    assert actions_about_nothing(probe) == ["lane:paused", "lane:resumed"]


def test_a_row_whose_data_breaks_the_bulk_fails_alone(probe: Probe) -> None:
    targets = probe.enqueue_new(5)
    bad = targets[2]
    probe.stage.unwritable = {bad}
    probe.engine().drain(PROBE)
    assert probe.done() == dict.fromkeys([target for target in targets if target != bad], 1)
    (job,) = jobs(probe.database)
    assert (job.target_id, job.attempts, job.last_error) == (bad, 1, "recording:IntegrityError")


def test_a_row_that_cannot_even_be_loaded_fails_alone(probe: Probe) -> None:
    targets = probe.enqueue_new(5)
    bad = targets[2]
    probe.stage.loading[bad] = raises(ValueError("unreadable"))
    probe.engine().drain(PROBE)
    assert probe.done() == dict.fromkeys([target for target in targets if target != bad], 1)
    (job,) = jobs(probe.database)
    assert (job.target_id, job.attempts, job.last_error) == (bad, 1, "loading:ValueError")


def test_a_lane_that_this_version_does_not_know_is_left_alone(probe: Probe) -> None:
    probe.enqueue(uuid.uuid4(), lane="from-the-future")
    before = jobs(probe.database)
    assert probe.engine().drain("from-the-future") == 0
    assert jobs(probe.database) == before
    (claimed,) = probe.claim(lane="from-the-future")
    for _ in range(MAXIMUM_ATTEMPTS + 1):
        expire_leases(probe.database)
        probe.sweep()
        probe.claim(lane="from-the-future")
    assert [job.id for job in jobs(probe.database)] == [claimed.id]


def actions_about_nothing(probe: Probe) -> list[str]:
    """What is on record about no submission, apart from the import that every test begins with."""
    return [action for action in actions_about(probe, None) if action != "providers:imported"]
