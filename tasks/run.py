"""Running a worker as a process of its own."""

import gc
import os
import socket
import warnings

from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning

from config.celeryconfig import DRAIN_TASK, SWEEP_QUEUE, SWEEP_TASK
from config.settings import Settings
from pipeline.audit.sequencer import open_sequencer
from pipeline.audit.signing import load_signer
from pipeline.context import Context, open_context
from pipeline.email.render import warm_up
from pipeline.keys import KeyPurpose
from pipeline.lane_names import JOB_LANES, LANE_NAMES, SEQUENCE_LANE
from pipeline.lanes import build_lanes
from tasks.app import create_app
from tasks.sequencing import Sequencing
from tasks.wake import Waker
from tasks.worker import Worker


class UnknownLane(ValueError):
    """A lane was asked for that this version does not have."""


def run_worker(settings: Settings, broker_url: str, lanes: tuple[str, ...]) -> None:
    """Serve `lanes` until SIGTERM.

    Raises `UnknownLane`, what `open_context` raises, and `KeyProblem` for a signing key that the lanes need.
    """
    unknown = set(lanes) - set(LANE_NAMES)
    if unknown:
        raise UnknownLane(f"no such lane: {', '.join(sorted(unknown))}; there are {', '.join(LANE_NAMES)}")
    purposes = KeyPurpose if set(lanes) & set(JOB_LANES) else frozenset({KeyPurpose.AUDIT})
    context = open_context(settings, frozenset(purposes))
    _warm_up(context, lanes)
    sequencing = _sequencing(context) if SEQUENCE_LANE in lanes else None
    # What some lane needs, such as a mail provider's key, is not asked of a process that serves none of them.
    built = build_lanes(context) if set(lanes) & set(JOB_LANES) else {}
    app = create_app(settings, broker_url)
    worker = Worker(context, built, frozenset(lanes), Waker(app, broker_url), sequencing)
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
                f"--queues={','.join((*lanes, SWEEP_QUEUE) if built else lanes)}",
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


def _sequencing(context: Context) -> Sequencing:
    """The key is only in the process that signs. Raises `KeyProblem`."""
    settings = context.settings
    signer = load_signer(settings.effective_keys_dir, create=settings.may_create_keys)
    return Sequencing(open_sequencer(context, signer))


def _warm_up(context: Context, lanes: tuple[str, ...]) -> None:
    """What is compiled once a process is compiled now, and not while the first person waits for an answer.

    The collector then leaves alone what is there to stay: going over it took a fifth of the processor time of a batch.
    """
    if "email" in lanes:
        warm_up()
    if "score" in lanes:
        with context.database.read() as connection:
            _ = context.networks.current(connection).network
    gc.collect()
    gc.freeze()
