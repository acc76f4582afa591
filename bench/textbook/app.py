"""The Celery application: three tasks, a chain, a group."""

import uuid
from dataclasses import dataclass
from functools import cache

from celery import Celery, Task, chain, group
from celery.canvas import Signature
from sqlalchemy.exc import OperationalError

from bench.textbook.scoring import score_one
from bench.textbook.sending import NotAccepted, send_one
from bench.textbook.validating import validate_one
from config.settings import Settings
from pipeline.context import Context, open_context
from pipeline.stages.deliver import DeliverStage
from pipeline.stages.score import ScoreStage
from pipeline.stages.validate import ValidateStage
from pipeline.transports import Transport, open_transport

QUEUE = "textbook"
VALIDATE, SCORE, SEND = "textbook.validate", "textbook.score", "textbook.send"


@dataclass(frozen=True, slots=True)
class Tools:
    """What the tasks of one process share."""

    context: Context
    transport: Transport
    validate: ValidateStage
    score: ScoreStage
    deliver: DeliverStage


@cache
def tools() -> Tools:
    """Opened once per process, after the fork, from `CAREROUTE_*`."""
    context = open_context(Settings())
    transport = open_transport(context.settings)
    return Tools(context, transport, ValidateStage(context), ScoreStage(context), DeliverStage(context, transport))


def create_app(broker_url: str) -> Celery:
    """Late acknowledgement, one message at a time, no results: as advised for work that must not be lost."""
    app = Celery("textbook", broker=broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
    )
    again = {"autoretry_for": (OperationalError, NotAccepted), "retry_backoff": True, "max_retries": 5}
    app.task(name=VALIDATE, bind=True, **again)(validate)
    app.task(name=SCORE, bind=True, **again)(score)
    app.task(name=SEND, **again)(send)
    return app


def start(app: Celery, submission_id: uuid.UUID, queue: str = QUEUE) -> None:
    """Send a kept submission on its way."""
    names = (VALIDATE, SCORE)
    steps = [app.signature(name, args=(str(submission_id),), immutable=True) for name in names]
    chain(*steps, app=app).apply_async(queue=queue)


def validate(self: Task, submission_id: str) -> None:
    own = tools()
    go_on, emails = validate_one(own.context, own.validate, uuid.UUID(submission_id))
    _send_all(self.app, submission_id, emails)
    if not go_on:
        self.request.chain = None


def score(self: Task, submission_id: str) -> None:
    own = tools()
    _send_all(self.app, submission_id, score_one(own.context, own.score, uuid.UUID(submission_id)))


def send(submission_id: str, email_id: str) -> None:
    own = tools()
    send_one(own.context, own.deliver, own.transport, uuid.UUID(submission_id), uuid.UUID(email_id))


def _send_all(app: Celery, submission_id: str, email_ids: list[str]) -> None:
    tasks: list[Signature] = [app.signature(SEND, args=(submission_id, id_), immutable=True) for id_ in email_ids]
    if len(tasks) == 1:
        tasks[0].apply_async()
    elif tasks:
        group(tasks, app=app).apply_async()
