from bench.counting import Cost, Costs
from bench.laboratory import Laboratory
from bench.measure import Load, measure_round
from bench.people import RECORDS_PER_PERSON
from bench.report import CAREROUTE, TEXTBOOK, Results, pipeline_part
from bench.sides import SIDES

LOAD = Load(submissions=8, rate=40, latency_seconds=0.2, warm_up_rounds=1)
EVERYBODY = 10 + 8 + 8


def test_both_sides_do_the_same_full_work_and_are_measured(laboratory: Laboratory) -> None:
    rounds = {side.name: [measure_round(side, laboratory, LOAD)] for side in SIDES}
    ours, textbook = rounds[CAREROUTE][0], rounds[TEXTBOOK][0]

    assert ours.work == textbook.work
    assert list(ours.work.faults(EVERYBODY)) == []
    assert len(list(ours.work.faults(EVERYBODY + 1))) == 4
    assert ours.work.rows["audit_event"] == EVERYBODY * RECORDS_PER_PERSON + ours.work.actions["providers:imported"]
    assert ours.work.rows["email"] == ours.work.rows["secure_link"] == EVERYBODY * 5
    for measured in (ours, textbook):
        assert measured.throughput > 0
        assert len(measured.waits) == 8
        assert min(measured.waits) > 0

    cost = Cost(1, 2, 3)
    results = Results(rounds, dict.fromkeys(rounds, LOAD), {CAREROUTE: Costs(cost, cost, cost)}, ["a machine"])
    report = pipeline_part(results).text()
    assert f"| textbook | 8 | {textbook.throughput:.1f} |" in report
    assert "| careroute | accepting it | 1.00 | 2.00 | 3.00 |" in report
