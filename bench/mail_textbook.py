"""Program: the other side of the mail bench, a sender as most applications have it.

One email at a time: read its row, write it, call SendGrid by the official client as its documentation shows, which
opens a connection for each call, and put on record what came of it, in one transaction. Texts and records are the same.
"""

import sys
import time
import uuid

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sqlalchemy import select

from bench.textbook.sending import NotAccepted, send_one
from config.settings import Settings
from pipeline.context import Context, open_context
from pipeline.email.message import Outgoing
from pipeline.email.render import warm_up
from pipeline.models import Email, LanePause
from pipeline.stages.deliver import DeliverStage
from pipeline.status import EmailStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.transports.sendgrid import SendGridTransport, request_body

_REST_SECONDS = 0.2


class OfficialClient(SendGridTransport):
    """The transport's messages, sent by the official client as it comes."""

    def __init__(self, settings: Settings) -> None:
        key = settings.sendgrid_api_key.get_secret_value()
        super().__init__(key, host=settings.sendgrid_host, timeout=settings.mail_timeout_seconds)
        self._official = SendGridAPIClient(key, host=settings.sendgrid_host)

    def send(self, message: Outgoing, content: bytes) -> Receipt:  # noqa: ARG002 - the protocol's signature
        try:
            answer = self._official.send(request_body(message))
        except HTTPError as error:
            return Receipt(SendOutcome.RETRY, code=str(error.status_code))
        return Receipt(SendOutcome.ACCEPTED, answer.headers.get("X-Message-Id"), str(answer.status_code))


def main() -> None:
    """Send whatever is queued, until SIGTERM."""
    context = open_context(Settings())
    transport = OfficialClient(context.settings)
    stage = DeliverStage(context, transport)
    warm_up()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for submission_id, email_id in _queued(context):
            try:
                send_one(context, stage, transport, submission_id, email_id)
            except NotAccepted as refused:
                sys.stderr.write(f"not accepted: {refused}\n")
        time.sleep(_REST_SECONDS)


def _queued(context: Context) -> list[tuple[uuid.UUID, uuid.UUID]]:
    with context.database.read() as connection:
        if connection.execute(select(LanePause.lane)).first() is not None:
            return []
        columns = select(Email.submission_id, Email.id).where(Email.status == EmailStatus.QUEUED)
        return [(row.submission_id, row.id) for row in connection.execute(columns.order_by(Email.id))]


if __name__ == "__main__":
    main()
