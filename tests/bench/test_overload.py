from dataclasses import replace

import pytest

from bench.http_load import API, HOOK, Answer, Offered
from bench.laboratory import Laboratory
from bench.overload import QUICK_OVERLOAD_PLAN, Overload, OverloadPlan, Stretch, measure_overload, overload_part

PLAN = replace(QUICK_OVERLOAD_PLAN, backlog=60, seconds=2.0, calm_seconds=1.0)


@pytest.mark.timeout(480)  # two workers and a web process, and all that was taken in is worked off
def test_a_flood_is_offered_to_real_processes_and_nothing_taken_in_is_lost(laboratory: Laboratory) -> None:
    measured = measure_overload(laboratory, PLAN)
    assert measured.lost == 0
    assert measured.capacity > 0
    assert measured.memory.keys() == {"web", "worker 1", "worker 2"}
    for stretch in (measured.before, measured.flood, measured.after):
        assert len(stretch.offered.answers) + stretch.offered.unsent > 0
        assert {answer.status for answer in stretch.offered.answers} <= {200, 202, 503}
    text = overload_part(measured, laboratory, "make bench").text()
    assert "| answered 2xx and not finished | 0 | 0 | reached |" in text
    assert "| worker 2 | " in text


def answer(door: str, sent: float, status: int, retry_after: int | None = None) -> Answer:
    return Answer(door, 0, sent, 0.01, status, "id" if status == 202 else None, retry_after)


def stretch(*answers: Answer, wait: float = 1.0) -> Stretch:
    return Stretch(Offered(1.0, answers, 0), [wait])


REFUSED = answer(API, 1.0, 503, 30)


def flooded(flood: Stretch, *, after: float = 2.0, lost: int = 0, at_the_end: float = 150.0) -> Overload:
    calm = stretch(answer(API, 0.0, 202))
    memory = {"web": (100.0, 200.0, at_the_end)}
    return Overload(OverloadPlan(), 100.0, 700, calm, flood, stretch(wait=after), lost, memory)


def test_what_was_wanted_decides(laboratory: Laboratory) -> None:
    hook = answer(HOOK, 2.0, 503, 30)
    wanted = [
        (flooded(stretch(REFUSED)), True),
        (flooded(stretch(REFUSED, hook)), True),
        (flooded(stretch()), False),
        (flooded(stretch(REFUSED, answer(API, 2.0, 503))), False),
        (flooded(stretch(REFUSED, replace(hook, sent=0.5))), False),
        (flooded(stretch(REFUSED), after=2.1), False),
        (flooded(stretch(REFUSED), lost=1), False),
        (flooded(stretch(REFUSED), at_the_end=151.0), False),
    ]
    for measured, reached in wanted:
        assert overload_part(measured, laboratory, "make bench").reached == reached
