"""The mail provider in trouble, in real time: a storm of 429, an outage, connections reset after the mail was taken.

A worker and the web are processes as in production, over PostgreSQL; the stand-in SendGrid is in this one, and posts
signed events to the web. Each trouble has a database of its own, and is over when no email has anything left to do.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import func, select

from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.mail import listens, queue_emails, release_lane, to_stand_in
from bench.parts import Figure, Part
from embedded import processes
from pipeline.context import Context
from pipeline.models import Job
from pipeline.outreach import EMAIL_LANE
from tests.end_to_end.mail_counts import MailCounts
from tests.end_to_end.running import free_port
from tests.servers.sendgrid import AcceptThenReset, EventManners, SendGridStandIn, Status

TITLE = "The email lane while the provider is in trouble"
_LANES = "email,receipts"
_LOOK_EVERY_SECONDS = 0.5
_STOP_SECONDS = 20.0
_STILL_SECONDS = 60.0
"""Beyond the longest rest of the breaker and the hold: so long without the end is a failure."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    submissions: int = 200
    storm_seconds: float = 30.0
    outage_seconds: float = 600.0
    reset_share: float = 0.05
    hold_minutes: float = 0.5
    delay_seconds: float = 0.15


QUICK_FAULT_PLAN = FaultPlan(submissions=20, storm_seconds=3, outage_seconds=6, reset_share=0.2, hold_minutes=0.05)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What became of one backlog. `attempts_lost` is the most that any job had used up while nobody held it.

    `drained_in` seconds after the trouble ended nothing was left; None where it did not end before that.
    """

    name: str
    counts: MailCounts
    attempts_lost: int
    requests: int
    seconds: float
    drained_in: float | None

    @property
    def faultless(self) -> bool:
        return not self.counts.wrong()


Begin = Callable[[SendGridStandIn], None]


def measure_mail_faults(laboratory: Laboratory, plan: FaultPlan) -> list[Trouble]:
    """All troubles, one after the other. Raises `BenchFailed` if one does not come to its end."""
    half = plan.outage_seconds / 2

    def outage(sendgrid: SendGridStandIn) -> None:
        sendgrid.pause_listening()
        time.sleep(half)
        sendgrid.always(Status(503))
        sendgrid.resume_listening()
        time.sleep(half)
        sendgrid.always(None)

    def storm(sendgrid: SendGridStandIn) -> None:
        sendgrid.storm(plan.storm_seconds)
        time.sleep(plan.storm_seconds)

    def resets(sendgrid: SendGridStandIn) -> None:
        sendgrid.sometimes(plan.reset_share, AcceptThenReset())

    share = f"{plan.reset_share:.0%} of connections reset after the mail was accepted"
    minutes = f"outage of {plan.outage_seconds / 60:g} min: refused connections, then 503"
    return [
        _suffer(laboratory, plan, f"429 for {plan.storm_seconds:.0f} s", storm, lasts=plan.storm_seconds),
        _suffer(laboratory, plan, minutes, outage, lasts=plan.outage_seconds),
        _suffer(laboratory, plan, f"{share}, with events", resets, events=True),
        _suffer(laboratory, plan, f"{share}, without events", resets),
    ]


def _suffer(
    laboratory: Laboratory, plan: FaultPlan, name: str, begin: Begin, *, events: bool = False, lasts: float = 0.0
) -> Trouble:
    port = free_port()
    with ExitStack() as undo:
        manners = EventManners(settle_seconds=1.0, shuffle=True, repeat_share=0.1)
        sendgrid = undo.enter_context(SendGridStandIn(delay_seconds=plan.delay_seconds, manners=manners))
        context, environment = undo.enter_context(laboratory.fresh("mail-faults"))
        environment |= to_stand_in(sendgrid) | {
            "CAREROUTE_PORT": str(port),
            "CAREROUTE_MAIL_HOLD_MINUTES": str(plan.hold_minutes),
            "CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS": sendgrid.public_key if events else "",
        }
        queue_emails(context, plan.submissions)
        undo.enter_context(_process(laboratory, environment, "worker", "--lanes", _LANES))
        _wait_for(lambda: listens(laboratory), "the worker does not start")
        if events:
            undo.enter_context(_process(laboratory, environment, "web"))
            _wait_for(lambda: _serves(f"http://127.0.0.1:{port}/healthz"), "the web process does not start")
            sendgrid.tell_events_to(f"http://127.0.0.1:{port}")
        trouble = threading.Thread(target=begin, args=(sendgrid,), daemon=True)
        started = time.monotonic()
        release_lane(context)
        # Some emails are on their way when it begins.
        time.sleep(min(1.0, plan.delay_seconds * 2) if lasts else 0.0)
        trouble.start()
        lost = _until_settled(context, sendgrid, lasts + plan.hold_minutes * 120 + 300 + _STILL_SECONDS)
        seconds = time.monotonic() - started
        counts = MailCounts.read(context, sendgrid)
        print(f"{name}: {counts.in_words()}", *counts.wrong()[:5], sep="\n  ", file=sys.stderr)
        return Trouble(name, counts, lost, sendgrid.requests, seconds, seconds - lasts if lasts else None)


@contextmanager
def _process(laboratory: Laboratory, environment: Mapping[str, str], *arguments: str) -> Iterator[None]:
    log = laboratory.folder / f"{arguments[0]}.log"
    process = processes.spawn((sys.executable, "-m", "cli", *arguments), log=log, environment=environment)
    try:
        yield
    finally:
        ended = process.poll()
        processes.stop(process, grace=_STOP_SECONDS)
        if ended is not None:
            raise BenchFailed(f"{arguments[0]} ended by itself. The end of its log:\n{processes.tail(log)}")


def _wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _STILL_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchFailed(otherwise)
        time.sleep(0.2)


def _serves(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _until_settled(context: Context, sendgrid: SendGridStandIn, patience: float) -> int:
    """Wait; returns the most attempts that any email had used up. Raises `BenchFailed`."""
    lost, deadline = 0, time.monotonic() + patience
    while True:
        with context.database.read() as connection:
            at_rest = Job.lease_until.is_(None)
            left = connection.execute(select(func.count()).select_from(Job).where(Job.lane.in_(_LANES.split(","))))
            used = connection.execute(select(func.max(Job.attempts)).where(Job.lane == EMAIL_LANE, at_rest)).scalar()
            lost = max(lost, used or 0)
            if left.scalar_one() == 0 and (sendgrid.events is None or sendgrid.events.wait_until_told(30)):
                return lost
        if time.monotonic() > deadline:
            raise BenchFailed(f"not settled after {patience:.0f} s: {MailCounts.read(context, sendgrid).in_words()}")
        time.sleep(_LOOK_EVERY_SECONDS)


def mail_faults_part(troubles: Sequence[Trouble], said: Sequence[str]) -> Part:
    """`said` are the conditions."""
    figures = [
        Figure(
            each.name,
            "none lost, none twice but by policy, all settled",
            each.counts.in_words(),
            each.faultless and each.attempts_lost <= 1,
        )
        for each in troubles
    ]
    rows = [
        f"| {each.name} | {each.requests} | {each.attempts_lost} | {each.seconds:.0f} s | "
        f"{'' if each.drained_in is None else f'{each.drained_in:.0f} s'} |"
        for each in troubles
    ]
    return Part(
        TITLE,
        figures,
        (
            f"One worker, PostgreSQL, a stand-in SendGrid that answers after 150 ms; {os.cpu_count()} cores for all.",
            "What was accepted is counted by email at the stand-in.\n",
            "| trouble | requests | attempts lost by any email | from first to last | drained after its end within |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            *said,
        ),
    )
