"""The Celery application: one task."""

import uuid
from functools import cache

from celery import Celery
from sqlalchemy.exc import OperationalError

from bench.tuned.journey import Journey
from config.settings import Settings
from pipeline.context import open_context

QUEUE = "tuned"
TASK = "tuned.journey"
PREFETCHED = 16


@cache
def journey() -> Journey:
    """Opened once per process, after the fork, from `CAREROUTE_*`."""
    return Journey(open_context(Settings()))


def create_app(broker_url: str) -> Celery:
    """Late acknowledgement and no results, as the textbook's; each thread has `PREFETCHED` messages fetched ahead."""
    app = Celery("tuned", broker=broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=PREFETCHED,
        worker_send_task_events=False,
        worker_disable_rate_limits=True,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
    )
    app.task(name=TASK, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=5)(take)
    return app


def start(app: Celery, submission_id: uuid.UUID, queue: str = QUEUE) -> None:
    """Send a kept submission on its way."""
    app.send_task(TASK, args=(str(submission_id),), queue=queue)


def take(submission_id: str) -> None:
    journey().take(uuid.UUID(submission_id))
