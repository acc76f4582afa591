"""Two workers made to work on the same thing at the same moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Barrier

from pipeline.context import Context
from pipeline.engine.drain import Engine
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Stage, Verdict
from pipeline.ledger import ClaimedJob
from tests.support.racing import at_once
from tests.support.work import engine


class Gated:
    """A stage that waits, its work done and nothing recorded yet, until the others are as far."""

    def __init__(self, stage: Stage, gate: Barrier) -> None:
        self._stage = stage
        self._gate = gate
        self.load, self.record, self.bury = stage.load, stage.record, stage.bury

    def perform(self, jobs: Sequence[ClaimedJob], items: Mapping[int, object], lease: Lease) -> Iterator[list[Verdict]]:
        for verdicts in self._stage.perform(jobs, items, lease):
            self._gate.wait(timeout=30)
            yield verdicts


def drain_together(context: Context, name: str, workers: int = 2) -> None:
    """Let each of `workers` take one job of the lane, and finish them all at the same moment."""
    gate = Barrier(workers)

    def work(_number: int) -> None:
        one: Engine = engine(context)
        lane = one.lanes[name]
        gated = replace(lane, batch_size=1, stage=Gated(lane.stage, gate))  # type: ignore[arg-type]
        assert one.run_batch(gated).jobs == 1

    at_once(workers, work)
