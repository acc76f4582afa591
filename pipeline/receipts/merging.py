"""What an email's status becomes when something is reported about it: a table, and one rule.

Reports come in any order and repeatedly, so that each stands for a rank, and of what is reported about one attempt the
highest stays. Of several attempts the newest decides that an email did not arrive; that it did, each of them.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.receipts.events import EventKind
from pipeline.status import EMAIL_TRANSITIONS, EmailStatus

SAYS: Mapping[EventKind, EmailStatus] = {
    EventKind.PROCESSED: EmailStatus.HANDED_OVER,
    EventKind.DELIVERED: EmailStatus.DELIVERED,
    EventKind.DROPPED: EmailStatus.DROPPED,
    EventKind.BOUNCED: EmailStatus.BOUNCED,
    EventKind.BLOCKED: EmailStatus.BOUNCED,
    EventKind.COMPLAINED: EmailStatus.COMPLAINED,
}
"""The status that a report stands for. One that is not here (deferred, unsubscribed) changes none."""

RANK: Mapping[EmailStatus, int] = {
    EmailStatus.HANDED_OVER: 1,
    EmailStatus.DELIVERED: 2,
    EmailStatus.DROPPED: 3,
    EmailStatus.BOUNCED: 4,
    EmailStatus.COMPLAINED: 5,
}
"""A server may take a message and return it later, so that bad news outranks good. Any other status has rank 0."""

DID_NOT_ARRIVE = frozenset({EmailStatus.DROPPED, EmailStatus.BOUNCED})


class Standing(StrEnum):
    """What an attempt's news counts for, beside the other attempts to send the same email."""

    NEWEST = "newest"
    """The last one that may have been accepted: its word is the email's."""
    EARLIER = "earlier"
    """That it did not arrive says nothing about the newer one; that it did arrive says all about the email."""
    GIVEN_UP = "given_up"
    """It was known not to have arrived before a newer one was made: it has nothing more to say."""


def status_after(
    current: EmailStatus, told: EmailStatus | None, kind: EventKind, standing: Standing
) -> EmailStatus | None:
    """What the email becomes; None if it stays. `told` is the highest status reported of the same attempt before."""
    after = SAYS.get(kind)
    if after is None or after not in EMAIL_TRANSITIONS[current] or standing is Standing.GIVEN_UP:
        return None
    if standing is Standing.EARLIER:
        return after if after not in DID_NOT_ARRIVE and RANK[after] > _rank(current) else None
    if told in DID_NOT_ARRIVE and current not in DID_NOT_ARRIVE:
        return None  # the email has moved on since: an operator asked for it to be sent again
    if current in DID_NOT_ARRIVE and told not in DID_NOT_ARRIVE:
        return after  # it was an earlier attempt that did not arrive
    return after if RANK[after] > max(_rank(told), _rank(current)) else None


def higher(told: EmailStatus | None, kind: EventKind) -> EmailStatus | None:
    """The highest status reported of an attempt, with one more report."""
    after = SAYS.get(kind)
    return after if after is not None and RANK[after] > _rank(told) else told


def _rank(status: EmailStatus | None) -> int:
    return RANK.get(status, 0) if status is not None else 0


@dataclass(slots=True)
class Told:
    """What was reported of the attempts to send one email.

    `attempts` are all of them, oldest first; `accepted` those that, by the answer or for want of one, the provider may
    have accepted; `given_up` those that were known not to have arrived before a newer one was made.
    """

    attempts: Sequence[uuid.UUID]
    accepted: frozenset[uuid.UUID]
    given_up: frozenset[uuid.UUID] = frozenset()
    highest: dict[uuid.UUID, EmailStatus] = field(default_factory=dict)

    def tell(self, current: EmailStatus, attempt: uuid.UUID, kind: EventKind) -> EmailStatus | None:
        """Take one more report in: what the email, now `current`, becomes by it; None if it stays."""
        before = self.highest.get(attempt)
        now = higher(before, kind)
        if now is not None:
            self.highest[attempt] = now
        return status_after(current, before, kind, self._standing(attempt))

    def _standing(self, attempt: uuid.UUID) -> Standing:
        if attempt in self.given_up:
            return Standing.GIVEN_UP
        return Standing.NEWEST if attempt == self._newest() else Standing.EARLIER

    def _newest(self) -> uuid.UUID | None:
        """The answer may have been wrong: what became of a message shows that it was accepted."""
        known = self.accepted | self.given_up
        return next((each for each in reversed(self.attempts) if each in known or self._has_a_fate(each)), None)

    def _has_a_fate(self, attempt: uuid.UUID) -> bool:
        return _rank(self.highest.get(attempt)) > RANK[EmailStatus.HANDED_OVER]
