"""Running the clock as a process of its own. It needs nothing of what a worker loads."""

from celery import signals

from config.settings import Settings
from tasks.app import create_app


def run_beat(settings: Settings, broker_url: str) -> None:
    """Send the sweep on time until SIGTERM. Keeps nothing on disk: a missed tick is made good by the workers."""
    app = create_app(settings, broker_url)
    signals.setup_logging.connect(lambda **_: None, weak=False)
    app.Beat(scheduler_cls="celery.beat:Scheduler", loglevel="WARNING", pidfile=None, quiet=True).run()
