"""A small run of chaos, as on every run of the suite; `make chaos` is the long one."""

from pathlib import Path

import pytest

from pipeline.failpoints import Failpoint
from tests.chaos.plan import BEAT, MAIL, REDIS, Fault
from tests.chaos.plan import FaultKind as K
from tests.chaos.run import Size, perform
from tests.chaos.system import Cast

pytestmark = pytest.mark.timeout(600)  # on a machine that is busy with other things

SEED = 25
WORKERS = ("worker-1", "worker-2")
CAST = Cast(webs=("web",), workers=WORKERS, sequencers=("worker-1",), away=WORKERS, lease_seconds=10.0)
SIZE = Size(5.0, rate=8.0, cast=CAST, most_behind=40, referees=0.2, drain_seconds=100.0, patience_seconds=60.0)
FAULTS = (
    # No report tells what became of most mails of the one that dies: only the marks in their rows say that they may
    # have left.
    Fault(0.0, K.MAIL_SILENT, MAIL, 60.0, amount=0.8),
    # Until they come, work piles up: each dies with a batch in hand.
    Fault(1.0, K.FAILPOINT, "worker-1", detail=f"{Failpoint.DRAIN_BEFORE_COMMIT}[score]"),
    Fault(1.0, K.FAILPOINT, "worker-2", detail=Failpoint.EMAIL_AFTER_CALL),
    Fault(1.0, K.CLOCK, "worker-1", amount=-400.0),
    Fault(1.5, K.FLUSH, REDIS),
    Fault(3.0, K.KILL, "web", 0.2),
    Fault(3.5, K.MAIL_ERRORS, MAIL, 1.5, amount=0.3),
    Fault(4.0, K.TERMINATE, BEAT, 0.2),
)


def test_after_some_seconds_of_everything_going_wrong_everything_adds_up(tmp_path: Path) -> None:
    outcome = perform(SEED, FAULTS, SIZE, tmp_path, lambda _: None)
    assert not outcome.wrong, outcome.in_words()
    figures = dict(outcome.figures)
    assert int(figures["answered 2xx"]) > 20
    assert int(figures["faults"].partition(":")[0]) >= 6
    assert int(figures["died at a failpoint"]) == 2
    assert "uncertain" in figures["attempts by outcome"], outcome.in_words()
