"""Claims are as large as what a batch can do in a short time."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from pipeline.db import Database
from pipeline.engine import pace
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from tests.support.probe import Probe, ProbeStage


class SlowStage(ProbeStage):
    """Takes a while for each job, and notes how many it is given at a time."""

    claimed: list[int]

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, uuid.UUID]:
        self.claimed.append(len(jobs))
        return super().load(connection, jobs)

    def work(self, item: uuid.UUID) -> str | None:
        time.sleep(0.002)
        return super().work(item)


@pytest.mark.parametrize(("seconds", "sizes"), [(0.001, [40, 8, 8, 8, 8, 8]), (600.0, [40, 40])])
def test_a_lane_whose_jobs_take_long_is_claimed_in_small_batches_and_all_is_done(
    sqlite_database: Database, keys: Keys, monkeypatch: pytest.MonkeyPatch, seconds: float, sizes: list[int]
) -> None:
    monkeypatch.setattr(pace, "BATCH_SECONDS", seconds)
    probe = Probe(sqlite_database, keys)
    probe.stage = SlowStage()
    probe.stage.claimed = []
    probe.lane = replace(probe.lane, stage=probe.stage, batch_size=40)
    targets = [uuid.uuid4() for _ in range(80)]
    probe.enqueue(*targets)
    probe.engine().drain(probe.lane.name)
    assert probe.stage.claimed == sizes
    assert probe.done() == dict.fromkeys(targets, 1)


@pytest.mark.parametrize(
    ("batches", "size"),
    [([], 250), ([(250, 0.5)], 250), ([(250, 12.5)], 100), ([(1, 60.0)], 8), ([(1, 0.09)] * 20, 250)],
)
def test_the_size_follows_the_time_that_jobs_took(batches: list[tuple[int, float]], size: int) -> None:
    measured = pace.Pace()
    for jobs, seconds in batches:
        measured.note(jobs, seconds)
    assert measured.batch_size(250) == size


def test_a_slow_start_is_soon_forgotten() -> None:
    measured = pace.Pace()
    measured.note(1, 6.0)
    for _ in range(5):
        measured.note(measured.batch_size(250), 0.1)
    assert measured.batch_size(250) == 250


def test_a_lane_of_small_batches_stays_small() -> None:
    measured = pace.Pace()
    measured.note(3, 60.0)
    assert measured.batch_size(3) == 3
