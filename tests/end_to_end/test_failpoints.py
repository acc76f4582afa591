"""Wherever the process ends on a submission's way, another one goes on: nothing is lost, and nothing happens twice."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest
import redis

from config.settings import MailTransport, Settings
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.lane_names import LANE_NAMES
from pipeline.lanes import build_lanes
from pipeline.status import EmailStatus
from tasks.app import create_app
from tasks.wake import KEY_SECONDS, Waker
from tasks.worker import Worker
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.mail_counts import MailCounts
from tests.end_to_end.running import within
from tests.servers.redis import RedisServer
from tests.servers.sendgrid import API_KEY, SendGridStandIn
from tests.support.crashing import crash
from tests.support.installations import Installation
from tests.support.lives import Clients, take_in_and_work
from tests.support.log import sequence
from tests.support.submissions import person
from tests.support.work import expire_leases

EMBEDDED = (
    "intake:before-commit@2",
    "wake:after-key[validate]",
    "drain:after-claim[validate]",
    "drain:before-commit[score]",
    "drain:row-by-row[validate]",
    "drain:after-commit[validate]@2",
    "email:before-call",
    "email:after-call",
)
"""On SQLite, with a mailbox."""
IN_PRODUCTION = (
    "intake:after-commit@3",
    "drain:before-finish[score]",
    "drain:before-commit[email]",
    "email:before-call",
    "email:after-call",
    "sweep:before-commit",
)
"""On PostgreSQL, with a provider that sends twice what it is given twice."""
PEOPLE = (
    person(0),
    person(1, condition="knee_osteoarthritis"),
    person(2, language="en", contraindications=["active_cancer"]),
    person(3, consent_share=None),
    person(0),
)
"""Two who are matched, one who is not, one who is told to correct something, and a second form of the first."""
QUICK = {"poll_seconds": 0.05, "sweep_seconds": 0.05}
TO_SENDGRID: dict[str, Any] = {
    "mail_transport": MailTransport.SENDGRID,
    "sendgrid_api_key": API_KEY,
    "mail_concurrency": 8,
    "mail_hold_minutes": 0.001,
}


@contextmanager
def worker(context: Context, broker_url: str) -> Iterator[Waker]:
    """One that looks for work by itself, whatever is said, or not said, to the broker."""
    waker = Waker(create_app(context.settings, broker_url), broker_url)
    running = Worker(context, build_lanes(context), frozenset(LANE_NAMES), waker)
    running.start()
    try:
        yield waker
    finally:
        running.close()
        waker.close()


def die(settings: Settings, broker: RedisServer, failpoint: str) -> Clients:
    """A process takes people in and works for them until it ends at `failpoint`."""
    clients = Clients(settings.data_dir, PEOPLE)
    live = partial(take_in_and_work, bulk_breaks="row-by-row" in failpoint)
    crash(failpoint, live, settings, broker.celery_url, clients)
    return clients


def go_on(context: Context, broker: RedisServer, clients: Clients) -> Evidence:
    """Another one goes on to the end, which is checked for what always holds."""
    expire_leases(context.database)
    with worker(context, broker.celery_url) as waker:
        clients.send(context, waker)
        assert within(lambda: drained(context.database)), Evidence(context).first_left()
    sequence(context)
    evidence = Evidence(context)
    evidence.check(clients.told)
    assert len(set(clients.told)) == len(PEOPLE)
    assert evidence.statuses == {"candidate": 2, "no_match": 1, "rejected": 1, "duplicate": 1}
    return evidence


@pytest.mark.parametrize("failpoint", EMBEDDED)
def test_embedded_every_email_exists_once(
    sqlite_installation: Installation, redis_server: RedisServer, failpoint: str
) -> None:
    context = sqlite_installation.context(**QUICK)
    clients = die(context.settings, redis_server, failpoint)
    if "wake:" in failpoint:
        # Nobody will be told for a few seconds, nor needs to be.
        with closing(redis.Redis.from_url(redis_server.redis_url)) as client:
            assert 0 < client.ttl("careroute:wake:validate") <= KEY_SECONDS
            assert client.llen("validate") == 0
    evidence = go_on(context, redis_server, clients)
    assert {row.status for row in evidence.emails} == {EmailStatus.HANDED_OVER}
    files = [path.stem for path in context.settings.effective_mailbox_dir.iterdir()]
    assert sorted(files) == sorted(str(row.id) for row in evidence.emails)


@pytest.mark.parametrize("failpoint", IN_PRODUCTION)
def test_in_production_an_email_is_sent_once_or_as_its_kind_says_when_nobody_knows(
    postgresql_installation: Installation, redis_server: RedisServer, sendgrid: SendGridStandIn, failpoint: str
) -> None:
    context = postgresql_installation.context(**QUICK, **TO_SENDGRID, sendgrid_host=sendgrid.url)
    go_on(context, redis_server, die(context.settings, redis_server, failpoint))
    counts = MailCounts.read(context, sendgrid)
    assert counts.wrong() == []
    assert bool(counts.unknown) == ("email" in failpoint)
    for id_ in counts.unknown:
        is_sent_again = RULES[EmailKind(counts.emails[id_].kind)].when_uncertain is WhenUncertain.SEND_AGAIN
        assert counts.accepted[id_] == (failpoint != "email:before-call") + is_sent_again
        assert (id_ in counts.listed) == (not is_sent_again)
