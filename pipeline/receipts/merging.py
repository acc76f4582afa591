"""What an email's status becomes when something is reported about it: a table, and one rule.

Reports come in any order and repeatedly, so that each stands for a rank, and a status only ever gains rank: whatever
the order, the highest of them is what stays.
"""

from collections.abc import Mapping

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


def status_after(current: EmailStatus, told: EmailStatus | None, kind: EventKind) -> EmailStatus | None:
    """What the email becomes; None if it stays.

    `told` is the highest status that was reported of the same attempt before. An attempt that is known not to have
    arrived, of an email that has moved on since (an operator sent it again), has nothing more to say about it.
    """
    after = SAYS.get(kind)
    if after is None or RANK[after] <= max(_rank(told), _rank(current)):
        return None
    if told in DID_NOT_ARRIVE and current not in DID_NOT_ARRIVE:
        return None
    return after if after in EMAIL_TRANSITIONS[current] else None


def higher(told: EmailStatus | None, kind: EventKind) -> EmailStatus | None:
    """The highest status reported of an attempt, with one more report."""
    after = SAYS.get(kind)
    return after if after is not None and RANK[after] > _rank(told) else told


def _rank(status: EmailStatus | None) -> int:
    return RANK.get(status, 0) if status is not None else 0
