"""The lane `email`: hand each email over once, or say that it is not known.

    settle   what needs no call: suppressed, no longer of use, or of unknown fate at the end of its hold
    mark     a slice of emails gets an attempt id, committed, before the transport is called
    call     the transport, several at a time, none that could outlive the lease; none after one that failed for all
    record   the answers, in one transaction

An email found with a mark was given to a transport by a process that never came back. Unless the transport has the
effect of one for two (the mailbox folder), it becomes `uncertain`: held for the provider's word, then its kind decides.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jinja2 import UndefinedError
from sqlalchemy import Connection, func, select

from pipeline import bulk, ledger
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.breaker import Breaker, BreakerState, read_breaker
from pipeline.consent.mail import AboutToLeave, hold_back
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.form_letters import write
from pipeline.email.kinds import RULES, Form, Reader, WhenUncertain
from pipeline.email.leaks import check_addressed
from pipeline.email.message import Outgoing, Sender, compose
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Done, Failed, LaneFailure, PermanentFailure, Stage, Verdict
from pipeline.erasure.rendered import discard_late
from pipeline.failpoints import Failpoint, reach
from pipeline.ledger import ClaimedJob
from pipeline.models import EmailAttempt
from pipeline.outreach import EMAIL_LANE
from pipeline.protected import Disclosure, DisclosureRefused, Purpose
from pipeline.stages.addressing import Addressing, Letter
from pipeline.stages.letter_contexts import LetterContexts
from pipeline.stages.mail_calls import MailCalls
from pipeline.stages.mail_outcomes import LEAK_REFUSED, Called, Settled, bury_emails, record_outcomes
from pipeline.status import EmailStatus
from pipeline.suppression import Reason
from pipeline.transports.receipt import Receipt, SendOutcome, Transport
from pipeline.unit_of_work import UnitOfWork, begin

MARGIN_SECONDS = 5.0
ROUNDS = 4
"""How many calls one connection makes in a slice: more marks are fewer commits, and more in doubt if we die."""
LOCAL_SLICE = 768
"""How many emails go to a transport of this machine between two commits. None is ever in doubt and no call is waited
for, so it is all that is claimed at a time: what a commit costs is shared by as many as there are."""
AGAIN_SECONDS = 5.0
HOLD_WITHOUT_RECEIPTS_SECONDS = 60.0
"""How long an email of unknown fate waits where nobody will ever say what became of it."""

_PURPOSE = {Reader.PERSON: Purpose.OWN_REQUEST, Reader.PROVIDER: Purpose.REFERRAL}
"""What a full form is sent for: the same as showing the page behind its link."""

LOST_CALL = Receipt(SendOutcome.UNCERTAIN, code="process lost")


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter as it will leave: `content` is what the transport is given, byte for byte."""

    message: Outgoing
    content: bytes
    content_hash: bytes
    form: Form
    disclosure: Disclosure | None = None
    """Of the facts in a full form, to whom it is for: on record before the transport is called."""


@dataclass(frozen=True, slots=True)
class Written:
    """A letter ready to go."""

    job: ClaimedJob
    letter: Letter
    composed: Composed


class DeliverStage(Stage):
    calls_out = True

    def __init__(self, context: Context, transport: Transport) -> None:
        self._context = context
        self._transport = transport
        self._addressing = Addressing(context, transport.clearance)
        self._contexts = LetterContexts(context)
        self._sender = Sender.from_settings(context.settings)
        self._disclosure = Disclosure(Purpose.DELIVERY, f"transport:{transport.name}")
        self._breaker = Breaker(transport.name)
        # One call at a time is enough where no call leaves this machine.
        concurrency = 1 if transport.idempotent else context.settings.mail_concurrency
        self._calls = MailCalls(transport, self._breaker, concurrency)
        self._slice = LOCAL_SLICE if transport.idempotent else ROUNDS * concurrency
        rounds = 1 if transport.idempotent else ROUNDS + 1  # a probe goes by itself
        self.shortest_lease_seconds = context.settings.mail_timeout_seconds * rounds + MARGIN_SECONDS
        """What must be left of a lease to begin a slice: with less, a call could outlive it."""
        hold = context.settings.mail_hold_minutes * 60.0
        self._hold_seconds = hold if transport.confirms else min(hold, HOLD_WITHOUT_RECEIPTS_SECONDS)

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Letter]:
        letters = self._addressing.read(connection, [job.target_id for job in jobs])
        remembers = not self._transport.idempotent
        self._breaker.begin(read_breaker(connection, self._transport.name) if remembers else BreakerState())
        uncertain = [letter.email_id for letter in letters.values() if letter.status is EmailStatus.UNCERTAIN]
        letters |= {id_: replace(letters[id_], sent_again=True) for id_ in _sent_again(connection, uncertain)}
        return {job.id: letters[job.target_id] for job in jobs if job.target_id in letters}

    def work(self, item: Letter) -> Composed:
        """Write one letter. Raises `PermanentFailure` for one that can never be written, or must not be."""
        address = self._disclosure.reveal(self._addressing.address(item))
        notice = self._contexts.of(item)
        disclosure = Disclosure(_PURPOSE[RULES[item.kind].reader], item.recipient)
        full = self._contexts.full(item, notice, disclosure)
        context, form = (notice, Form.NOTICE) if full is None else (full, Form.FULL)
        try:
            rendered = write(item.kind, item.language, context, form)
        except (
            DisclosureRefused,
            UndefinedError,
            TypeError,
        ):  # of what it must not have, or of more than it may
            raise PermanentFailure(LEAK_REFUSED) from None
        stop = self._contexts.unsubscribe_url(item)
        try:
            message = compose(rendered, item.email_id, address, self._sender, unsubscribe_url=stop)
        except ValueError:
            raise PermanentFailure("address_unusable") from None
        try:
            check_addressed(context, message)
        except DisclosureRefused:
            raise PermanentFailure(LEAK_REFUSED) from None
        content = self._transport.encode(message)
        return Composed(message, content, hashlib.sha256(content).digest(), form, None if full is None else disclosure)

    def perform(self, jobs: Sequence[ClaimedJob], items: Mapping[int, Letter], lease: Lease) -> Iterator[list[Verdict]]:
        portions = [jobs[start : start + self._slice] for start in range(0, len(jobs), self._slice)]
        next_one = self._write(portions[0], items)
        for number in range(len(portions)):
            if lease.remaining_seconds < self.shortest_lease_seconds:
                rest = [job for portion in portions[number:] for job in portion]
                yield [Failed(job, "lease too short", delay_seconds=1, costs_attempt=False) for job in rest]
                return
            verdicts, written = next_one
            held = self._mark(written)
            # Stopped, settled or suppressed since it was claimed: the next claim sees why.
            verdicts += [_as_it_was(each.job) for each in written if each.job.id not in held]
            marked = [each for each in written if each.job.id in held]
            reach(Failpoint.EMAIL_BEFORE_CALL)
            answers = self._calls.begin([(each.composed.message, each.composed.content) for each in marked])
            # The other side takes its time: meanwhile the next letters are written.
            next_one = self._write(portions[number + 1], items) if number + 1 < len(portions) else ([], [])
            answered = self._answered(marked, answers())
            reach(Failpoint.EMAIL_AFTER_CALL)
            yield verdicts + answered
            if self._breaker.tripped_by is not None:
                raise LaneFailure(self._breaker.tripped_by, self._breaker.rest_seconds)

    def _write(self, portion: Sequence[ClaimedJob], items: Mapping[int, Letter]) -> tuple[list[Verdict], list[Written]]:
        """What needs no call, and the letters that do."""
        verdicts: list[Verdict] = []
        written: list[Written] = []
        for job in portion:
            letter = items[job.id]
            verdict = self._without_a_call(job, letter) or self.attempt(job, letter)
            if isinstance(verdict, Done) and isinstance(verdict.result, Composed):
                written.append(Written(job, letter, verdict.result))
            else:
                verdicts.append(verdict)
        return verdicts, written

    def _without_a_call(self, job: ClaimedJob, letter: Letter) -> Verdict | None:
        rules = RULES[letter.kind]
        asks = rules.when_uncertain is WhenUncertain.ASK or letter.sent_again
        if letter.attempt_id is not None and not self._may_repeat(letter):
            return self._verdict(job, Called(LOST_CALL, letter.attempt_id, letter.address_index))
        if letter.arrived:
            return Done(job, Settled(EmailStatus.DELIVERED, "its link was followed"))
        if letter.sealed.is_erased and not rules.survives_withdrawal:
            open_still = letter.status in {EmailStatus.QUEUED, EmailStatus.UNCERTAIN}
            return Done(job, Settled(EmailStatus.CANCELLED, "erased") if open_still else None)
        if not letter.still_of_use:
            never_sent = letter.status is EmailStatus.QUEUED
            return Done(job, Settled(EmailStatus.CANCELLED, "no longer of use") if never_sent else None)
        match letter.status:
            case EmailStatus.BOUNCED | EmailStatus.DROPPED:
                # Asked for by a receipt: people must see that it did not arrive.
                return Failed(job, f"{letter.status}:{letter.detail or ''}", permanent=True)
            case EmailStatus.UNCERTAIN if asks:
                return Failed(job, f"{letter.status}:{letter.detail or ''}", permanent=True)
            case EmailStatus.UNCERTAIN:
                again = Settled(EmailStatus.QUEUED, "hold over")
                return Failed(job, again.code, delay_seconds=0, costs_attempt=False, result=again)
        if letter.suppressed is not None:
            settled = Settled(EmailStatus.SUPPRESSED, letter.suppressed.value)
            if rules.reader is Reader.PERSON or letter.suppressed is Reason.UNSUBSCRIBED:
                return Done(job, settled)
            # A provider that cannot be written to is something that people must see to.
            return Failed(job, f"suppressed:{settled.code}", permanent=True, result=settled)
        return None

    def _may_repeat(self, letter: Letter) -> bool:
        """Whether a marked email can be called out again with the effect of once."""
        return self._transport.idempotent and letter.marked_for == self._transport.name

    def _mark(self, written: Sequence[Written]) -> set[int]:
        """Commit the attempt ids, and return the ids of the jobs whose emails got one.

        Only emails that are still queued, to addresses that were not suppressed since, by jobs that are still held, and
        whose consent is live: without it they are cancelled here.

        That facts are about to leave in full forms is put on record in the same transaction.
        """
        if not written:
            return set()
        with begin(self._context.database, self._context.keys, actions.lane(EMAIL_LANE)) as unit:
            connection = unit.connection
            held = ledger.hold(connection, [each.job for each in written])
            # As everywhere: jobs, then submissions, then emails. A withdrawal locks the same emails in another order.
            unit.lock(each.job.submission_id for each in written if each.job.submission_id is not None)
            refused = hold_back(unit, [_about_to_leave(each) for each in written if each.job.id in held])
            rows = bulk.fetch(
                connection,
                "UPDATE email SET attempt_id = v.attempt_id, transport = v.transport, content_hash = v.content_hash "
                "FROM v WHERE email.id = v.id AND email.status = v.expected AND NOT EXISTS (SELECT 1 FROM suppression "
                "WHERE suppression.address_index = v.address_index AND suppression.mail_class = v.mail_class) "
                "RETURNING email.id",
                {
                    "id": "uuid",
                    # Of each row, lest PostgreSQL look for the few emails of that status instead of for these.
                    "expected": "text",
                    "attempt_id": "uuid",
                    "transport": "text",
                    "content_hash": "bytea",
                    "address_index": "bytea",
                    "mail_class": "text",
                },
                [
                    (
                        each.letter.email_id,
                        EmailStatus.QUEUED.value,
                        each.composed.message.attempt_id,
                        self._transport.name,
                        each.composed.content_hash,
                        each.letter.address_index,
                        RULES[each.letter.kind].mail_class.value,
                    )
                    for each in written
                    if each.job.id in held and each.letter.email_id not in refused
                ],
            )
            emails = {row[0] if isinstance(row[0], uuid.UUID) else uuid.UUID(row[0]) for row in rows}
            marked = [each for each in written if each.letter.email_id in emails]
            if not self._transport.idempotent:
                self._note_attempts(connection, marked)
            for each in marked:
                self._note_disclosure(unit, each)
        return {each.job.id for each in marked}

    def _note_disclosure(self, unit: UnitOfWork, each: Written) -> None:
        if each.composed.disclosure is None:
            return
        details: dict[Detail, DetailValue] = {
            **each.composed.disclosure.details,
            Detail.EMAIL: str(each.letter.email_id),
            Detail.ATTEMPT_ID: str(each.composed.message.attempt_id),
            Detail.TRANSPORT: self._transport.name,
        }
        unit.record(each.job.submission_id, Action.FACTS_DISCLOSED, details, job=each.job)

    def _note_attempts(self, connection: Connection, marked: Sequence[Written]) -> None:
        columns = ("id", "email_id", "transport", "address_index", "content_hash", "started_at")
        now = utc_now()
        rows = [
            (
                each.composed.message.attempt_id,
                each.letter.email_id,
                self._transport.name,
                each.letter.address_index or b"",
                each.composed.content_hash,
                now,
            )
            for each in marked
        ]
        bulk.insert(connection, EmailAttempt.table(), columns, rows)

    def _answered(self, marked: Sequence[Written], receipts: Sequence[Receipt]) -> list[Verdict]:
        return [
            self._verdict(
                each.job,
                Called(
                    receipt,
                    each.composed.message.attempt_id,
                    each.letter.address_index,
                    each.composed.content_hash,
                    each.composed.form,
                ),
            )
            for each, receipt in zip(marked, receipts, strict=True)
        ]

    def _verdict(self, job: ClaimedJob, called: Called) -> Verdict:
        receipt = called.receipt
        match receipt.outcome:
            case SendOutcome.ACCEPTED:
                return Done(job, called)
            case SendOutcome.REJECTED:
                # Given up by the lane, so that people find it among the dead letters.
                return Failed(job, f"{receipt.outcome}:{receipt.code}", permanent=True, result=called)
            case SendOutcome.UNCERTAIN:
                code = f"{receipt.outcome}:{receipt.code}"
                return Failed(job, code, delay_seconds=self._hold_seconds, costs_attempt=False, result=called)
            case SendOutcome.UNAVAILABLE | SendOutcome.LANE_FAILURE if self._breaker.tripped_by is None:
                return Failed(job, receipt.code, delay_seconds=receipt.retry_after, result=called)
            case SendOutcome.RETRY:
                return Failed(job, receipt.code, delay_seconds=receipt.retry_after, result=called)
            case SendOutcome.NOT_CALLED:
                return Failed(job, "", delay_seconds=0, costs_attempt=False, result=called)
            case _:
                return Failed(job, receipt.code, delay_seconds=AGAIN_SECONDS, costs_attempt=False, result=called)

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        record_outcomes(unit, verdicts, self._transport, self._disclosure)
        # Also what is settled without a call: a process that died over it may have written the file.
        settled = [verdict.job for verdict in verdicts if isinstance(verdict.result, Called | Settled)]
        discard_late(unit, self._context.settings.effective_mailbox_dir, settled)
        if not self._transport.idempotent:
            self._breaker.save(unit)

    def bury(self, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
        bury_emails(unit, jobs)


def _about_to_leave(each: Written) -> AboutToLeave:
    letter = each.letter
    return AboutToLeave(letter.email_id, letter.sealed.submission_id, letter.kind, letter.recipient)


def _as_it_was(job: ClaimedJob) -> Failed:
    return Failed(job, "", delay_seconds=0, costs_attempt=False)


def _sent_again(connection: Connection, email_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those whose fate was unknown twice: sent again once, they are not sent a third time by themselves."""
    if not email_ids:
        return set()
    rows = connection.execute(
        select(EmailAttempt.email_id)
        .where(
            bulk.is_among(connection, EmailAttempt.email_id, email_ids),
            EmailAttempt.outcome == SendOutcome.UNCERTAIN.value,
        )
        .group_by(EmailAttempt.email_id)
        .having(func.count() > 1)
    )
    return set(rows.scalars())
