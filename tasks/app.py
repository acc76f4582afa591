"""The Celery application and its two tasks."""

from celery import Celery

from config.celeryconfig import DRAIN_TASK, SWEEP_TASK, celery_settings
from config.settings import Settings
from tasks.worker import Worker


def create_app(settings: Settings, broker_url: str) -> Celery:
    """An app that can publish; `register` makes it one that can consume."""
    app = Celery("careroute")
    app.conf.update(celery_settings(settings, broker_url))
    return app


def register(app: Celery, worker: Worker) -> None:
    """Give the app its tasks, done by `worker`."""

    @app.task(name=DRAIN_TASK, shared=False)  # type: ignore[untyped-decorator]
    def drain(lane: str) -> None:
        worker.drain(lane)

    @app.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]
    def sweep() -> None:
        worker.sweep()
