"""What processes do until they end at a failpoint (`tests.support.crashing`), each over an installation's settings."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from config.settings import Settings
from pipeline import ledger, rewrapping
from pipeline.audit import actions
from pipeline.audit.sequencer import open_sequencer
from pipeline.audit.signing import load_signer
from pipeline.context import Context, open_context
from pipeline.engine.drain import Engine
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Stage, Verdict
from pipeline.engine.sweep import sweep
from pipeline.erasure.erasing import erase_now
from pipeline.erasure.journal import Cause
from pipeline.intake.accept import Kept, accept
from pipeline.keys import KeyFolder, KeyPurpose
from pipeline.lane_names import JOB_LANES
from pipeline.lanes import build_lanes
from pipeline.ledger import ClaimedJob
from pipeline.operations.key_rotation import Rotation
from pipeline.scoring.geography import place
from pipeline.unit_of_work import UnitOfWork
from tasks.app import create_app
from tasks.wake import Waker
from tests.support.submissions import arrival

Answers = Mapping[str, Any]

# Has all ZIP codes read, which takes longer than most lives, in the process that the others are forked from.
place("US", "10001")


class Clients:
    """Senders that repeat what they got no answer to, under the same key. `told` outlives the process."""

    def __init__(self, folder: Path, people: Sequence[Answers]) -> None:
        self._answers = folder / "answers"
        self._people = people

    @property
    def told(self) -> list[uuid.UUID]:
        """The ids that were answered 2xx."""
        return [uuid.UUID(line) for line in self._answers.read_text().split()] if self._answers.exists() else []

    def send(self, context: Context, wake: Waker) -> None:
        """Send what was not answered yet."""
        for number in range(len(self.told), len(self._people)):
            kept = accept(context, arrival(dict(self._people[number]), idempotency_key=f"r-{number}"), wake)
            assert isinstance(kept, Kept)
            with self._answers.open("a") as file:
                file.write(f"{kept.submission_id}\n")


def take_in_and_work(settings: Settings, broker_url: str, clients: Clients, *, bulk_breaks: bool) -> None:
    """Web, beat and worker in one: take people in, sweep up after a worker that died, work on every lane."""
    context = open_context(settings)
    waker = Waker(create_app(settings, broker_url), broker_url)
    clients.send(context, waker)
    waker.close()
    waker = Waker(create_app(settings, broker_url), broker_url)
    lanes = build_lanes(context)
    if bulk_breaks:
        lanes = {name: replace(lane, stage=_NeverInBulk(lane.stage)) for name, lane in lanes.items()}
    with context.database.write() as connection:
        ledger.claim(connection, lane="validate", limit=1, lease_seconds=-1)
    sweep(context.database, context.keys, lanes, 0)
    engine = Engine(context.database, context.keys, lanes, wake=waker)
    for lane in JOB_LANES:
        engine.drain(lane)
    waker.close()


class _NeverInBulk(Stage):
    """As if one row's data broke whatever several are written with."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Any]:
        return self._stage.load(connection, jobs)

    def work(self, item: Any) -> Any:
        return self._stage.work(item)

    def perform(self, jobs: Sequence[ClaimedJob], items: Mapping[int, Any], lease: Lease) -> Iterator[list[Verdict]]:
        return self._stage.perform(jobs, items, lease)

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        if len(verdicts) > 1:
            raise ValueError("bulk")
        self._stage.record(unit, verdicts)


def sequence(settings: Settings) -> None:
    """A turn of the sequencer, and a checkpoint."""
    context = open_context(settings)
    running = open_sequencer(context, load_signer(settings.effective_keys_dir))
    running.turn()
    running.sign()


def erase(settings: Settings, submission_id: uuid.UUID) -> None:
    """A person's request to be erased."""
    erase_now(open_context(settings), actions.staff("tests"), [submission_id], Cause.REQUEST)


def rotate(settings: Settings, steps: Sequence[str]) -> None:
    """Steps of a rotation of the vault keyset: `add`, `promote`, `rewrap`, which takes them one by one."""
    context, folder = open_context(settings), KeyFolder(settings.effective_keys_dir)
    rotation = Rotation(context.database, context.keys, actions.staff("tests"), folder)
    for step in steps:
        if step == "rewrap":
            rewrapping.BATCH = 1
            rewrapping.rewrap(context.database, context.keys, actions.staff("tests"), folder)
        else:
            {"add": rotation.add, "promote": rotation.promote}[step](KeyPurpose.VAULT)
