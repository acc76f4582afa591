"""Program: what is left of the pipeline without a queue, as the limit that a queue can come near to.

A worker that is told to begin reads which submissions were kept, takes its part of them, and walks over it batch by
batch, in the order in which the engine would: validate, the confirmations, score, the other emails. The stages and
their statements are the pipeline's, and every transaction that makes something true is durable. There are no job rows,
no claims, no leases, no holding, no finishing, no wake-ups and no polls.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import TimeoutError as NothingSaid
from sqlalchemy import Connection, select

from bench.direct import job_for, run_stage
from bench.doors import UnqueuedDoor, broker_client
from config.settings import Settings
from pipeline import ledger
from pipeline.context import Context, open_context
from pipeline.email.render import warm_up
from pipeline.engine.lane import Lane
from pipeline.intake.accept import VALIDATE_LANE
from pipeline.lanes import build_lanes
from pipeline.ledger import ClaimedJob
from pipeline.models import Submission
from pipeline.outreach import EMAIL_LANE
from pipeline.stages.validate import SCORE_LANE
from pipeline.status import SubmissionStatus

BATCH = 250


def without_holds() -> None:
    """The email stage makes sure that its jobs are still held: here they are nobody else's."""

    def hold(connection: Connection, jobs: Sequence[ClaimedJob]) -> dict[int, int]:  # noqa: ARG001
        return {job.id: job.generation for job in jobs}

    ledger.hold = hold


def walk(context: Context, lanes: Mapping[str, Lane], submission_ids: Sequence[uuid.UUID]) -> None:
    """Do all of the work for them."""
    for start in range(0, len(submission_ids), BATCH):
        batch = [job_for(VALIDATE_LANE, id_, id_) for id_ in submission_ids[start : start + BATCH]]
        asked = run_stage(context, lanes[VALIDATE_LANE].stage, batch)
        _send(context, lanes, asked)
        scored = run_stage(context, lanes[SCORE_LANE].stage, [job for job in asked if job.lane == SCORE_LANE])
        _send(context, lanes, scored)


def _send(context: Context, lanes: Mapping[str, Lane], asked: Sequence[ClaimedJob]) -> None:
    """As many at once as the engine would claim."""
    emails, lane = [job for job in asked if job.lane == EMAIL_LANE], lanes[EMAIL_LANE]
    for start in range(0, len(emails), lane.batch_size):
        run_stage(context, lane.stage, emails[start : start + lane.batch_size])


def part_of(context: Context, part: int, parts: int) -> list[uuid.UUID]:
    """The submissions that nothing was done for yet, as far as they are this worker's."""
    received = Submission.status == SubmissionStatus.RECEIVED.value
    with context.database.read() as connection:
        ids = list(connection.execute(select(Submission.id).where(received).order_by(Submission.id)).scalars())
    return ids[len(ids) * part // parts : len(ids) * (part + 1) // parts]


def serve(context: Context, client: Redis) -> None:
    """Walk whenever told to, until the process is ended."""
    lanes = build_lanes(context)
    with context.database.read() as connection:
        _ = context.networks.current(connection).network
    while True:
        try:
            said: Any = client.brpop([UnqueuedDoor.SIGNAL])
        except NothingSaid:
            continue
        part, _, parts = said[1].decode().partition("/")
        walk(context, lanes, part_of(context, int(part), int(parts)))


if __name__ == "__main__":
    warm_up()
    without_holds()
    settings = Settings()
    serve(open_context(settings), broker_client(settings.broker_url))
