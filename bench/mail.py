"""Emails a second from one worker on one core, against a stand-in SendGrid that takes its time to answer.

The worker is `careroute worker --lanes email`, kept to one core; stand-in, database and broker are on the other. What
it sends was caused by real submissions: accepted, validated, scored and referred beforehand, while the lane rested.
"""

import os
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import TypeVar

from sqlalchemy import delete, func, select

from bench import people
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from config.screening import LANGUAGES
from config.settings import MailTransport
from embedded import processes
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing, Sender, compose, to_bytes
from pipeline.email.render import Rendered, render, warm_up
from pipeline.email.samples import samples
from pipeline.engine.drain import Engine
from pipeline.intake.accept import VALIDATE_LANE, Arrival, accept
from pipeline.lanes import build_lanes
from pipeline.models import Email, LanePause
from pipeline.outreach import EMAIL_LANE
from pipeline.stages.validate import SCORE_LANE
from pipeline.status import EmailStatus
from pipeline.transports.sendgrid import SendGridTransport
from tests.servers.sendgrid import API_KEY, SendGridStandIn

T = TypeVar("T")

CAREROUTE, TEXTBOOK = "careroute", "one at a time"
READY = "ready"
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    CAREROUTE: ("cli", "worker", "--lanes", EMAIL_LANE),
    TEXTBOOK: ("bench.mail_textbook",),
}
_GIVE_UP_SECONDS = 240.0
_STOP_SECONDS = 20.0
_SETTLE_SECONDS = 1.0
_ACCEPTING_THREADS = 4

_LAST_COMMIT = """
SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM email WHERE status = 'handed_over'
"""


@dataclass(frozen=True, slots=True)
class MailPlan:
    """`submissions` cause five emails each; the textbook side gets fewer, since it takes so long."""

    submissions: int = 600
    textbook_submissions: int = 20
    rounds: int = 3
    delay_seconds: float = 0.15
    renderings: int = 400
    """How often every kind is rendered in each language, in each of the rounds."""


QUICK_MAIL_PLAN = MailPlan(submissions=60, textbook_submissions=4, rounds=1, renderings=50)


@dataclass(frozen=True, slots=True)
class Sent:
    """One backlog, sent: how many emails, in how many seconds from the word to go to the last one's commit.

    `processor_seconds` are the worker's own; `connections` is how many it opened to the stand-in.
    """

    emails: int
    seconds: float
    processor_seconds: float
    connections: int

    @property
    def rate(self) -> float:
        return self.emails / self.seconds


@dataclass(slots=True)
class Costs:
    """Microseconds an email takes on one core, for each step before the call: one figure a round."""

    rendering: list[float] = field(default_factory=list)
    composing: list[float] = field(default_factory=list)
    sendgrid: list[float] = field(default_factory=list)
    internet_message: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mail:
    plan: MailPlan
    sent: Mapping[str, list[Sent]]
    costs: Costs

    def rate(self, side: str) -> float:
        """Median emails a second."""
        return statistics.median(each.rate for each in self.sent[side])

    @property
    def ratio(self) -> float:
        return self.rate(CAREROUTE) / self.rate(TEXTBOOK)

    @property
    def renderings_per_second(self) -> float:
        return 1e6 / statistics.median(self.costs.rendering)


def measure_mail(laboratory: Laboratory, plan: MailPlan, core: int | None) -> Mail:
    """Measure by a plan, the workers on `core`. Raises `BenchFailed` if an email was not sent exactly once."""
    sent: dict[str, list[Sent]] = {CAREROUTE: [], TEXTBOOK: []}
    counts = {CAREROUTE: plan.submissions, TEXTBOOK: plan.textbook_submissions}
    for _ in range(plan.rounds):
        for side, submissions in counts.items():
            sent[side].append(_send_backlog(laboratory, side, submissions, plan.delay_seconds, core))
    return Mail(plan, sent, measure_costs(plan))


@contextmanager
def apart() -> Iterator[int | None]:
    """Inside, this process and what it starts keep to one core; yields another one, or None where there is none."""
    if not hasattr(os, "sched_setaffinity") or len(before := os.sched_getaffinity(0)) < 2:
        yield None
        return
    theirs, ours = sorted(before)[:2]
    os.sched_setaffinity(0, {ours})
    try:
        yield theirs
    finally:
        os.sched_setaffinity(0, before)


def queue_emails(context: Context, submissions: int) -> int:
    """Take in so many submissions up to their emails, which wait; returns how many those are."""
    set_lane_aside(context)
    arrivals = (Arrival(people.SOURCE, people.body(n), vendor_id=f"person-{n}") for n in range(submissions))
    with ThreadPoolExecutor(_ACCEPTING_THREADS) as pool:
        list(pool.map(lambda arrival: accept(context, arrival, lambda _lane: None), arrivals))
    engine = Engine(context.database, context.keys, build_lanes(context))
    for lane in (VALIDATE_LANE, SCORE_LANE):
        while engine.drain(lane):
            pass
    return count_emails(context, EmailStatus.QUEUED)


def set_lane_aside(context: Context) -> None:
    with context.database.write() as connection:
        pause = {"lane": EMAIL_LANE, "reason": "loading", "since": utc_now()}
        connection.execute(LanePause.table().insert(), pause)


def release_lane(context: Context) -> None:
    with context.database.write() as connection:
        connection.execute(delete(LanePause))


def count_emails(context: Context, status: EmailStatus) -> int:
    with context.database.read() as connection:
        found = connection.execute(select(func.count()).select_from(Email).where(Email.status == status))
        return int(found.scalar_one())


def _send_backlog(laboratory: Laboratory, side: str, submissions: int, delay: float, core: int | None) -> Sent:
    name = f"mail-{side}".replace(" ", "-")
    with (
        SendGridStandIn(delay_seconds=delay, openapi=None) as sendgrid,
        laboratory.fresh(name) as (context, environment),
    ):
        emails = queue_emails(context, submissions)
        with _worker(laboratory, side, {**environment, **to_stand_in(sendgrid)}, core) as process:
            return _watch(context, process, sendgrid, emails)


def to_stand_in(sendgrid: SendGridStandIn) -> dict[str, str]:
    return {
        "CAREROUTE_MAIL_TRANSPORT": MailTransport.SENDGRID.value,
        "CAREROUTE_SENDGRID_API_KEY": API_KEY,
        "CAREROUTE_SENDGRID_HOST": sendgrid.url,
        "CAREROUTE_POLL_SECONDS": "0.2",
    }


@contextmanager
def _worker(
    laboratory: Laboratory, side: str, environment: Mapping[str, str], core: int | None
) -> Iterator[Popen[bytes]]:
    """One worker process, started and at rest, on a core of its own."""
    log = laboratory.folder / "mail-worker.log"
    log.unlink(missing_ok=True)
    process = processes.spawn((sys.executable, "-m", *_COMMANDS[side]), log=log, environment=environment)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while not _is_ready(laboratory, side, log):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchFailed(f"the worker did not start. The end of its log:\n{processes.tail(log)}")
            time.sleep(0.1)
        time.sleep(_SETTLE_SECONDS)
        yield process
    finally:
        processes.stop(process, grace=_STOP_SECONDS)


def _is_ready(laboratory: Laboratory, side: str, log: Path) -> bool:
    """Whether it waits for work: ours for a message of the broker, the other one says so."""
    if side == TEXTBOOK:
        return READY in log.read_text(encoding="utf-8", errors="replace")
    return listens(laboratory)


def listens(laboratory: Laboratory) -> bool:
    """Whether one of our workers waits for a message."""
    with laboratory.broker() as client:
        return any(entry["cmd"] == "brpop" for entry in client.client_list())


def _watch(context: Context, process: Popen[bytes], sendgrid: SendGridStandIn, emails: int) -> Sent:
    before, started = _processor_seconds(process.pid), _database_time(context)
    release_lane(context)
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while (left := count_emails(context, EmailStatus.QUEUED)) > 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchFailed(f"{left} of {emails} emails were not sent")
        time.sleep(0.25)
    used = _processor_seconds(process.pid) - before
    with context.database.read() as connection:
        ended = float(connection.exec_driver_sql(_LAST_COMMIT).scalar_one())
    times = Counter(mail.email_id for mail in sendgrid.accepted)
    if sendgrid.violations or len(times) != emails or max(times.values()) != 1:
        raise BenchFailed(f"{len(times)} of {emails} emails were accepted: {sendgrid.violations[:3]}")
    return Sent(emails, ended - started, used, sendgrid.connections)


def _database_time(context: Context) -> float:
    with context.database.read() as connection:
        return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())


def _processor_seconds(pid: int) -> float:
    """Seconds of processor time a process has used; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_costs(plan: MailPlan) -> Costs:
    """What each step before the call costs on one core, over every kind in every language."""
    warm_up()
    costs = Costs()
    sender = Sender("care@careroute.example", "Example Stem Cell Network")
    transport = SendGridTransport(API_KEY, host="http://127.0.0.1:9", timeout=1)
    cases = [(kind, language, samples(kind, language)[0]) for kind in EmailKind for language in LANGUAGES]
    rendered = [render(kind, language, context) for kind, language, context in cases]
    messages = [_composed(each, sender) for each in rendered]
    for _ in range(plan.rounds):
        costs.rendering.append(_each(cases, plan.renderings, lambda case: render(*case)))
        costs.composing.append(_each(rendered, plan.renderings, lambda parts: _composed(parts, sender)))
        costs.sendgrid.append(_each(messages, plan.renderings, transport.encode))
        costs.internet_message.append(_each(messages, plan.renderings, to_bytes))
    return costs


def _composed(rendered: Rendered, sender: Sender) -> Outgoing:
    return compose(rendered, uuid.uuid4(), "person@mail.example", sender)


def _each(items: Sequence[T], times: int, step: Callable[[T], object]) -> float:
    """Microseconds of processor time that `step` takes for one item: what others do on the machine does not count."""
    started = time.thread_time()
    for _ in range(times):
        for item in items:
            step(item)
    return (time.thread_time() - started) * 1e6 / (times * len(items))
