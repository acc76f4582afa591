"""What the page that sends a new link needs from the core, as plain values and a protocol."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What was typed, and the language of the page. `reference` may be empty."""

    address: str
    reference: str
    language: str


class NewLinks(Protocol):
    """Sends a link to the page of a request to the address that the request was made with."""

    def send(self, asked: LinkRequest, request_id: str) -> bool:
        """Whether `address` is an email address. Nothing else is told: not if a request was made with it."""
