"""SendGrid's v3 Mail Send by its official client. Its limits are in `sendgrid_limits`, its answers in
`sendgrid_answers`, its connections in `sendgrid_client`.
"""

import ssl
from typing import Any

import orjson

from config.screening import DataClass
from pipeline.email.message import Outgoing
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.transports.sendgrid_answers import judge
from pipeline.transports.sendgrid_client import MailSend, NoAnswer, NotConnected, NotSent
from pipeline.transports.sendgrid_limits import TRACKING_OFF, breach


class SendGridTransport:
    name = "sendgrid"
    idempotent = False
    clearance = DataClass.PUBLIC
    """Its terms exclude health data, whatever is set."""

    def __init__(
        self,
        api_key: str,
        *,
        host: str,
        timeout: float,
        confirms: bool = False,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        """`host` is the API's base URL; `timeout` bounds a whole call, in seconds; `confirms`: its events arrive."""
        self.confirms = confirms
        if not api_key:
            raise ValueError("sendgrid_api_key: must be set for the sendgrid transport")
        self._mail_send = MailSend(api_key, host=host, timeout=timeout, tls_context=tls_context)

    def encode(self, message: Outgoing) -> bytes:
        return orjson.dumps(request_body(message))

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        if limit := breach(request_body(message), len(content)):
            return Receipt(SendOutcome.REJECTED, code=f"limit:{limit}")
        try:
            answer = self._mail_send.post(content)
        except NotConnected:
            return Receipt(SendOutcome.UNAVAILABLE, code="connection")
        except NotSent:
            return Receipt(SendOutcome.UNAVAILABLE, code="connection-lost")
        except NoAnswer:
            return Receipt(SendOutcome.UNCERTAIN, code="no-answer")
        return judge(*answer)

    def close(self) -> None:
        self._mail_send.close()


def request_body(message: Outgoing) -> dict[str, Any]:
    """The body of POST /v3/mail/send.

    `custom_args` is stored by SendGrid as data that is not personal, so it holds the random attempt id and nothing
    else; there are no categories. It stands in the personalization, the place where the API description types it.
    """
    sender = message.sender
    body: dict[str, Any] = {
        "personalizations": [
            {"to": [{"email": message.recipient}], "custom_args": {"attempt_id": str(message.attempt_id)}}
        ],
        "from": {"email": sender.address, "name": sender.name} if sender.name else {"email": sender.address},
        "subject": message.subject,
        "content": [{"type": "text/plain", "value": message.text}, {"type": "text/html", "value": message.html}],
        "headers": message.extra_headers,
        "tracking_settings": TRACKING_OFF,
    }
    if sender.reply_to:
        body["reply_to"] = {"email": sender.reply_to}
    return body
