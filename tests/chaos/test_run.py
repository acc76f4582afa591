"""A small run of chaos, as on every run of the suite; `make chaos` is the long one."""

from pathlib import Path

import pytest

from pipeline.failpoints import Failpoint
from tests.chaos.plan import BEAT, MAIL, POSTGRES, REDIS, Fault
from tests.chaos.plan import FaultKind as K
from tests.chaos.run import Size, perform
from tests.chaos.system import Cast

pytestmark = pytest.mark.timeout(600)  # on a machine that is busy with other things

SEED = 25
CAST = Cast(webs=("web",), workers=("worker-1", "worker-2"), sequencers=("worker-1",), lease_seconds=10.0)
SIZE = Size(seconds=5.0, rate=8.0, cast=CAST, referees=0.2, drain_seconds=100.0)
FAULTS = (
    # With mails that were accepted, and are on record as being sent.
    Fault(0.0, K.FAILPOINT, "worker-2", 0.2, detail=f"{Failpoint.EMAIL_AFTER_CALL}@1"),
    Fault(0.5, K.MAIL_ERRORS, MAIL, 1.5, amount=0.3),
    Fault(1.0, K.CLOCK, "worker-1", amount=-400.0),
    Fault(1.5, K.FLUSH, REDIS),
    Fault(2.5, K.KILL, "worker-1", 0.2),
    Fault(3.0, K.KILL, "web", 0.2),
    Fault(3.5, K.POSTGRES_IMMEDIATE, POSTGRES),
    Fault(4.0, K.TERMINATE, BEAT, 0.2),
    Fault(4.5, K.REDIS_KILL, REDIS, 0.2),
)


def test_after_some_seconds_of_everything_going_wrong_everything_adds_up(tmp_path: Path) -> None:
    outcome = perform(SEED, FAULTS, SIZE, tmp_path, lambda _: None)
    assert not outcome.wrong, outcome.in_words()
    figures = dict(outcome.figures)
    assert int(figures["answered 2xx"]) > 20
    assert int(figures["faults"].partition(":")[0]) >= 6
