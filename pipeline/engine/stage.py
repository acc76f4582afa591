"""What a lane does with its jobs, and what can become of each.

A stage loads what a batch needs, works on each row by itself, and records the results into one unit of work. It never
commits. `perform` hands verdicts over in portions: the engine finishes each portion in a transaction of its own.
"""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from sqlalchemy import Connection

from pipeline.db import is_transient
from pipeline.engine.lease import Lease
from pipeline.ledger import ClaimedJob
from pipeline.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)


class PermanentFailure(Exception):
    """This row will never work. `str` is a code, never what a person said."""


class TransientFailure(Exception):
    """This row may work later. `str` is a code, never what a person said."""

    def __init__(self, code: str, delay_seconds: float | None = None) -> None:
        super().__init__(code)
        self.delay_seconds = delay_seconds


class LaneFailure(Exception):
    """Everyone in this lane would fail alike: the lane rests for `pause_seconds` and nobody loses an attempt."""

    def __init__(self, reason: str, pause_seconds: float) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


@dataclass(frozen=True, slots=True)
class Done:
    """The row was worked on; `result` is for the stage's `record`."""

    job: ClaimedJob
    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The row was not done. `delay_seconds` empty: the lane's own backoff."""

    job: ClaimedJob
    code: str
    permanent: bool = False
    delay_seconds: float | None = None
    costs_attempt: bool = True
    result: Any = None
    """What the stage must record even so (an email's attempt that was refused for now, say)."""


Verdict = Done | Failed


class Stage(ABC):
    """One lane's work. `load` and `work` are overridden by most, `perform` only by one with external effects."""

    calls_out: ClassVar[bool] = False
    """Whether the work has effects outside the database, so that it cannot simply be done again."""

    @abstractmethod
    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Any]:
        """What each job needs, by job id. A job left out is finished: there is nothing left to do for it."""

    @abstractmethod
    def work(self, item: Any) -> Any:
        """Work on one row, without effects. May raise `PermanentFailure` or `TransientFailure`."""

    @abstractmethod
    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        """Write what follows from the verdicts of jobs that are still held. Their submissions are locked."""

    def bury(self, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:  # noqa: B027 - most need nothing
        """Write what follows from jobs being given up, beside the dead letter itself."""

    def perform(
        self,
        jobs: Sequence[ClaimedJob],
        items: Mapping[int, Any],
        lease: Lease,  # noqa: ARG002 - for stages that call out
    ) -> Iterator[list[Verdict]]:
        """Work on all rows; one row's exception is that row's failure only."""
        yield [self.attempt(job, items[job.id]) for job in jobs]

    def attempt(self, job: ClaimedJob, item: Any) -> Verdict:
        try:
            return Done(job, self.work(item))
        except PermanentFailure as failure:
            return Failed(job, str(failure), permanent=True)
        except TransientFailure as failure:
            return Failed(job, str(failure), delay_seconds=failure.delay_seconds)
        except LaneFailure:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.error("job failed", job=job.id, lane=job.lane, **whereabouts(error))
            return Failed(job, f"unexpected:{type(error).__name__}")


def whereabouts(error: BaseException) -> dict[str, str]:
    """The type and place of an error, without its message: that may quote what a person said."""
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(
        f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno}:{frame.name}" for frame in frames[-4:][::-1]
    )
    return {"error": type(error).__name__, "at": place}
