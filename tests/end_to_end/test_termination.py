"""SIGTERM: what is in hand is finished, then the process ends, and nothing is left of it."""

import pytest

from pipeline.models import Email, Heartbeat
from pipeline.status import EmailStatus
from tests.end_to_end.catching import held_tokens, in_a_call
from tests.end_to_end.people import to_api
from tests.end_to_end.running import Running, free_port, within
from tests.end_to_end.sending import post
from tests.servers.redis import RedisServer
from tests.servers.sendgrid import API_KEY, SendGridStandIn
from tests.support.installations import Installation
from tests.support.log import check_log
from tests.support.submissions import person
from tests.support.work import table


@pytest.mark.parametrize("woken_by", ["message", "poll"])
def test_a_worker_finishes_its_calls_and_every_process_ends(
    sqlite_installation: Installation, broker: RedisServer, sendgrid: SendGridStandIn, woken_by: str
) -> None:
    sendgrid.delay_seconds = 1.0
    broker_url = broker.celery_url if woken_by == "message" else f"redis://127.0.0.1:{free_port()}/0"
    settings = {
        "MAIL_TRANSPORT": "sendgrid",
        "SENDGRID_API_KEY": API_KEY,
        "SENDGRID_HOST": sendgrid.url,
        "POLL_SECONDS": "600" if woken_by == "message" else "0.5",
    }
    database = sqlite_installation.database()
    with Running(sqlite_installation, broker_url, settings) as running, running.client() as client:
        running.start_worker()
        running.start_beat()
        running.start_web()
        # Its first look, which ends with a sweep, is over: from now on it works for the reason we want.
        assert within(lambda: bool(table(database, Heartbeat.table())))
        for number in range(3):
            post(client, to_api(f"r-{number}", person(number)))
        assert within(lambda: bool(in_a_call(database)))
        assert running.terminate("worker") == 0
        assert running.terminate("beat") == 0
        running.terminate_web()
        assert not running.left_over()
    assert not held_tokens(database)
    emails = table(database, Email.table())
    handed_over = [row for row in emails if row.status == EmailStatus.HANDED_OVER]
    assert sorted(mail.email_id for mail in sendgrid.accepted) == sorted(str(row.id) for row in handed_over)
    assert {row.status for row in emails} <= {EmailStatus.HANDED_OVER, EmailStatus.QUEUED}
    assert not [row for row in emails if row.attempt_id]
    check_log(sqlite_installation.context())  # with its last checkpoint over what the last batch recorded
