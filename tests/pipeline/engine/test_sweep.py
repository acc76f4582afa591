import pytest

from pipeline.engine import sweep as engine_sweep
from pipeline.engine.sweep import sweep
from pipeline.models import Heartbeat
from pipeline.unit_of_work import UnitOfWork
from tests.support.probe import PROBE, Probe
from tests.support.racing import at_once
from tests.support.work import expire_leases, jobs, table


def test_of_several_sweeps_at_once_one_does_it(probe: Probe) -> None:
    duties: list[UnitOfWork] = []

    def sweep_now(_number: int) -> bool:
        return sweep(probe.database, probe.keys, {PROBE: probe.lane}, 3600, (duties.append,)) is not None

    assert sorted(at_once(4, sweep_now)) == [False, False, False, True]
    assert len(duties) == 1
    assert [row.name for row in table(probe.database, Heartbeat.table())] == ["sweep"]


def test_an_expired_lease_is_given_back_marked_and_a_live_one_is_not(probe: Probe) -> None:
    probe.enqueue_new(2)
    probe.claim(limit=1)
    expire_leases(probe.database)
    (live,) = probe.claim(limit=1)
    swept = probe.sweep()
    assert swept is not None
    assert (swept.given_back, swept.given_up, swept.fed_lanes) == (1, 0, frozenset({PROBE}))
    lapsed, held = jobs(probe.database)
    assert (lapsed.isolated, lapsed.lease_token, lapsed.attempts) == (True, None, 1)
    assert (held.isolated, held.lease_token) == (False, live.token)


def test_sweeping_twice_changes_nothing_more(probe: Probe) -> None:
    probe.enqueue_new(2)
    probe.claim()
    expire_leases(probe.database)
    probe.sweep()
    before = jobs(probe.database)
    swept = probe.sweep()
    assert swept is not None
    assert (swept.given_back, swept.given_up, swept.resumed) == (0, 0, 0)
    assert jobs(probe.database) == before


def test_a_dead_claim_that_the_sweep_has_no_room_for_is_not_judged_by_a_part_of_it(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row of it alone would be to blame."""
    probe.enqueue_new(4)
    for _ in range(2):
        probe.claim(limit=2)
    expire_leases(probe.database)
    monkeypatch.setattr(engine_sweep, "BATCH", 3)
    assert [swept.given_back for _ in range(2) if (swept := probe.sweep())] == [2, 2]
    assert [job.attempts for job in jobs(probe.database)] == [0] * 4
