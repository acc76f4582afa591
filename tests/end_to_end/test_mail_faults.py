"""The mail provider in trouble: nothing is lost, nothing goes out twice but by the stated policy, all of it settles.

Here the clock is moved on; `make bench ARGS="--only mail-faults"` does the same in real time.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from config.settings import MailTransport
from pipeline.breaker import THRESHOLD
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.models import TransportBreaker
from pipeline.outreach import EMAIL_LANE
from pipeline.status import EmailStatus
from tests.end_to_end.mail_counts import MailCounts
from tests.servers.sendgrid import API_KEY, AcceptThenReset, SendGridStandIn, Signer, Status
from tests.servers.sendgrid_events import event, to_body
from tests.support.installations import Installation
from tests.support.submissions import person, submit
from tests.support.work import drain, end_pauses, jobs, make_due, table
from tests.web.real_app import RealApp

PEOPLE = 8
RESTS = 5
"""How often the lane looks, in vain, while the trouble lasts."""
CONCURRENCY = 8
SIGNER = Signer()
TO_SENDGRID = {
    "mail_transport": MailTransport.SENDGRID,
    "sendgrid_api_key": API_KEY,
    "mail_concurrency": CONCURRENCY,
}


@pytest.fixture
def sendgrid() -> Iterator[SendGridStandIn]:
    with SendGridStandIn(signer=SIGNER) as server:
        yield server


@pytest.fixture
def core(postgresql_installation: Installation, sendgrid: SendGridStandIn) -> Context:
    """Some people's emails wait to be sent to the stand-in."""
    core = postgresql_installation.context(**TO_SENDGRID, sendgrid_host=sendgrid.url)
    for number in range(PEOPLE):
        submit(core, person(number))
    drain(core, "validate", "score")
    return core


def wait_out(core: Context, times: int = RESTS) -> None:
    """Let the lane look again and again, each time after its rest."""
    for _ in range(times):
        drain(core, EMAIL_LANE)
        end_pauses(core.database)
        make_due(core.database)


def settle(core: Context, sendgrid: SendGridStandIn) -> MailCounts:
    """Until no email has anything left to do."""
    while True:
        worked = drain(core, EMAIL_LANE)
        end_pauses(core.database)
        make_due(core.database)
        if not worked:
            return MailCounts.read(core, sendgrid)


def attempts_lost(core: Context) -> int:
    return sum(job.attempts for job in jobs(core.database, EMAIL_LANE))


def breaker_of(core: Context) -> str:
    (row,) = table(core.database, TransportBreaker.table())
    return str(row.state)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda sendgrid: sendgrid.always(Status(429)), id="storm"),
        pytest.param(lambda sendgrid: sendgrid.always(Status(503)), id="unavailable"),
        pytest.param(lambda sendgrid: sendgrid.pause_listening(), id="refused"),
    ],
)
def test_a_storm_or_an_outage_costs_nobody_an_attempt_and_drains_by_itself(
    core: Context, sendgrid: SendGridStandIn, trouble: Callable[[SendGridStandIn], None]
) -> None:
    waiting = len(jobs(core.database, EMAIL_LANE))
    trouble(sendgrid)
    wait_out(core)
    assert attempts_lost(core) == 0
    assert breaker_of(core) == "open"
    # The first slice may be under way when it begins; then one email at a time is tried.
    assert sendgrid.requests < CONCURRENCY + THRESHOLD + RESTS
    assert not sendgrid.accepted
    sendgrid.always(None)
    sendgrid.resume_listening()
    counts = settle(core, sendgrid)
    assert counts.wrong() == []
    assert counts.statuses == {EmailStatus.HANDED_OVER: waiting}
    assert set(counts.accepted.values()) == {1}
    assert breaker_of(core) == "closed"


def test_connections_reset_after_the_mail_was_accepted_are_settled_by_events(
    postgresql_installation: Installation, core: Context, sendgrid: SendGridStandIn
) -> None:
    told = postgresql_installation.context(
        **TO_SENDGRID, sendgrid_host=sendgrid.url, sendgrid_event_public_keys=SIGNER.public_key
    )
    sendgrid.sometimes(0.3, AcceptThenReset())
    drain(told, EMAIL_LANE)
    end_pauses(told.database)
    sendgrid.sometimes(0, AcceptThenReset())
    drain(told, EMAIL_LANE)
    assert MailCounts.read(told, sendgrid).statuses[EmailStatus.UNCERTAIN] > 1
    app = RealApp(told)
    for batch in (sendgrid.accepted[1::2], sendgrid.accepted):
        body = to_body([event("delivered", mail, at=time.time()) for mail in batch])
        signed = SIGNER.signed(body)
        assert app.client.post("/v1/events/sendgrid", content=body, headers=signed).status_code == 200
        drain(told, "receipts")
    counts = settle(told, sendgrid)
    assert counts.wrong() == []
    assert counts.statuses == {EmailStatus.DELIVERED: len(counts.emails)}
    assert (counts.twice, counts.listed) == (0, frozenset())


def test_without_events_the_kind_decides_after_the_hold(core: Context, sendgrid: SendGridStandIn) -> None:
    sendgrid.sometimes(0.3, AcceptThenReset())
    counts = settle(core, sendgrid)
    assert counts.wrong() == []
    assert set(counts.statuses) == {EmailStatus.HANDED_OVER, EmailStatus.UNCERTAIN}
    again = {id_ for id_, count in counts.accepted.items() if count == 2}
    assert again
    asked = {row.kind for id_, row in counts.emails.items() if id_ in counts.listed and counts.unknown[id_] == 1}
    assert asked
    assert all(RULES[EmailKind(kind)].when_uncertain is WhenUncertain.ASK for kind in asked)
    assert all(RULES[EmailKind(counts.emails[id_].kind)].when_uncertain is WhenUncertain.SEND_AGAIN for id_ in again)
