from bench.laboratory import Laboratory
from bench.parts import Part
from bench.what_if import Rehearsal, Size, WhatIf, measure_what_if, what_if_part


def test_stored_submissions_are_rehearsed_by_a_draft(laboratory: Laboratory) -> None:
    size = Size(submissions=60, programs=300, rounds=2)
    measured = measure_what_if(laboratory, size)
    part = what_if_part(measured, laboratory, "make bench")

    assert len(measured.rehearsals) == 2
    assert min(each.compiling for each in measured.rehearsals) > 0
    assert measured.changed > 0
    assert part.figures[0].what.startswith("60 stored submissions, 300 programs")
    assert part.reached

    def taking(*seconds: float) -> Part:
        rehearsals = tuple(Rehearsal(1, each - 1) for each in seconds)
        return what_if_part(WhatIf(size, rehearsals, 1, 0), laboratory, "make bench")

    assert taking(14.9, 99, 2).reached
    assert not taking(15, 99, 2).reached
