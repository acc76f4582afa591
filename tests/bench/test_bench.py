import pytest

from bench.counting import Cost, Costs
from bench.doors import CAREROUTE, LIMIT, TEXTBOOK, TUNED
from bench.laboratory import Laboratory
from bench.measure import Load, Round, measure_round
from bench.people import RECORDS_PER_PERSON
from bench.report import Results, pipeline_part
from bench.sides import SIDES, Limit
from bench.work import Work

LOAD = Load(submissions=8, rate=40, latency_seconds=0.2, warm_up_rounds=1)
WITHOUT_LATENCY = Load(submissions=8 + 8, rate=40, latency_seconds=0, warm_up_rounds=1)
EVERYBODY = 10 + 8 + 8
NO_WORK = Work({}, {}, {}, {}, {}, 0, 0)


@pytest.mark.timeout(480)  # four sides, each with workers of its own
def test_all_sides_do_the_same_full_work_and_are_measured(laboratory: Laboratory) -> None:
    rounds = {side.name: [measure_round(side, laboratory, LOAD)] for side in SIDES}
    ours = rounds[CAREROUTE][0]

    assert list(ours.work.faults(EVERYBODY)) == []
    assert len(list(ours.work.faults(EVERYBODY + 1))) == 4
    assert ours.work.rows["audit_event"] == EVERYBODY * RECORDS_PER_PERSON + ours.work.actions["providers:imported"]
    assert ours.work.rows["email"] == ours.work.rows["secure_link"] == EVERYBODY * 5
    for name in (CAREROUTE, TUNED, TEXTBOOK):
        measured = rounds[name][0]
        assert measured.work == ours.work, name
        assert measured.throughput > 0
        assert len(measured.waits) == 8
        assert min(measured.waits) > 0

    without_queue = measure_round(Limit, laboratory, WITHOUT_LATENCY)
    assert without_queue.work == ours.work
    assert without_queue.throughput > 0
    assert without_queue.waits == ()


def results(careroute: float, wait: float, limit: float = 100.0) -> Results:
    rounds = {
        LIMIT: [Round(limit, (), NO_WORK)],
        CAREROUTE: [Round(careroute, (wait,), NO_WORK)],
        TUNED: [Round(5, (1.0,), NO_WORK)],
        TEXTBOOK: [Round(2, (1.0,), NO_WORK)],
    }
    cost = Cost(1, 2, 3)
    costs = dict.fromkeys(rounds, Costs(cost, cost, cost))
    return Results(rounds, dict.fromkeys(rounds, LOAD), costs, ["a machine"])


def test_what_was_wanted_of_the_pipeline_decides() -> None:
    part = pipeline_part(results(careroute=60, wait=0.7))
    assert part.reached, "that it is not 2,000 a second yet is no failure"
    assert "| 2,000 | 60 | an aim, not reached yet |" in part.text()
    assert "| careroute | accepting it | 1.00 | 2.00 | 3.00 |" in part.text()
    assert "| no queue | accepting it" not in part.text()
    assert "The textbook side does not keep up" in part.text()
    assert not pipeline_part(results(careroute=59, wait=0.7)).reached
    assert not pipeline_part(results(careroute=60, wait=0.71)).reached
    assert not pipeline_part(results(careroute=60, wait=0.7, limit=121)).reached
