"""A lane whose work is told by the test, to try the engine without a submission."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from pipeline import ledger
from pipeline.db import Database
from pipeline.engine.drain import Engine
from pipeline.engine.lane import Lane
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.engine.sweep import Swept, sweep
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob, NewJob
from pipeline.models import Heartbeat
from pipeline.unit_of_work import UnitOfWork
from tests.support.work import table

PROBE = "probe"
MAXIMUM_ATTEMPTS = 3


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the engine may catch it."""


@dataclass
class ProbeStage(Stage):
    """Leaves a row for every job that is done. `orders` may say otherwise for a target, by raising in its work."""

    orders: dict[uuid.UUID, Callable[[], object]] = field(default_factory=dict)
    loading: dict[uuid.UUID, Callable[[], object]] = field(default_factory=dict)
    unwritable: set[uuid.UUID] = field(default_factory=set)
    buried: list[uuid.UUID] = field(default_factory=list)

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, uuid.UUID]:
        for job in jobs:
            self.loading.get(job.target_id, lambda: None)()
        return {job.id: job.target_id for job in jobs}

    def work(self, item: uuid.UUID) -> str | None:
        self.orders.get(item, lambda: None)()
        return None if item in self.unwritable else f"{item} {uuid7()}"

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            if isinstance(verdict, Done):
                unit.insert(Heartbeat.table(), name=verdict.result, at=unit.now)

    def bury(self, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
        self.buried += [job.target_id for job, _ in jobs]


class Probe:
    """A database with the lane `probe`, in which a job is given up after three attempts."""

    def __init__(self, database: Database, keys: Keys, batch_size: int = 10) -> None:
        self.database = database
        self.keys = keys
        self.stage = ProbeStage()
        self.lane = Lane(PROBE, self.stage, batch_size, lease_seconds=60, maximum_attempts=MAXIMUM_ATTEMPTS)

    def engine(self) -> Engine:
        """A worker. Several of them stand for several processes."""
        return Engine(self.database, self.keys, {PROBE: self.lane}, serves=frozenset({PROBE}))

    def enqueue(self, *targets: uuid.UUID, lane: str = PROBE, source: str = "") -> None:
        with self.database.write() as connection:
            ledger.enqueue(connection, [NewJob(lane, target, None, source=source) for target in targets])

    def enqueue_new(self, number: int) -> list[uuid.UUID]:
        """Ask for work on that many new targets, one after another, so that ids and due times follow their order."""
        targets = [uuid7() for _ in range(number)]
        for target in targets:
            self.enqueue(target)
        return targets

    def claim(self, limit: int = 10, lane: str = PROBE) -> list[ClaimedJob]:
        with self.database.write() as connection:
            return ledger.claim(connection, lane, limit, 60)

    def sweep(self) -> Swept | None:
        return sweep(self.database, self.keys, {PROBE: self.lane}, 0)

    def done(self) -> Counter[uuid.UUID]:
        """How often each target was done, as far as it was committed."""
        names = [row.name.split(" ") for row in table(self.database, Heartbeat.table()) if " " in row.name]
        return Counter(uuid.UUID(target) for target, _ in names)
