from dataclasses import replace

from bench.intake import (
    BARE,
    CAREROUTE,
    QUICK_INTAKE_PLAN,
    Counted,
    Intake,
    IntakePlan,
    Rounds,
    intake_part,
    measure_intake,
)
from bench.laboratory import Laboratory, can_count_statements

PLAN = replace(QUICK_INTAKE_PLAN, requests=60, warm_up=10, alone=5)


def test_both_sides_keep_what_they_are_sent_and_are_measured(laboratory: Laboratory) -> None:
    measured = measure_intake(laboratory, PLAN)
    for rounds in measured.rounds.values():
        for figures in (rounds.rates, rounds.loaded, rounds.alone):
            assert len(figures) == PLAN.rounds
            assert min(figures) > 0
    assert measured.rounds.keys() == {CAREROUTE, BARE}
    if can_count_statements():
        assert measured.counted[BARE, "one by one"].commits == 1
        assert measured.counted[CAREROUTE, "one by one"].commits == 1
        assert 0 < measured.counted[CAREROUTE, "under load"].commits <= 1
    text = intake_part(measured, laboratory, "make bench").text()
    assert f"| at least 70% | {measured.ratio:.0%} |" in text
    assert f"| {BARE} | " in text


def of(ours: float, bare: float) -> Intake:
    def rounds(*rates: float) -> Rounds:
        return Rounds(list(rates), [1.0], [1.0], [1.0])

    counted = {(CAREROUTE, "one by one"): Counted(4.0, 1.0)}
    return Intake(IntakePlan(), {CAREROUTE: rounds(1.0, ours, 9999.0), BARE: rounds(bare)}, counted)


def test_the_medians_decide(laboratory: Laboratory) -> None:
    assert intake_part(of(700, 1000), laboratory, "make bench").reached
    assert not intake_part(of(699, 1000), laboratory, "make bench").reached
    assert "| careroute | one by one | 4.00 | 1.00 |" in intake_part(of(700, 1000), laboratory, "make bench").text()
