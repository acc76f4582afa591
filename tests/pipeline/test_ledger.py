from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update
from uuid_utils.compat import uuid7

from pipeline import ledger
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob, NewJob, Retry
from pipeline.models import Job
from pipeline.schema import migrate
from tests.support.probe import PROBE, Probe
from tests.support.racing import at_once
from tests.support.work import jobs

TARGETS = [uuid7() for _ in range(3)]


def test_many_workers_claim_every_job_once_and_none_takes_more_than_its_limit(
    postgresql_database: Database, keys: Keys
) -> None:
    probe = Probe(postgresql_database, keys)
    targets = [uuid7() for _ in range(300)]
    probe.enqueue(*targets)

    def claim_until_there_is_nothing(_number: int) -> Iterator[list[ClaimedJob]]:
        # A claim may come back short of rows that another one has locked, so ask until all are taken.
        batches = []
        while any(job.lease_token is None for job in jobs(probe.database)):
            batches.append(probe.claim(limit=7))
        return iter(batches)

    batches = [batch for batches in at_once(8, claim_until_there_is_nothing) for batch in batches]
    assert max(len(batch) for batch in batches) == 7
    claimed = [job for batch in batches for job in batch]
    assert sorted(job.target_id for job in claimed) == sorted(targets)
    assert {job.attempts for job in claimed} == {1}
    tokens = {job.id: job.token for job in claimed}
    assert {row.id: row.lease_token for row in jobs(probe.database)} == tokens


def test_a_claim_takes_the_oldest_due_jobs_of_its_own_lane(database: Database, keys: Keys) -> None:
    probe = Probe(database, keys)
    targets = probe.enqueue_new(3)
    probe.enqueue(uuid7(), lane="another")
    with database.write() as connection:
        assert ledger.enqueue(connection, [NewJob(PROBE, uuid7(), None, delay_seconds=60)]) == set()
    assert [job.target_id for job in probe.claim(limit=2)] == targets[:2]
    assert [job.target_id for job in probe.claim()] == targets[2:]
    assert probe.claim() == []


def test_asking_again_for_what_waits_makes_one_job_due_at_the_earlier_time(database: Database, keys: Keys) -> None:
    with database.write() as connection:
        target = TARGETS[0]
        ledger.enqueue(connection, [NewJob(PROBE, target, None, 60), NewJob(PROBE, target, None, 600)])
        assert ledger.claim(connection, PROBE, 10, 60) == []
        assert ledger.enqueue(connection, [NewJob(PROBE, target, None)]) == {PROBE}
        assert [job.generation for job in ledger.claim(connection, PROBE, 10, 60)] == [2]


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [(60, 600, "second"), (600, 60, "first"), (60, None, "second"), (None, 60, "first"), (None, None, "first")],
)
def test_a_pause_gives_way_only_to_a_longer_one(
    database: Database, keys: Keys, first: float | None, second: float | None, stands: str
) -> None:
    probe = Probe(database, keys)
    probe.enqueue_new(1)
    with database.write() as connection:
        assert ledger.pause(connection, PROBE, "first", first)
        assert ledger.pause(connection, PROBE, "second", second) == (stands == "second")
        assert connection.exec_driver_sql("SELECT reason FROM lane_pause").scalar_one() == stands
    assert probe.claim() == []
    with database.write() as connection:
        assert [ledger.resume(connection, PROBE) for _ in range(2)] == [True, False]
    assert len(probe.claim()) == 1


@pytest.fixture(scope="module")
def ledger_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    migrate(database)
    yield database
    database.dispose()


class Play:
    """The ledger, and beside it what it promises: which targets are asked for, and whose claim counts."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.asked: dict[int, int] = {}  # target → how often it was asked for since there was nothing to do
        self.holder: dict[int, ClaimedJob] = {}
        self.asked_at_claim: dict[ClaimedJob, int] = {}
        self.claims: list[ClaimedJob] = []

    def enqueue(self, target: int) -> None:
        ledger.enqueue(self.connection, [NewJob(PROBE, TARGETS[target], None)])
        self.asked[target] = self.asked.get(target, 0) + 1

    def claim(self, limit: int) -> None:
        free = self.asked.keys() - self.holder.keys()
        claimed = ledger.claim(self.connection, PROBE, limit, 60)
        assert len(claimed) == min(limit, len(free))
        for job in claimed:
            target = TARGETS.index(job.target_id)
            assert target in free
            self.holder[target] = job
            self.asked_at_claim[job] = self.asked[target]
        self.claims += claimed

    def finish(self, which: int) -> None:
        if (held := self._held(which)) is not None:
            job, generations = held
            again = ledger.finish(self.connection, [job], generations)
            target = TARGETS.index(job.target_id)
            assert bool(again) == (self.asked[target] > self.asked_at_claim[job])
            if not again:
                del self.asked[target]

    def retry(self, which: int) -> None:
        if (held := self._held(which)) is not None:
            ledger.release(self.connection, [Retry(held[0], 0, "try again")])

    def take_over(self, target: int) -> None:
        if (held := self.holder.pop(target, None)) is not None:
            lapsed = update(Job).where(Job.id == held.id).values(lease_until=None, lease_token=None)
            self.connection.execute(lapsed)

    def _held(self, which: int) -> tuple[ClaimedJob, dict[int, int]] | None:
        """One of the claims ever made, if it still counts; the ledger must be of the same opinion."""
        if not self.claims:
            return None
        job = self.claims[which % len(self.claims)]
        target = TARGETS.index(job.target_id)
        generations = ledger.hold(self.connection, [job])
        counts = self.holder.get(target) == job
        assert (job.id in generations) == counts
        if not counts:
            return None
        del self.holder[target]
        return job, generations


OPERATIONS = st.one_of(
    st.tuples(st.sampled_from([Play.enqueue, Play.take_over]), st.integers(0, len(TARGETS) - 1)),
    st.tuples(st.just(Play.claim), st.integers(1, len(TARGETS))),
    st.tuples(st.sampled_from([Play.finish, Play.retry]), st.integers(0, 5)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, min_size=15, max_size=40))
def test_whatever_happens_no_job_is_lost_and_none_is_finished_by_two(
    ledger_database: Database, operations: list[tuple[Callable[[Play, int], None], int]]
) -> None:
    with ledger_database.writer.connect() as connection:
        play = Play(connection)
        for operation, number in operations:
            operation(play, number)
            known = {TARGETS.index(row.target_id) for row in connection.execute(select(Job.target_id))}
            assert known == play.asked.keys()
        connection.rollback()
