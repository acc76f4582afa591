import pytest

from bench.doors import CAREROUTE, TEXTBOOK, TUNED
from bench.laboratory import Laboratory
from bench.loads import LoadPlan, Offered, judge, measure_loads
from bench.loads_report import loads_part
from bench.sides import Careroute

CALM = Offered(rate=20, came_in=20, p50=0.007, p99=0.1, growth=0.0)
OVERLOADED = Offered(rate=200, came_in=199, p50=5, p99=9, growth=150.0)


def test_a_load_beyond_capacity_is_told_and_neither_worked_off_nor_followed_by_a_higher_one(
    laboratory: Laboratory,
) -> None:
    plan = LoadPlan({CAREROUTE: (3000, 6000)}, seconds=1, warm_up_rounds=1)
    offered = measure_loads(Careroute, laboratory, plan)
    assert [each.rate for each in offered] == [3000]
    assert 0 < offered[0].came_in < 3000
    assert not offered[0].keeps_up


@pytest.mark.parametrize(("served", "keeps_up"), [(1.0, True), (0.97, True), (0.9, False), (0.25, False)])
def test_a_backlog_that_grows_is_noticed(served: float, keeps_up: bool) -> None:  # noqa: FBT001 - a case
    """One submission each hundredth of a second; each is done when those before it are, at a part of that rate."""
    moments = [(n / 100, n / 100 / served + 0.01) for n in range(1000)]
    offered = judge(moments, rate=100, begin=0, seconds=10, sent=1000)
    assert offered.keeps_up is keeps_up
    assert offered.growth == pytest.approx(100 * (1 - served), abs=1)


def test_what_is_never_confirmed_is_backlog() -> None:
    moments = [(n / 10, None if n % 2 else n / 10 + 0.01) for n in range(100)]
    offered = judge(moments, rate=10, begin=0, seconds=10, sent=100)
    assert not offered.keeps_up
    assert offered.p50 == pytest.approx(0.01)


def test_submissions_that_could_not_be_taken_in_are_no_load_that_was_kept_up_with() -> None:
    moments = [(n / 100, n / 100 + 0.01) for n in range(0, 1000, 2)]
    assert not judge(moments, rate=100, begin=0, seconds=10, sent=500).keeps_up


def test_the_report_shows_an_overload_as_such_and_draws_only_what_was_kept_up_with() -> None:
    measured = {CAREROUTE: [CALM, OVERLOADED], TUNED: [CALM], TEXTBOOK: [OVERLOADED]}
    part = loads_part(LoadPlan({}, seconds=10), measured, ["a machine"])
    assert "| 1,000/s | 20/s | an aim, not reached yet |" in part.text()
    assert "| careroute | 20/s | 20/s | 7.0 ms | 100.0 ms | |" in part.text()
    assert "| careroute | 200/s | 199/s | | | cannot keep up: backlog grew by 150/s |" in part.text()
    assert part.charts[0].series["careroute, p50"] == [(20, 7.0)]
    assert "textbook, p50" not in part.charts[0].series
