"""What a transport is, and what it says about one message."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pipeline.email.message import Outgoing


class SendOutcome(StrEnum):
    ACCEPTED = "accepted"
    """The next system took responsibility for the message. Delivery is another matter."""
    REJECTED = "rejected"
    """Refused for good, and because of this message: sending it again would be refused again."""
    RETRY = "retry"
    """Certainly not accepted, for a passing reason of this message: it costs an attempt."""
    LANE_FAILURE = "lane_failure"
    """Certainly not accepted, for a reason that every message would meet: pause the lane, cost nobody an attempt."""
    UNCERTAIN = "uncertain"
    """All of it was handed over and no answer came. It may have been accepted: never send it again blindly."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one call. Holds codes only: replies of mail servers quote addresses."""

    outcome: SendOutcome
    provider_message_id: str | None = None
    code: str = ""
    """Short and safe to log: "202", "5.1.1", "sandbox", "connection"."""
    retry_after: float | None = None
    """Seconds the other side asked us to wait; None if it did not say."""


class Transport(Protocol):
    """A way out. `send` is called from several threads at once, answers within the mail timeout and does not raise for
    anything the other side does. Open one per process, after any fork.
    """

    name: str
    idempotent: bool
    """Whether sending the same email twice has the effect of sending it once."""

    def send(self, message: Outgoing) -> Receipt: ...

    def close(self) -> None:
        """Let go of connections. Nothing is in flight."""
