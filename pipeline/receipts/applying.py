"""What follows from events: an email's status and record, who must not be written to, what people must see to.

Everything happens under the locks of the emails' jobs and submissions, in one transaction with the events' own rows.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.email.kinds import RULES, EmailKind, Reader, WhenUncertain
from pipeline.ledger import ClaimedJob
from pipeline.models import DeadJob, Email, Job, MailEvent
from pipeline.outreach import EMAIL_LANE
from pipeline.receipts.events import EventKind, Tally
from pipeline.receipts.history import read_histories, suppression_reason
from pipeline.receipts.matching import Attempt, StoredEvent, written_to
from pipeline.receipts.merging import DID_NOT_ARRIVE, RANK, SAYS
from pipeline.receipts.storing import count_events
from pipeline.status import STOPPED, EmailStatus, SubmissionStatus
from pipeline.suppression import Reason, suppress
from pipeline.unit_of_work import UnitOfWork

SETTLED_BY_RECEIPT = "settled by a receipt"

_ACTION: Mapping[EmailStatus, Action] = {
    EmailStatus.HANDED_OVER: Action.EMAIL_HANDED_OVER,
    EmailStatus.DELIVERED: Action.EMAIL_DELIVERED,
    EmailStatus.DROPPED: Action.EMAIL_DROPPED,
    EmailStatus.BOUNCED: Action.EMAIL_BOUNCED,
    EmailStatus.COMPLAINED: Action.EMAIL_COMPLAINED,
}
_MAY_STILL_FAIL = frozenset({EmailStatus.HANDED_OVER, EmailStatus.UNCERTAIN, EmailStatus.DELIVERED})


@dataclass(frozen=True, slots=True)
class Reported:
    """An event with the attempts that it may be about, and how often this was tried."""

    event: StoredEvent
    attempts: tuple[Attempt, ...]
    tries: int


@dataclass(slots=True)
class _Mail:
    """An email under its submission's lock. `moved_by`: the event that last changed its status here."""

    id: uuid.UUID
    submission_id: uuid.UUID
    kind: EmailKind
    status: EmailStatus
    moved_by: StoredEvent | None = None


def apply_events(unit: UnitOfWork, reported: Sequence[tuple[ClaimedJob, Reported]]) -> None:
    """Apply events whose jobs are held, oldest first."""
    applying = _Applying(unit, [each for _, each in reported])
    for job, each in sorted(reported, key=_order):
        applying.apply(job, each)
    applying.write()


def _order(reported: tuple[ClaimedJob, Reported]) -> tuple[dt.datetime, int, uuid.UUID]:
    event = reported[1].event
    says = SAYS.get(event.kind)
    return event.occurred_at, RANK[says] if says else 0, event.id


class _Applying:
    def __init__(self, unit: UnitOfWork, reported: Sequence[Reported]) -> None:
        self._unit = unit
        attempts = [attempt for each in reported for attempt in each.attempts]
        email_ids = {attempt.email_id for attempt in attempts}
        # As everywhere: jobs by id, then submissions by id.
        self._waiting = _lock_jobs(unit.connection, email_ids)
        unit.lock(attempt.submission_id for attempt in attempts)
        self._mails = _read_mails(unit.connection, email_ids)
        self._dead = _dead_letters(unit.connection, email_ids)
        self._histories = read_histories(unit.connection, email_ids)
        strangers = {each.event.address_index for each in reported if each.event.address_index is not None}
        self._known = written_to(unit.connection, strangers)
        self._applied: list[tuple[object, ...]] = []
        self._unmatched: Counter[str] = Counter()

    def apply(self, job: ClaimedJob, reported: Reported) -> None:
        event, attempt = reported.event, self._choose(reported)
        mail = self._mails[attempt.email_id] if attempt is not None else None
        self._applied.append((event.id, mail.id if mail else None, attempt.id if attempt else None, self._unit.now))
        if attempt is None or mail is None:
            self._without_an_email(event)
            return
        history = self._histories[mail.id]
        after = history.told.tell(mail.status, attempt.id, event.kind)
        history.learn_message_id(attempt.id, event.provider_message_id)
        if after is not None:
            mail.status, mail.moved_by = after, event
            self._record(_ACTION[after], job, mail, attempt, event)
        elif event.kind is EventKind.DEFERRED and RANK.get(mail.status, 0) < RANK[EmailStatus.DELIVERED]:
            self._record(Action.EMAIL_DEFERRED, job, mail, attempt, event)
        reason = suppression_reason(event.kind, event.code)
        # Told again of an attempt, it is no news: somebody may have lifted the suppression since.
        if history.is_new_reason(attempt.id, reason) or event.kind is EventKind.UNSUBSCRIBED:
            self._suppress(reason, attempt.address_index or event.address_index, mail)

    def write(self) -> None:
        moved = [mail for mail in self._mails.values() if mail.moved_by is not None]
        for mail in moved:
            self._see_to_it(mail)
        _write_mails(self._unit.connection, moved)
        self._remove_dead_letters({mail.id for mail in moved})
        learnt = {attempt: id_ for each in self._histories.values() for attempt, id_ in each.learnt.items()}
        _write_events(self._unit.connection, self._applied, learnt)
        self._forget_addresses()
        for transport, number in self._unmatched.items():
            count_events(self._unit.connection, transport, {Tally.UNMATCHED.value: number})

    def _choose(self, reported: Reported) -> Attempt | None:
        """The named attempt; among those to one address the newest of which nothing bad is known."""
        event, attempts = reported.event, [each for each in reported.attempts if each.email_id in self._mails]
        if event.may_name_a_lost_answer:
            # Another message of the same batch, or of another worker's, may have been found to be the attempt's.
            attempts = [each for each in attempts if self._histories[each.email_id].may_be(each.id, event)]
        if not event.is_told_by_address:
            return attempts[0] if attempts else None
        return next((each for each in attempts if self._mails[each.email_id].status in _MAY_STILL_FAIL), None)

    def _without_an_email(self, event: StoredEvent) -> None:
        """News about an address that we write to counts, whichever mail it was about."""
        reason = suppression_reason(event.kind, event.code)
        if event.address_index in self._known and reason is not None:
            self._suppress(reason, event.address_index, None)
        else:
            self._unmatched[event.transport] += 1

    def _suppress(self, reason: Reason | None, address: bytes | None, mail: _Mail | None) -> None:
        if reason is None or not address:
            return
        submission_id, email_id = (mail.submission_id, mail.id) if mail is not None else (None, None)
        suppress(self._unit, address, reason, submission_id=submission_id, email_id=email_id)

    def _record(self, action: Action, job: ClaimedJob, mail: _Mail, attempt: Attempt, event: StoredEvent) -> None:
        details: dict[Detail, DetailValue] = {
            Detail.EMAIL: str(mail.id),
            Detail.KIND: mail.kind.value,
            Detail.TRANSPORT: event.transport,
            Detail.CODE: event.code,
            Detail.ATTEMPT_ID: str(attempt.id),
        }
        self._unit.record(mail.submission_id, action, details, job=job)

    def _see_to_it(self, mail: _Mail) -> None:
        """Let the email's job end: there is nothing to do any more, unless people must see that it did not arrive."""
        if mail.status in DID_NOT_ARRIVE and self._asks_people(mail):
            self._unit.enqueue(EMAIL_LANE, mail.id, mail.submission_id)
            return
        job_id = self._waiting.get(mail.id)
        if job_id is not None:
            self._unit.connection.execute(delete(Job).where(Job.id == job_id))

    def _forget_addresses(self) -> None:
        """Of what came in about emails of erased submissions, or about none: it has done its work, and names somebody's
        address.
        """
        unmatched = [event_id for event_id, email_id, *_ in self._applied if email_id is None]
        if unmatched:
            statement = update(MailEvent).where(MailEvent.id.in_(unmatched))
            self._unit.connection.execute(statement.values(address_index=None))
        events = [event_id for event_id, email_id, *_ in self._applied if email_id is not None]
        erased = [id_ for id_, mail in self._mails.items() if self._is_erased(mail)]
        if events and erased:
            statement = update(MailEvent).where(MailEvent.id.in_(events), MailEvent.email_id.in_(erased))
            self._unit.connection.execute(statement.values(address_index=None))

    def _is_erased(self, mail: _Mail) -> bool:
        return self._unit.heads[mail.submission_id].status is SubmissionStatus.ERASED

    def _asks_people(self, mail: _Mail) -> bool:
        rules = RULES[mail.kind]
        stopped = self._unit.heads[mail.submission_id].status in STOPPED
        if stopped and not rules.survives_withdrawal:
            return False
        return rules.reader is Reader.PROVIDER or rules.when_uncertain is WhenUncertain.ASK

    def _remove_dead_letters(self, email_ids: set[uuid.UUID]) -> None:
        """Of emails whose fate people were asked about: it is known now, and may make a new one."""
        for email_id in sorted(email_ids & self._dead.keys()):
            mail = self._mails[email_id]
            for dead_id, reason in self._dead[email_id]:
                self._unit.connection.execute(delete(DeadJob).where(DeadJob.id == dead_id))
                details = {
                    Detail.LANE: EMAIL_LANE,
                    Detail.CODE: reason,
                    Detail.EMAIL: str(mail.id),
                    Detail.STATUS: mail.status.value,
                }
                self._unit.record(mail.submission_id, Action.JOB_DISCARDED, details, reason=SETTLED_BY_RECEIPT)


def _lock_jobs(connection: Connection, email_ids: set[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Lock the emails' jobs, in id order; those that nobody is working on: email → job."""
    if not email_ids:
        return {}
    statement = (
        select(Job.id, Job.target_id, Job.lease_until)
        .where(Job.lane == EMAIL_LANE, Job.target_id.in_(email_ids))
        .order_by(Job.id)
        .with_for_update()
    )
    return {row.target_id: row.id for row in connection.execute(statement) if row.lease_until is None}


def _read_mails(connection: Connection, email_ids: set[uuid.UUID]) -> dict[uuid.UUID, _Mail]:
    if not email_ids:
        return {}
    statement = select(Email.id, Email.submission_id, Email.kind, Email.status).where(Email.id.in_(email_ids))
    return {
        row.id: _Mail(row.id, row.submission_id, EmailKind(row.kind), EmailStatus(row.status))
        for row in connection.execute(statement)
    }


def _dead_letters(connection: Connection, email_ids: set[uuid.UUID]) -> dict[uuid.UUID, list[tuple[int, str]]]:
    if not email_ids:
        return {}
    statement = select(DeadJob.id, DeadJob.target_id, DeadJob.reason).where(
        DeadJob.lane == EMAIL_LANE, DeadJob.target_id.in_(email_ids)
    )
    found: dict[uuid.UUID, list[tuple[int, str]]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.target_id, []).append((row.id, row.reason))
    return found


def _write_mails(connection: Connection, moved: Sequence[_Mail]) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            mail.id,
            mail.status.value,
            mail.moved_by.transport,
            mail.moved_by.occurred_at,
            mail.moved_by.provider_message_id,
            mail.moved_by.code,
        )
        for mail in moved
        if mail.moved_by is not None
    ]
    bulk.execute(
        connection,
        "UPDATE email SET status = v.status, attempt_id = NULL, transport = coalesce(email.transport, v.transport), "
        "handed_over_at = coalesce(email.handed_over_at, v.occurred_at), "
        "provider_message_id = coalesce(v.message_id, email.provider_message_id), detail = v.code "
        "FROM v WHERE email.id = v.id",
        {
            "id": "uuid",
            "status": "text",
            "transport": "text",
            "occurred_at": "timestamptz",
            "message_id": "text",
            "code": "text",
        },
        rows,
    )


def _write_events(
    connection: Connection, applied: Sequence[tuple[object, ...]], message_ids: Mapping[uuid.UUID, str]
) -> None:
    bulk.execute(
        connection,
        "UPDATE mail_event SET email_id = v.email_id, attempt_id = coalesce(v.attempt_id, mail_event.attempt_id), "
        "applied_at = v.applied_at FROM v WHERE mail_event.id = v.id",
        {"id": "uuid", "email_id": "uuid", "attempt_id": "uuid", "applied_at": "timestamptz"},
        applied,
    )
    # A call whose answer was lost had a message id all the same: later events may have nothing else.
    bulk.execute(
        connection,
        "UPDATE email_attempt SET provider_message_id = v.message_id FROM v WHERE email_attempt.id = v.id "
        "AND email_attempt.provider_message_id IS NULL",
        {"id": "uuid", "message_id": "text"},
        sorted(message_ids.items()),
    )
