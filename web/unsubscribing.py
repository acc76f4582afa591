"""What the pages about unsubscribing need from the core, as plain values and a protocol."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MailChoice:
    """Whether an address gets the mail that can be ended. Nothing of this is a fact about anybody.

    `stopped_otherwise`: whether none is sent there anyway, for a reason that cannot be taken back on a page.
    """

    language: str
    for_provider: bool
    ended: bool
    stopped_otherwise: bool = False


class Unsubscribing(Protocol):
    """What can be done with the token of an email; None for a token that was never given out."""

    def look(self, token: str) -> MailChoice | None:
        """How it stands. Changes nothing: mail scanners follow links."""

    def end(self, token: str, request_id: str) -> MailChoice | None:
        """No more mail that can be ended; durable before it answers, and the same when repeated."""

    def again(self, token: str, request_id: str) -> MailChoice | None:
        """Take `end` back."""
