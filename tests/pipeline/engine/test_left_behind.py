"""What a dead worker left behind is worked on in a few portions, and a row that kills every worker dies by itself."""

import uuid
from functools import partial
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from pipeline.db import Database
from pipeline.engine.stage import LaneFailure
from pipeline.engine.sweep import PARTS
from pipeline.failpoints import Failpoint, reach
from pipeline.keys import Keys, load_keysets
from pipeline.models import DeadJob
from tests.support.crashing import crash
from tests.support.installations import Installation
from tests.support.probe import MAXIMUM_ATTEMPTS, PROBE, Killed, Probe
from tests.support.work import actions_about, end_pauses, expire_leases, jobs, table

FULL = 384
"""The largest claim there is: of emails."""
AT_WORK = Failpoint.EMAIL_BEFORE_CALL
"""Reached here only by the work on a poison row."""


def live(database_url: str, keys_dir: Path, poison: uuid.UUID | None) -> None:
    """A worker with claims as large as they come, until it gets at the poison row."""
    probe = Probe(Database(database_url), load_keysets(keys_dir), FULL)
    if poison is not None:
        probe.stage.orders[poison] = partial(reach, AT_WORK)
    probe.engine().drain(PROBE)


@pytest.fixture
def backlog(installation: Installation, keys: Keys) -> Probe:
    """A full claim is due. The probe is another worker, with claims as large, that nothing kills."""
    probe = Probe(installation.database(), keys, FULL)
    probe.enqueue(*(uuid7() for _ in range(FULL)))
    return probe


def die(probe: Probe, installation: Installation, failpoint: str, poison: uuid.UUID | None = None) -> None:
    crash(failpoint, live, probe.database.url, installation.keys_dir, poison)


def waits(probe: Probe) -> dict[uuid.UUID, int]:
    """What is left, with its attempts."""
    return {job.target_id: job.attempts for job in jobs(probe.database)}


def test_a_full_claim_left_behind_is_worked_off_in_a_few_claims(backlog: Probe, installation: Installation) -> None:
    targets = list(waits(backlog))
    die(backlog, installation, "drain:before-finish")
    expire_leases(backlog.database)
    backlog.sweep()
    assert set(waits(backlog).values()) == {0}, "it is not known whose fault it was"
    fresh = uuid7()
    backlog.enqueue(fresh)
    engine = backlog.engine()
    sizes = [engine.run_batch(backlog.lane).jobs for _ in range(PARTS)]
    assert sizes == [FULL // PARTS + 1, *[FULL // PARTS] * (PARTS - 1)]
    assert backlog.done() == dict.fromkeys([*targets, fresh], 1)


def test_a_row_that_kills_every_worker_is_given_up_and_takes_nobody_with_it(
    backlog: Probe, installation: Installation
) -> None:
    targets = list(waits(backlog))
    poison = targets[FULL // 2 + 7]
    died_with = []
    for _ in range(20):
        die(backlog, installation, AT_WORK, poison)
        backlog.engine().drain(PROBE)  # another worker does what the dead one does not hold
        died_with.append(len(waits(backlog)))
        expire_leases(backlog.database)
        backlog.sweep()
        left = waits(backlog)
        if poison not in left:
            break
        assert {attempts for target, attempts in left.items() if target != poison} <= {0}
    assert died_with == [FULL, FULL // PARTS, FULL // PARTS**2, *[1] * MAXIMUM_ATTEMPTS]
    assert backlog.done() == dict.fromkeys([target for target in targets if target != poison], 1)
    (dead,) = table(backlog.database, DeadJob.table())
    assert (dead.target_id, dead.attempts, dead.reason) == (
        poison,
        MAXIMUM_ATTEMPTS,
        "lease expired on every attempt",
    )
    assert actions_about(backlog, None).count("job:died") == 1


def test_a_suspect_that_cannot_even_be_read_takes_nobody_down_who_was_claimed_with_it(probe: Probe) -> None:
    poison, fresh = uuid7(), uuid7()
    probe.enqueue(poison)
    probe.claim()
    expire_leases(probe.database)
    probe.sweep()
    probe.enqueue(fresh)

    def kill() -> None:
        raise Killed

    probe.stage.loading[poison] = kill
    with pytest.raises(Killed):
        probe.engine().drain(PROBE)
    assert probe.done() == {fresh: 1}
    assert waits(probe) == {poison: 2}


def test_suspects_wait_together_while_their_lane_rests(probe: Probe) -> None:
    suspects = probe.enqueue_new(2 * PARTS)
    probe.claim(limit=2 * PARTS)
    expire_leases(probe.database)
    probe.sweep()
    (fresh,) = probe.enqueue_new(1)

    def fail_for_all() -> None:
        raise LaneFailure("provider down", 60)

    probe.stage.orders[fresh] = fail_for_all
    engine = probe.engine()
    assert engine.run_batch(probe.lane).jobs == 3
    assert waits(probe) == dict.fromkeys([*suspects, fresh], 0)
    probe.stage.orders.clear()
    end_pauses(probe.database)
    probe.sweep()
    assert [engine.run_batch(probe.lane).jobs for _ in range(PARTS)] == [3, *[2] * (PARTS - 1)]


def test_suspects_are_not_blamed_for_a_death_over_what_comes_before_them(probe: Probe) -> None:
    """A worker is at the suspects of its claim only when all else of it is finished."""
    suspects = probe.enqueue_new(2 * PARTS)
    probe.claim(limit=2 * PARTS)
    expire_leases(probe.database)
    probe.sweep()
    fresh = probe.enqueue_new(1)
    claimed = probe.claim(limit=2 * PARTS)
    assert {job.target_id for job in claimed} == {*suspects[:2], *fresh}
    expire_leases(probe.database)
    probe.sweep()
    assert waits(probe) == {**dict.fromkeys(suspects, 0), fresh[0]: 1}
    parts = [{job.target_id for job in probe.claim(limit=2 * PARTS)} for _ in range(PARTS + 1)]
    assert parts == [*({*suspects[start : start + 2]} for start in range(0, 2 * PARTS, 2)), {*fresh}]
