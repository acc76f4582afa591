"""What is on record about the attempts to send an email: their order, and what was reported of each so far."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from pipeline.models import EmailAttempt, MailEvent
from pipeline.receipts.events import DropCode, EventKind
from pipeline.receipts.matching import StoredEvent
from pipeline.receipts.merging import DID_NOT_ARRIVE, SAYS, Told, higher
from pipeline.status import EmailStatus
from pipeline.suppression import Reason
from pipeline.transports.receipt import SendOutcome

_SUPPRESSES: Mapping[EventKind, Reason] = {
    EventKind.BOUNCED: Reason.BOUNCED,
    EventKind.COMPLAINED: Reason.COMPLAINED,
    EventKind.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
}
_DROPS_SUPPRESS: Mapping[str | None, Reason] = {
    DropCode.BOUNCED_ADDRESS: Reason.BOUNCED,
    DropCode.INVALID: Reason.BOUNCED,
    DropCode.SPAM_REPORTING_ADDRESS: Reason.COMPLAINED,
    DropCode.UNSUBSCRIBED_ADDRESS: Reason.UNSUBSCRIBED,
}
"""The provider's own list has the address: so shall ours, with what that reason covers."""
_MAY_HAVE_BEEN_ACCEPTED = frozenset({None, SendOutcome.ACCEPTED, SendOutcome.UNCERTAIN})
"""Without an outcome the call is under way, or its process was lost."""


def suppression_reason(kind: EventKind, code: str | None) -> Reason | None:
    """Why the address must not be written to any more; None: nothing is said against it (a block is passing)."""
    return _DROPS_SUPPRESS.get(code) if kind is EventKind.DROPPED else _SUPPRESSES.get(kind)


@dataclass(slots=True)
class History:
    """Of one email. `learnt`: the message ids of attempts whose answer did not tell it, from their events."""

    told: Told
    message_ids: Mapping[uuid.UUID, str]
    reasons: set[tuple[uuid.UUID, Reason]]
    learnt: dict[uuid.UUID, str] = field(default_factory=dict)

    def may_be(self, attempt: uuid.UUID, event: StoredEvent) -> bool:
        """Whether the message that the event names is the attempt's, or may be for all that is known."""
        known = self.message_ids.get(attempt) or self.learnt.get(attempt)
        return known in {None, event.provider_message_id}

    def learn_message_id(self, attempt: uuid.UUID, message_id: str | None) -> None:
        if message_id is not None and attempt not in self.message_ids:
            self.learnt.setdefault(attempt, message_id)

    def is_new_reason(self, attempt: uuid.UUID, reason: Reason | None) -> bool:
        """Whether this reason was not told of the attempt yet; it is noted."""
        if reason is None or (attempt, reason) in self.reasons:
            return False
        self.reasons.add((attempt, reason))
        return True


def read_histories(connection: Connection, email_ids: set[uuid.UUID]) -> Mapping[uuid.UUID, History]:
    """By the email's id, of those that have attempts. Their jobs are locked, so that no attempt begins meanwhile."""
    if not email_ids:
        return {}
    attempts = connection.execute(
        select(
            EmailAttempt.id,
            EmailAttempt.email_id,
            EmailAttempt.started_at,
            EmailAttempt.outcome,
            EmailAttempt.provider_message_id,
        )
        .where(EmailAttempt.email_id.in_(email_ids))
        .order_by(EmailAttempt.started_at, EmailAttempt.id)
    )
    events = connection.execute(
        select(MailEvent.email_id, MailEvent.attempt_id, MailEvent.event, MailEvent.code, MailEvent.applied_at).where(
            MailEvent.email_id.in_(email_ids), MailEvent.applied_at.is_not(None)
        )
    )
    attempts_of, events_of = _by_email(attempts), _by_email(events)
    return {email_id: _history(found, events_of[email_id]) for email_id, found in attempts_of.items()}


def _by_email(rows: Any) -> defaultdict[uuid.UUID, list[Row[Any]]]:
    found = defaultdict[uuid.UUID, list[Row[Any]]](list)
    for row in rows:
        found[row.email_id].append(row)
    return found


def _history(attempts: Sequence[Row[Any]], events: Sequence[Row[Any]]) -> History:
    highest = dict[uuid.UUID, EmailStatus]()
    reasons = set[tuple[uuid.UUID, Reason]]()
    failed_at = dict[uuid.UUID, dt.datetime]()
    for row in events:
        kind = EventKind(row.event)
        if (status := higher(highest.get(row.attempt_id), kind)) is not None:
            highest[row.attempt_id] = status
        if (reason := suppression_reason(kind, row.code)) is not None:
            reasons.add((row.attempt_id, reason))
        if SAYS.get(kind) in DID_NOT_ARRIVE:
            failed_at[row.attempt_id] = min(row.applied_at, failed_at.get(row.attempt_id, row.applied_at))
    *earlier, newest = attempts
    told = Told(
        attempts=[row.id for row in attempts],
        accepted=frozenset(row.id for row in attempts if row.outcome in _MAY_HAVE_BEEN_ACCEPTED),
        given_up=frozenset(row.id for row in earlier if row.id in failed_at and failed_at[row.id] <= newest.started_at),
        highest=highest,
    )
    return History(told, {row.id: row.provider_message_id for row in attempts if row.provider_message_id}, reasons)
