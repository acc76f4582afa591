"""The lane `sequence` in a worker, as threads of this process."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.audit.sequencer import Sequencer
from pipeline.audit.signing import PRIVATE_FILE, create_signing_key
from pipeline.context import Context
from pipeline.keys import KeyProblem
from pipeline.lane_names import SEQUENCE_LANE
from pipeline.models import AuditCheckpoint, AuditPending, Heartbeat
from tasks.app import create_app
from tasks.run import run_worker
from tasks.sequencing import Sequencing
from tasks.wake import Waker
from tasks.worker import Worker
from tests.servers.waiting import eventually
from tests.support.installations import Installation
from tests.support.log import check_log, record, sequencer
from tests.support.submissions import submit
from tests.support.work import count, jobs

NOBODY = "redis://127.0.0.1:1/0"
Make = Callable[[Context, Sequencer], Worker]


@pytest.fixture
def make(sqlite_context: Context) -> Iterator[Make]:
    """Makes workers of the lane `sequence` only."""
    made: list[tuple[Worker, Waker]] = []

    def make(context: Context, sequencer: Sequencer) -> Worker:
        waker = Waker(create_app(context.settings, NOBODY), NOBODY)
        worker = Worker(context, {}, frozenset({SEQUENCE_LANE}), waker, Sequencing(sequencer))
        made.append((worker, waker))
        return worker

    yield make
    for worker, waker in made:
        worker.close()
        waker.close()


def test_a_worker_that_only_sequences_does_that_and_nothing_else(make: Make, sqlite_context: Context) -> None:
    submit(sqlite_context)
    worker = make(sqlite_context, sequencer(sqlite_context))
    worker.start()
    assert eventually(lambda: count(sqlite_context.database, AuditCheckpoint.table()) == 1)
    assert not count(sqlite_context.database, AuditPending.table())
    worker.drain("validate")
    worker.drain(SEQUENCE_LANE)
    assert len(jobs(sqlite_context.database, "validate")) == 1
    assert not count(sqlite_context.database, Heartbeat.table()), "it neither sweeps"


def test_what_was_recorded_by_the_end_is_covered_by_the_last_checkpoint(make: Make, sqlite_context: Context) -> None:
    worker = make(sqlite_context, sequencer(sqlite_context))
    worker.start()
    for _ in range(3):
        record(sqlite_context, None, None)
    worker.close()
    check_log(sqlite_context)


def test_after_a_full_batch_the_next_one_does_not_wait(
    make: Make, sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.sequencing.TURN_SECONDS", 3600.0)
    record(sqlite_context, *[None] * 9)
    running = sequencer(sqlite_context)
    running._batch = 2
    make(sqlite_context, running).start()
    assert eventually(lambda: not count(sqlite_context.database, AuditPending.table()))


def test_a_look_that_fails_is_followed_by_others(
    make: Make, sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = sequencer(sqlite_context)
    looks = []

    def fail() -> None:
        looks.append(1)
        raise RuntimeError

    monkeypatch.setattr(running, "look", fail)
    worker = make(sqlite_context, running)
    worker.start()
    assert eventually(lambda: len(looks) > 1)
    worker.close()
    check_log(sqlite_context)


def test_without_its_key_the_process_does_not_start_and_says_what_is_missing(
    sqlite_installation: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "other keys"
    shutil.copytree(sqlite_installation.keys_dir, folder)
    create_signing_key(folder)
    (folder / PRIVATE_FILE).unlink()
    elsewhere = sqlite_installation.settings(keys_dir=folder, database_url=f"sqlite:///{tmp_path / 'careroute.db'}")
    with pytest.raises(KeyProblem, match=f"{folder / PRIVATE_FILE} is missing"):
        run_worker(elsewhere, NOBODY, ("validate", SEQUENCE_LANE))
