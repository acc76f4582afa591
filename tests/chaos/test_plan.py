"""The schedule of a seed."""

from collections import Counter

from pipeline.failpoints import Failpoint
from tests.chaos.plan import FaultKind, plan

MINUTES = 60.0


def test_a_seed_is_a_schedule_with_enough_of_every_kind() -> None:
    once, again, other = plan(7, 5 * MINUTES), plan(7, 5 * MINUTES), plan(8, 5 * MINUTES)
    assert once == again != other
    assert sorted(fault.at for fault in once) == [fault.at for fault in once]
    for faults in (once, other):
        assert len(faults) > 70
    found = Counter(fault.kind for seed in range(1, 4) for fault in plan(seed, 5 * MINUTES))
    assert set(found) == set(FaultKind)


def test_processes_die_at_every_failpoint_that_they_come_to() -> None:
    named = {fault.detail.partition("@")[0] for seed in range(1, 60) for fault in plan(seed, 5 * MINUTES)} - {""}
    ours = {point for point in Failpoint if point.partition(":")[0] in {"intake", "wake", "email", "sweep"}}
    assert ours <= named <= set(Failpoint)
