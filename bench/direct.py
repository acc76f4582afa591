"""The stages over given submissions without a queue: nothing is claimed, leased, held, given back or woken.

What the tuned comparator does for one submission a message, and the limit for a batch of them: the same stage objects
and the same bulk statements as in the engine, with a unit of work that collects what it is asked to enqueue instead of
writing job rows.
"""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from uuid_utils.compat import uuid7

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Stage
from pipeline.ledger import ClaimedJob
from pipeline.unit_of_work import UnitOfWork

_WITHOUT_END_SECONDS = 3600.0

_numbers = itertools.count(1)
_token = uuid7()


def job_for(lane: str, target_id: uuid.UUID, submission_id: uuid.UUID | None) -> ClaimedJob:
    """What a stage is told to work on, where no row stands for it."""
    return ClaimedJob(next(_numbers), lane, submission_id, target_id, 1, 1, isolated=False, token=_token)


@dataclass(slots=True)
class Unqueued(UnitOfWork):
    """`asked` is what would have been jobs."""

    asked: list[ClaimedJob] = field(default_factory=list)

    def enqueue(
        self,
        lane: str,
        target_id: uuid.UUID,
        submission_id: uuid.UUID | None,
        delay_seconds: float = 0.0,  # noqa: ARG002 - the same signature
    ) -> None:
        self.asked.append(job_for(lane, target_id, submission_id))

    def of_lane(self, lane: str) -> list[ClaimedJob]:
        return [job for job in self.asked if job.lane == lane]


@contextmanager
def begin_unqueued(context: Context, lane: str) -> Iterator[Unqueued]:
    """As `pipeline.unit_of_work.begin`: one durable transaction."""
    with context.database.write() as connection:
        unit = Unqueued(connection, actions.lane(lane), context.keys)
        yield unit
        unit.flush()


def lock(unit: Unqueued, jobs: Sequence[ClaimedJob]) -> None:
    unit.lock(job.submission_id for job in jobs if job.submission_id is not None)


def run_stage(context: Context, stage: Stage, jobs: Sequence[ClaimedJob]) -> list[ClaimedJob]:
    """Load, work and record a batch, as often committed as the stage hands portions over; what it asked for."""
    asked: list[ClaimedJob] = []
    if not jobs:
        return asked
    with context.database.read() as connection:
        items = stage.load(connection, jobs)
    for verdicts in stage.perform([job for job in jobs if job.id in items], items, _without_end()):
        with begin_unqueued(context, jobs[0].lane) as unit:
            lock(unit, [verdict.job for verdict in verdicts])
            stage.record(unit, verdicts)
        asked += unit.asked
    return asked


def _without_end() -> Lease:
    return Lease.starting_now(_WITHOUT_END_SECONDS)
