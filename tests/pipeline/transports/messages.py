"""Messages for the transports to carry."""

from datetime import UTC, datetime
from uuid import uuid4

from pipeline.email.kinds import RULES, EmailKind
from pipeline.email.message import Outgoing, Sender, compose
from pipeline.email.render import render
from pipeline.email.samples import samples
from pipeline.transports import Receipt, Transport

SENDER = Sender("care@org.example", "Example Network")
UNSUBSCRIBE = "https://care.example/u/t0ken"


def message(*, kind: EmailKind = EmailKind.CONFIRMATION, to: str = "ann@person.example") -> Outgoing:
    rendered = render(kind, "es", samples(kind, "es")[0])
    return compose(
        rendered,
        uuid4(),
        to,
        SENDER,
        date=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        unsubscribe_url=UNSUBSCRIBE if RULES[kind].mail_class.can_be_unsubscribed else None,
    )


def send(transport: Transport, mail: Outgoing | None = None) -> Receipt:
    """As the lane does: encoded first, then handed over."""
    mail = mail or message()
    return transport.send(mail, transport.encode(mail))
