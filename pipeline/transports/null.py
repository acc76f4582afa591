"""Accepts and forgets: for measuring everything but the mail."""

from pipeline.email.message import Outgoing
from pipeline.transports.receipt import Receipt, SendOutcome


class NullTransport:
    name = "null"
    idempotent = True

    def send(self, message: Outgoing) -> Receipt:  # noqa: ARG002 - the protocol's signature
        return Receipt(SendOutcome.ACCEPTED, code="null")

    def close(self) -> None:
        return
