"""Accepts and forgets: for measuring everything but the mail."""

from config.screening import DataClass
from pipeline.email.message import Outgoing
from pipeline.transports.receipt import Receipt, SendOutcome


class NullTransport:
    name = "null"
    idempotent = True
    clearance = DataClass.PUBLIC
    confirms = False

    def encode(self, message: Outgoing) -> bytes:
        return f"{message.recipient}\0{message.subject}\0{message.text}\0{message.html}".encode()

    def send(self, message: Outgoing, content: bytes) -> Receipt:  # noqa: ARG002 - the protocol's signature
        return Receipt(SendOutcome.ACCEPTED, code="null")

    def close(self) -> None:
        return
