"""What a transport is, and what it says about one message."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from config.screening import DataClass
from pipeline.email.message import Outgoing


class SendOutcome(StrEnum):
    ACCEPTED = "accepted"
    """The next system took responsibility for the message. Delivery is another matter."""
    REJECTED = "rejected"
    """Refused for good, and because of this message: sending it again would be refused again."""
    RETRY = "retry"
    """Certainly not accepted, for a passing reason of this message: it costs an attempt."""
    UNAVAILABLE = "unavailable"
    """Certainly not accepted, and it is the other side's doing (no connection, 5xx): it costs an attempt and counts
    towards the breaker; once that is open, it costs nothing."""
    LANE_FAILURE = "lane_failure"
    """Certainly not accepted, for a reason that every message would meet: pause the lane, cost nobody an attempt."""
    NOT_CALLED = "not_called"
    """Not handed over at all, since a call just before it failed for everyone."""
    UNCERTAIN = "uncertain"
    """All of it was handed over and no answer came. It may have been accepted: never send it again blindly."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one call. Holds codes only: replies of mail servers quote addresses."""

    outcome: SendOutcome
    provider_message_id: str | None = None
    code: str = ""
    """Safe to log: "202", "5.1.1", "sandbox", "connection". With LANE_FAILURE it is the reason of the lane's pause, as
    `careroute status` shows it: it says what to do about it, in at most 200 characters."""
    retry_after: float | None = None
    """Seconds the other side asked us to wait; None if it did not say."""
    bad_address: bool = False
    """Refused because there is no such mailbox: the address is put on the suppression list."""


class Transport(Protocol):
    """A way out. `send` is called from several threads at once, answers within the mail timeout and does not raise for
    anything the other side does. Open one per process, after any fork.
    """

    name: str
    idempotent: bool
    """Whether sending the same email twice has the effect of sending it once: true of what stays on this machine."""
    clearance: DataClass
    """The most sensitive class of data that its content may hold: PUBLIC is none, HEALTH is all."""
    confirms: bool
    """Whether the other side reports later what became of a message: an uncertain one is then held for its word."""

    def encode(self, message: Outgoing) -> bytes:
        """The exact bytes that `send` will hand over; the same message gives the same bytes."""

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        """Hand over `content`, which is `encode(message)`."""

    def close(self) -> None:
        """Let go of connections. Nothing is in flight."""
