"""Whatever is killed, stopped or emptied in the middle: nothing is lost, and nothing happens twice."""

import random
import time
from typing import Any

from pipeline.context import Context
from pipeline.models import AuditPending
from pipeline.status import EmailStatus
from tests.end_to_end.catching import held_tokens, in_a_call, stop_at_work
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.mail_counts import MailCounts
from tests.end_to_end.people import Request, to_api, to_hook
from tests.end_to_end.running import Running, within
from tests.end_to_end.sending import Sender
from tests.servers.redis import RedisServer
from tests.servers.sendgrid import API_KEY, SendGridStandIn
from tests.support.installations import Installation
from tests.support.submissions import person
from tests.support.work import table

PEOPLE = 60
TWICE = 3
"""How many of them send a second form about the same condition."""
REFUSED = 6
"""How many of them are told to correct something."""
_VARIETY: tuple[dict[str, Any], ...] = (
    {},
    {"condition": "knee_osteoarthritis"},
    {"language": "en", "contraindications": ["active_cancer"]},
    {"condition": "other", "condition_other": "something rare"},
)
SEED = 20261122

# An email is not started unless the lease outlasts its calls: time-out * rounds of calls + 5 seconds.
MAILBOX = {"LEASE_SECONDS": "8", "MAIL_TIMEOUT_SECONDS": "0.5"}
SENDGRID = {
    "LEASE_SECONDS": "10",
    "MAIL_TIMEOUT_SECONDS": "0.5",
    "MAIL_TRANSPORT": "sendgrid",
    "MAIL_CONCURRENCY": "8",  # so that few emails are in one slice, and few in doubt when it is cut off
    "MAIL_HOLD_MINUTES": "0.02",
    "SENDGRID_API_KEY": API_KEY,
}


def test_embedded_every_email_exists_once(sqlite_installation: Installation, broker: RedisServer) -> None:
    """SQLite, the bundled Valkey and a mailbox."""
    core = sqlite_installation.context()
    with Running(sqlite_installation, broker.celery_url, MAILBOX) as running:
        evidence = ordeal(running, broker, core, mid_call=False)
        assert {row.status for row in evidence.emails} == {EmailStatus.HANDED_OVER}
        files = [path.stem for path in running.mailbox.glob("*.eml")]
        assert sorted(files) == sorted(str(row.id) for row in evidence.emails)


def test_in_production_every_email_is_sent_once_or_again_by_policy_or_listed_as_uncertain(
    postgresql_installation: Installation, broker: RedisServer, sendgrid: SendGridStandIn
) -> None:
    """PostgreSQL, Redis and a provider that answers over HTTP."""
    core = postgresql_installation.context()
    with Running(postgresql_installation, broker.celery_url, {**SENDGRID, "SENDGRID_HOST": sendgrid.url}) as running:
        ordeal(running, broker, core, mid_call=True)
    assert not sendgrid.violations
    counts = MailCounts.read(core, sendgrid)
    assert counts.wrong() == []
    # The worker was stopped in the middle of calls, so there are some; most emails have nothing to do with that.
    assert 0 < len(counts.unknown) < len(counts.emails) / 2


def ordeal(running: Running, broker: RedisServer, core: Context, *, mid_call: bool) -> Evidence:
    """Everything that may go wrong at once, then quiet. Returns what has come of it, checked for what always holds."""
    chance, database = random.Random(SEED), core.database
    running.start_worker("sleeper")
    running.start_web()
    with Sender(running, requests(), chance, pause=0.12) as sender:
        held = stop_at_work(running, "sleeper", chance, database, in_a_call if mid_call else held_tokens)
        running.start_worker("victim")
        running.start_beat()
        broker.flushall()
        stop_at_work(running, "victim", chance, database, besides=held)
        running.kill("victim")
        running.start_worker("survivor")
        running.kill("web")
        running.start("web", "web")
        broker.restart()
        assert within(lambda: held.isdisjoint(held_tokens(database))), "nobody took over from the stopped worker"
        running.thaw("sleeper")
        broker.flushall()
        time.sleep(chance.uniform(0.2, 1.0))
        running.kill("sleeper")
    accepted = sender.accepted()
    assert len(set(accepted.values())) == len(accepted)
    assert within(lambda: drained(database)), Evidence(core).first_left()
    assert within(lambda: not table(database, AuditPending.table())), "records were not put into the log"
    evidence = Evidence(core)
    evidence.check(accepted.values())
    assert evidence.statuses["duplicate"] == TWICE
    assert evidence.statuses["rejected"] == REFUSED
    return evidence


def requests() -> list[Request]:
    """Half to the API, half signed webhooks, in an order of their own."""
    people = [person(number, **_VARIETY[number % len(_VARIETY)]) for number in range(PEOPLE - TWICE)]
    for answers in people[:REFUSED]:
        del answers["consent_share"]
    all_answers = [*people, *people[-TWICE:]]
    doors = (to_api, to_hook)
    found = [doors[number % 2](f"r-{number}", answers) for number, answers in enumerate(all_answers)]
    random.Random(SEED).shuffle(found)
    return found
