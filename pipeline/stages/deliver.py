"""The lane `email`: hand each email over once, or say that it is not known.

    mark     a slice of emails gets an attempt id, committed, before the transport is called
    call     the transport, several at a time, none that could outlive the lease
    record   the answers, in one transaction

An email found with a mark was given to a transport by a process that never came back. Unless the transport has the
effect of one for two (the mailbox folder), it becomes `uncertain` and is not sent again.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, select

from pipeline import bulk, ledger
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.email.message import Outgoing, Sender, compose
from pipeline.email.render import render
from pipeline.engine.lease import Lease
from pipeline.engine.stage import Done, Failed, LaneFailure, PermanentFailure, Stage, Verdict, whereabouts
from pipeline.ledger import ClaimedJob
from pipeline.models import Email
from pipeline.stages.addressing import Addressing, Letter
from pipeline.status import EmailStatus, SubmissionStatus, check_email
from pipeline.transports.receipt import Receipt, SendOutcome, Transport
from pipeline.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)

SLICE = 50
MARGIN_SECONDS = 5.0
PAUSE_SECONDS = 60.0
AGAIN_SECONDS = 5.0

_STATUS = {
    SendOutcome.ACCEPTED: EmailStatus.HANDED_OVER,
    SendOutcome.REJECTED: EmailStatus.FAILED,
    SendOutcome.UNCERTAIN: EmailStatus.UNCERTAIN,
    SendOutcome.RETRY: EmailStatus.QUEUED,
    SendOutcome.LANE_FAILURE: EmailStatus.QUEUED,
}
_ACTION = {
    EmailStatus.HANDED_OVER: Action.EMAIL_HANDED_OVER,
    EmailStatus.FAILED: Action.EMAIL_FAILED,
    EmailStatus.UNCERTAIN: Action.EMAIL_UNCERTAIN,
    EmailStatus.CANCELLED: Action.EMAIL_CANCELLED,
}
LOST_CALL = Receipt(SendOutcome.UNCERTAIN, code="process lost")


@dataclass(frozen=True, slots=True)
class Written:
    """A letter ready to go."""

    job: ClaimedJob
    message: Outgoing


class DeliverStage(Stage):
    def __init__(self, context: Context, transport: Transport, concurrency: int = 8) -> None:
        self._context = context
        self._transport = transport
        self._addressing = Addressing(context)
        self._sender = Sender.from_settings(context.settings)
        # One call at a time is enough where no call leaves this machine.
        self._pool = None if transport.idempotent or transport.name == "null" else ThreadPoolExecutor(concurrency)
        call_rounds = 1 if self._pool is None else -(-SLICE // concurrency)
        self.shortest_lease_seconds = context.settings.mail_timeout_seconds * call_rounds + MARGIN_SECONDS
        """What must be left of a lease to begin a slice: with less, a call could outlive it."""

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Letter]:
        letters = self._addressing.read(connection, [job.target_id for job in jobs])
        return {job.id: letters[job.target_id] for job in jobs if job.target_id in letters}

    def work(self, item: Letter) -> Outgoing:
        """Write one letter. Raises `PermanentFailure` for one that can never be written."""
        address = self._addressing.address(item)
        rendered = render(item.kind, item.language, self._addressing.context(item))
        try:
            return compose(rendered, item.email_id, address, self._sender)
        except ValueError:
            raise PermanentFailure("address_unusable") from None

    def perform(self, jobs: Sequence[ClaimedJob], items: Mapping[int, Letter], lease: Lease) -> Iterator[list[Verdict]]:
        for start in range(0, len(jobs), SLICE):
            portion = jobs[start : start + SLICE]
            if lease.remaining_seconds < self.shortest_lease_seconds:
                yield [Failed(job, "lease too short", delay_seconds=0, costs_attempt=False) for job in portion]
                continue
            verdicts: list[Verdict] = []
            written: list[Written] = []
            for job in portion:
                if items[job.id].attempt_id is not None and not self._transport.idempotent:
                    verdicts.append(_verdict(job, LOST_CALL))
                    continue
                verdict = self.attempt(job, items[job.id])
                if isinstance(verdict, Done):
                    written.append(Written(job, verdict.result))
                else:
                    verdicts.append(verdict)
            marked = self._mark(written)
            verdicts += [Done(letter.job, None) for letter in written if letter.job.id not in marked]
            calls = [letter for letter in written if letter.job.id in marked]
            receipts = list(self._pool.map(self._call, calls) if self._pool else map(self._call, calls))
            verdicts += [_verdict(letter.job, receipt) for letter, receipt in zip(calls, receipts, strict=True)]
            yield verdicts
            _stop_if_everyone_fails(receipts)

    def _mark(self, written: Sequence[Written]) -> set[int]:
        """Commit the attempt ids. Only emails still queued, by jobs still held, are marked: the ids of those jobs."""
        if not written:
            return set()
        with self._context.database.write() as connection:
            held = ledger.hold(connection, [letter.job for letter in written])
            rows = bulk.fetch(
                connection,
                "UPDATE email SET attempt_id = v.attempt_id, transport = v.transport FROM v "
                "WHERE email.id = v.id AND email.status = 'queued' RETURNING email.id",
                {"id": "uuid", "attempt_id": "uuid", "transport": "text"},
                [
                    (letter.message.email_id, letter.message.attempt_id, self._transport.name)
                    for letter in written
                    if letter.job.id in held
                ],
            )
        marked = {row[0] if isinstance(row[0], uuid.UUID) else uuid.UUID(row[0]) for row in rows}
        return {letter.job.id for letter in written if letter.message.email_id in marked}

    def _call(self, letter: Written) -> Receipt:
        try:
            return self._transport.send(letter.message)
        except Exception as error:  # noqa: BLE001 - whatever it was, the call may have gone through
            log.error("transport broke", job=letter.job.id, **whereabouts(error))
            return Receipt(SendOutcome.UNCERTAIN, code=f"unexpected:{type(error).__name__}")

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        receipts = [(v.job, v.result) for v in verdicts if isinstance(v.result, Receipt)]
        queued = {
            row.id: row
            for row in unit.connection.execute(
                select(Email.id, Email.kind, Email.status).where(
                    Email.id.in_([job.target_id for job, _ in receipts]), Email.status == EmailStatus.QUEUED
                )
            )
        }
        rows = []
        for job, receipt in receipts:
            if job.target_id not in queued:
                continue
            after = _STATUS[receipt.outcome]
            if after is EmailStatus.QUEUED and self._is_withdrawn(unit, job):
                after = EmailStatus.CANCELLED  # it was on its way when the person stopped everything
            handed_over_at = unit.now if after is EmailStatus.HANDED_OVER else None
            rows.append((job.target_id, after.value, handed_over_at, receipt.provider_message_id, receipt.code))
            if after is not EmailStatus.QUEUED:
                check_email(EmailStatus.QUEUED, after)
                details = {
                    Detail.EMAIL: str(job.target_id),
                    Detail.KIND: queued[job.target_id].kind,
                    Detail.TRANSPORT: self._transport.name,
                    Detail.CODE: receipt.code,
                    Detail.MESSAGE: receipt.provider_message_id,
                }
                unit.record(job.submission_id, _ACTION[after], details, job=job)
        _write_outcomes(unit.connection, rows)

    @staticmethod
    def _is_withdrawn(unit: UnitOfWork, job: ClaimedJob) -> bool:
        return job.submission_id is not None and unit.heads[job.submission_id].status is SubmissionStatus.WITHDRAWN

    def bury(self, unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
        """A dead job's email has failed; one that carries a mark may have been sent, so it is uncertain."""
        rows = []
        reasons = {job.target_id: (job, reason) for job, reason in jobs}
        queued = select(Email.id, Email.kind, Email.attempt_id).where(
            Email.id.in_(list(reasons)), Email.status == EmailStatus.QUEUED
        )
        for row in unit.connection.execute(queued):
            job, reason = reasons[row.id]
            after = EmailStatus.FAILED if row.attempt_id is None else EmailStatus.UNCERTAIN
            rows.append((row.id, after.value, None, None, reason))
            details = {Detail.EMAIL: str(row.id), Detail.KIND: row.kind, Detail.CODE: reason}
            unit.record(job.submission_id, _ACTION[after], details, job=job)
        _write_outcomes(unit.connection, rows)


def _verdict(job: ClaimedJob, receipt: Receipt) -> Verdict:
    match receipt.outcome:
        case SendOutcome.RETRY:
            return Failed(job, receipt.code, delay_seconds=receipt.retry_after, result=receipt)
        case SendOutcome.REJECTED | SendOutcome.UNCERTAIN:
            # Given up by the lane, so that people find it among the dead letters.
            return Failed(job, f"{receipt.outcome}:{receipt.code}", permanent=True, result=receipt)
        case SendOutcome.LANE_FAILURE:
            return Failed(job, receipt.code, delay_seconds=AGAIN_SECONDS, costs_attempt=False, result=receipt)
        case _:
            return Done(job, receipt)


def _stop_if_everyone_fails(receipts: Sequence[Receipt]) -> None:
    """Pause the lane if the other side says so, or if nothing got through: one lost connection is no reason."""
    failures = [receipt for receipt in receipts if receipt.outcome is SendOutcome.LANE_FAILURE]
    told_to_wait = any(receipt.retry_after for receipt in failures)
    got_through = any(receipt.outcome is SendOutcome.ACCEPTED for receipt in receipts)
    if failures and (told_to_wait or not got_through):
        wait = max((receipt.retry_after for receipt in failures if receipt.retry_after), default=PAUSE_SECONDS)
        raise LaneFailure(failures[0].code, wait)


def _write_outcomes(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    bulk.execute(
        connection,
        "UPDATE email SET status = v.status, attempt_id = NULL, handed_over_at = v.handed_over_at, "
        "provider_message_id = v.message_id, detail = v.detail FROM v WHERE email.id = v.id",
        {"id": "uuid", "status": "text", "handed_over_at": "timestamptz", "message_id": "text", "detail": "text"},
        rows,
    )
