"""Messages for the transports to carry."""

from datetime import UTC, datetime
from uuid import uuid4

from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing, Sender, compose
from pipeline.email.render import render
from pipeline.email.samples import samples

SENDER = Sender("care@org.example", "Example Network")


def message(*, kind: EmailKind = EmailKind.CONFIRMATION, to: str = "ann@person.example") -> Outgoing:
    rendered = render(kind, "es", samples(kind, "es")[0])
    return compose(rendered, uuid4(), to, SENDER, date=datetime(2026, 11, 22, 8, 30, tzinfo=UTC))
