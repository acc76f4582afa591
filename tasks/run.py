"""Running a worker as a process of its own."""

import os
import socket
import warnings

from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning

from config.celeryconfig import DRAIN_TASK, SWEEP_QUEUE, SWEEP_TASK
from config.settings import Settings
from pipeline.context import Context, open_context
from pipeline.email.render import warm_up
from pipeline.lane_names import LANE_NAMES
from pipeline.lanes import build_lanes
from tasks.app import create_app
from tasks.wake import Waker
from tasks.worker import Worker


class UnknownLane(ValueError):
    """A lane was asked for that this version does not have."""


def run_worker(settings: Settings, broker_url: str, lanes: tuple[str, ...]) -> None:
    """Serve `lanes` until SIGTERM. Raises `UnknownLane`, and what `open_context` raises."""
    unknown = set(lanes) - set(LANE_NAMES)
    if unknown:
        raise UnknownLane(f"no such lane: {', '.join(sorted(unknown))}; there are {', '.join(LANE_NAMES)}")
    context = open_context(settings)
    _warm_up(context, lanes)
    app = create_app(settings, broker_url)
    worker = Worker(context, build_lanes(context), frozenset(lanes), Waker(app, broker_url))
    register(app, worker)
    signals.setup_logging.connect(lambda **_: None, weak=False)
    signals.worker_shutting_down.connect(lambda **_: worker.stop(), weak=False)
    # It warns root of pickled messages; ours are JSON, and carry a lane's name.
    warnings.simplefilter("ignore", SecurityWarning)
    app.steps["worker"].add(_looking(worker))
    try:
        app.worker_main(
            [
                "--quiet",
                "worker",
                "--pool=threads",
                "--concurrency=1",
                f"--queues={','.join((*lanes, SWEEP_QUEUE))}",
                f"--hostname=careroute-{os.getpid()}@{socket.gethostname()}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                "--loglevel=WARNING",
            ]
        )
    finally:
        worker.close()


def register(app: Celery, worker: Worker) -> None:
    """Give the app its tasks, done by `worker`."""

    @app.task(name=DRAIN_TASK, shared=False)  # type: ignore[untyped-decorator]
    def drain(lane: str) -> None:
        worker.drain(lane)

    @app.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]
    def sweep() -> None:
        worker.sweep()


def _looking(worker: Worker) -> type[bootsteps.StartStopStep]:
    """Begin to look for work, broker or not, once Celery handles SIGTERM: before, it would end us in the middle."""

    class Looking(bootsteps.StartStopStep):  # type: ignore[misc]
        def start(self, _parent: object) -> None:
            worker.start()

    return Looking


def _warm_up(context: Context, lanes: tuple[str, ...]) -> None:
    """What is compiled once a process is compiled now, and not while the first person waits for an answer."""
    if "email" in lanes:
        warm_up()
    if "score" in lanes:
        with context.database.read() as connection:
            _ = context.networks.current(connection).network
