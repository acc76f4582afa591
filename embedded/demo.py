"""The demo: the whole of Careroute on this machine, fictional people's submissions posted over HTTP, and a verdict.

Reading order: here (the run), `demo_people` (who they are), `demo_forms` (what their web forms send), `demo_posting`
(sending it), `demo_judgement` (what became of it). How it looks in a terminal is in `cli.demo`.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, literal_column, or_, select

from config.celeryconfig import DRAIN_TASK
from config.screening import load_screening
from config.settings import MailTransport, Settings
from config.sources import load_sources
from embedded.demo_forms import Forms
from embedded.demo_judgement import Judgement, judge
from embedded.demo_people import person
from embedded.demo_port import keep_port
from embedded.demo_posting import Poster, Result
from embedded.failures import StackFailed
from embedded.mailbox_access import mailbox_access
from embedded.source_secrets import source_secrets
from embedded.stack import EmbeddedStack
from embedded.valkey import EmbeddedBroker
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.db import Database, UtcDateTime, clock
from pipeline.lane_names import JOB_LANES
from pipeline.models import AuditPending, Email, Job, Submission
from pipeline.referral import REFER_LANE
from pipeline.status import EmailStatus, SubmissionStatus
from tasks.app import create_app
from tasks.wake import redis_client

MARKER = ".careroute-demo"
_MARKER_TEXT = "A Careroute demo: everything in this folder is fictional and removed when the next demo starts.\n"
_LOOK_EVERY_SECONDS = 0.25
_WORKERS_SECONDS = 60.0
_CHECKPOINT_SECONDS = 1.0
"""Nobody watches a demo for a minute to see its log signed."""
_SIGNING_SECONDS = 10.0
"""So long the end waits for the log to be signed; after that it says how far it is."""
_PATIENCE_SECONDS = 120.0
"""Without any change for so long, the demo stops waiting and says what is unfinished."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the run is. `finished` submissions have their outcome, `open_jobs` are due, in work or to be retried."""

    wanted: int
    posted: int = 0
    finished: int = 0
    emails: int = 0
    open_jobs: int = 0

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do now."""
        return self.posted == self.wanted and self.open_jobs == 0


@dataclass(frozen=True, slots=True)
class Demo:
    """A prepared run: `settings` and the processes' `environment` are its own, whatever the machine's are.

    `mailbox_path` is the mailbox page's, with the token that opens it.
    """

    settings: Settings
    environment: Mapping[str, str]
    mailbox_path: str

    @contextmanager
    def stack(self, report: Callable[[str], None]) -> Iterator[EmbeddedStack]:
        """The processes, with a broker of their own, all of them at work."""
        folder, port = self.settings.data_dir, self.settings.port
        with EmbeddedStack(folder, port=port, environment=self.environment, report=report) as stack:
            _wait_for_workers(self.settings, stack)
            yield stack

    def run(self, stack: EmbeddedStack, count: int, show: Callable[[Progress], None]) -> Judgement:
        """Post `count` submissions and some repeats, wait until all is settled, and judge.

        `show` gets the progress several times a second. Raises `SupervisorFailed` if a process cannot be kept running,
        and `NoSuchSource`.
        """
        screening = load_screening(self.settings.screening_file)
        sources = load_sources(self.settings.sources_file, {**os.environ, **self.environment}, screening)
        forms = Forms.of(screening, sources)
        deliveries = [forms.delivery(person(number, screening)) for number in range(count)]
        repeats = [delivery for delivery in deliveries if delivery.number in {0, 1}]
        poster, stopped = Poster(stack.url), threading.Event()

        def post_all() -> tuple[Sequence[Result], Sequence[Result]]:
            return poster.post(deliveries, stopped.is_set), poster.post(repeats, stopped.is_set)

        def look() -> Progress:
            # Counted before the jobs are: a submission counted as posted has its job in the database by now.
            posted = poster.posted
            if posting.done():
                posting.result()  # raises what the thread raised
            return _look(database, Progress(len(deliveries) + len(repeats), posted))

        database = Database(self.settings.effective_database_url)
        with ThreadPoolExecutor(1, thread_name_prefix="forms") as thread:
            posting = thread.submit(post_all)
            try:
                self._wait(stack, look, show)
                _wait_for_signature(database, stack)
                return judge(self.settings, database, *posting.result())
            finally:
                stopped.set()
                database.dispose()

    def _wait(self, stack: EmbeddedStack, look: Callable[[], Progress], show: Callable[[Progress], None]) -> None:
        """Until nothing is left to do, or nothing has changed for too long."""
        seen, changed_at = None, time.monotonic()
        while True:
            stack.check()
            progress = look()
            show(progress)
            if progress.settled:
                return
            if progress != seen:
                seen, changed_at = progress, time.monotonic()
            elif time.monotonic() - changed_at > _PATIENCE_SECONDS:
                return
            time.sleep(_LOOK_EVERY_SECONDS)


def prepare_demo(settings: Settings, folder: Path | None) -> Demo:
    """A demo in `folder`, or in the data directory's `demo`, emptied first; on a port of its own unless one is set.

    The database, the keys, the broker and the mailbox are always the folder's: nothing of a real installation is read
    or written, and no email leaves the machine. Raises `StackFailed` for a folder that is in use or not a demo's.
    """
    folder = (folder or settings.data_dir / "demo").resolve()
    _empty(folder)
    port = settings.port if "port" in settings.model_fields_set else _free_port()
    own = Settings(
        data_dir=folder,
        database_url="",
        broker_url="",
        keys_dir=folder / "keys",
        port=port,
        host="127.0.0.1",
        public_url="",
        checkpoint_seconds=_CHECKPOINT_SECONDS,
        mail_transport=MailTransport.MAILBOX,
        mailbox_dir=folder / "mailbox",
    )
    keep_port(folder, port)
    mailbox = mailbox_access(own)
    environment = {
        "CAREROUTE_DATABASE_URL": "",
        "CAREROUTE_KEYS_DIR": str(own.keys_dir),
        "CAREROUTE_HOST": own.host,
        "CAREROUTE_PUBLIC_URL": "",
        "CAREROUTE_CHECKPOINT_SECONDS": str(own.checkpoint_seconds),
        "CAREROUTE_MAIL_TRANSPORT": own.mail_transport.value,
        "CAREROUTE_MAILBOX_DIR": str(own.mailbox_dir),
        **mailbox.environment,
        **source_secrets(own).environment,
    }
    return Demo(own, environment, mailbox.path)


def _wait_for_workers(settings: Settings, stack: EmbeddedStack) -> None:
    """Until each lane's worker has taken a message, so that the times to be shown are not those of its start."""
    broker_url = stack.environment["CAREROUTE_BROKER_URL"]
    app, client = create_app(settings, broker_url), redis_client(broker_url)
    for lane in JOB_LANES:
        app.send_task(DRAIN_TASK, args=(lane,), queue=lane, ignore_result=True)
    deadline = time.monotonic() + _WORKERS_SECONDS
    # In Redis a Celery queue is a list of that name.
    while client is not None and any(client.llen(lane) for lane in JOB_LANES) and time.monotonic() < deadline:
        stack.check()
        time.sleep(0.1)


def _wait_for_signature(database: Database, stack: EmbeddedStack) -> None:
    """Until a checkpoint covers every record, or for so long."""
    deadline = time.monotonic() + _SIGNING_SECONDS
    while time.monotonic() < deadline:
        stack.check()
        with database.read() as connection:
            log = current_log(connection)
            signed = None if log is None else latest_checkpoint(connection, log.number)
            waiting = connection.execute(select(func.count()).select_from(AuditPending.table())).scalar_one()
        if not waiting and log is not None and signed is not None and signed.size == log.size:
            return
        time.sleep(_LOOK_EVERY_SECONDS)


def _empty(folder: Path) -> None:
    """Make the folder an empty demo folder. Only what carries our mark is ever removed."""
    marker = folder / MARKER
    if folder.exists() and not marker.is_file() and any(folder.iterdir()):
        raise StackFailed(f"{folder} is not empty and no demo made it. Choose another folder with --data-dir.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker.write_text(_MARKER_TEXT, encoding="utf-8")
    broker, broker_folder = EmbeddedBroker(folder), folder / "broker"
    broker.claim()  # refuses while another demo runs here
    try:
        for path in folder.iterdir():
            if path.name not in {MARKER, broker_folder.name}:
                _remove(path)
        for path in broker_folder.iterdir():
            if path.is_dir():  # beside them is the lock that we hold
                _remove(path)
    finally:
        broker.release()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _look(database: Database, so_far: Progress) -> Progress:
    unfinished = (SubmissionStatus.RECEIVED, SubmissionStatus.VALID)
    with database.read() as connection:
        now = literal_column(clock(connection), UtcDateTime())
        # A referral that waits for its time, or for room at a provider, is settled for now.
        open_jobs = select(func.count()).where(or_(Job.lane != REFER_LANE, Job.due_at <= now))
        finished = select(func.count()).where(Submission.status.not_in(unfinished))
        emails = select(func.count()).where(Email.status == EmailStatus.HANDED_OVER)
        return replace(
            so_far,
            finished=connection.execute(finished).scalar_one(),
            emails=connection.execute(emails).scalar_one(),
            open_jobs=connection.execute(open_jobs).scalar_one(),
        )
