"""What the addresses for machines (provider events, metrics) need from the core, as plain values and protocols."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class EventsRefusal(StrEnum):
    """Why a post of events was not taken."""

    NO_KEY = "no-event-key"
    BAD_SIGNATURE = "bad-signature"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class EventsRefused:
    """Nothing was stored. `detail` is one sentence about what to do."""

    reason: EventsRefusal
    detail: str


@dataclass(frozen=True, slots=True)
class EventsTaken:
    """So many events could be read, and so many of them were not known yet. All are stored durably."""

    events: int
    new: int


class Receipts(Protocol):
    """Takes what mail providers report. One durable transaction before it answers."""

    def take(self, raw_body: bytes, headers: Mapping[str, str]) -> EventsTaken | EventsRefused:
        """Store the events of a signed post; `headers` have lower-case names."""


class Metrics(Protocol):
    """How everything stands, for a monitoring system."""

    def read(self) -> str:
        """Prometheus' text exposition format. Holds counts and names of ours, nothing about anybody."""
