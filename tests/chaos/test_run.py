"""A small run of chaos, as on every run of the suite; `make chaos` is the long one."""

from pathlib import Path

import pytest

from tests.chaos.run import Size, perform

pytestmark = pytest.mark.timeout(600)  # on a machine that is busy with other things

SEED = 25
SIZE = Size(seconds=9.0, rate=8.0, pace=3.0, referees=0.2, drain_seconds=100.0)


def test_after_some_seconds_of_everything_going_wrong_everything_adds_up(tmp_path: Path) -> None:
    outcome = perform(SEED, SIZE, tmp_path, lambda _: None)
    assert not outcome.wrong, outcome.in_words()
    figures = dict(outcome.figures)
    assert int(figures["answered 2xx"]) > 30
    assert int(figures["faults"].partition(":")[0]) >= 5
