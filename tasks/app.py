"""The Celery application."""

from celery import Celery

from config.celeryconfig import celery_settings
from config.settings import Settings


def create_app(settings: Settings, broker_url: str) -> Celery:
    """An app that can publish; `tasks.run.register` makes it one that can consume."""
    app = Celery("careroute")
    app.conf.update(celery_settings(settings, broker_url))
    return app
