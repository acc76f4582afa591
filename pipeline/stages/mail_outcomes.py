"""What is written when an email was called out, settled without a call, or given up: status, attempt and record."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.email.kinds import RULES, EmailKind, Form
from pipeline.engine.stage import Verdict
from pipeline.ledger import ClaimedJob
from pipeline.models import Email
from pipeline.protected import Disclosure
from pipeline.status import STOPPED, EmailStatus, check_email
from pipeline.suppression import Reason, suppress
from pipeline.transports.receipt import Receipt, SendOutcome, Transport
from pipeline.unit_of_work import UnitOfWork

LEAK_REFUSED = "leak_refused"
"""A template tried to say what its form must not hold."""

_STATUS = {
    SendOutcome.ACCEPTED: EmailStatus.HANDED_OVER,
    SendOutcome.REJECTED: EmailStatus.FAILED,
    SendOutcome.UNCERTAIN: EmailStatus.UNCERTAIN,
}
"""Whatever is not here leaves the email queued."""
_ACTION = {
    EmailStatus.HANDED_OVER: Action.EMAIL_HANDED_OVER,
    EmailStatus.DELIVERED: Action.EMAIL_DELIVERED,
    EmailStatus.BOUNCED: Action.EMAIL_BOUNCED,
    EmailStatus.FAILED: Action.EMAIL_FAILED,
    EmailStatus.UNCERTAIN: Action.EMAIL_UNCERTAIN,
    EmailStatus.SUPPRESSED: Action.EMAIL_SUPPRESSED,
    EmailStatus.CANCELLED: Action.EMAIL_CANCELLED,
    EmailStatus.QUEUED: Action.EMAIL_REQUEUED,
}
_NOT_TOLD = frozenset({SendOutcome.NOT_CALLED, SendOutcome.LANE_FAILURE})
"""Outcomes that are not put on record email by email: the pause of the lane is."""
_CAN_STILL_CHANGE = (EmailStatus.QUEUED, EmailStatus.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Called:
    """The transport was called: its receipt, and what was handed to it (unknown for a call of a lost process)."""

    receipt: Receipt
    attempt_id: uuid.UUID
    address_index: bytes | None
    content_hash: bytes | None = None
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Decided without a call. Back to `queued`: it is sent again, by the policy of its kind."""

    status: EmailStatus
    code: str


def record_outcomes(
    unit: UnitOfWork, verdicts: Sequence[Verdict], transport: Transport, disclosure: Disclosure
) -> None:
    """Write what came of a slice.

    A receipt may have overtaken an answer: then the status it moved to is left alone, and what was handed over and to
    whom is put on record all the same.
    """
    results = [(v.job, v.result) for v in verdicts if isinstance(v.result, Called | Settled)]
    found = _read(unit.connection, [job.target_id for job, _ in results])
    outcomes, attempts = [], []
    for job, result in results:
        if isinstance(result, Called):
            attempts.append(result)
        row = found.get(job.target_id)
        if row is None:
            continue
        if isinstance(result, Settled):
            if row.status in _CAN_STILL_CHANGE:
                outcomes.append(_record_settled(unit, job, row, result))
        elif row.status == EmailStatus.QUEUED:
            outcomes.append(_record_call(unit, job, row, result, transport, disclosure))
        elif result.receipt.outcome is SendOutcome.ACCEPTED:
            _record_call(unit, job, row, result, transport, disclosure)
    _write_outcomes(unit.connection, outcomes)
    if not transport.idempotent:
        _write_attempts(unit.connection, attempts)


def bury_emails(unit: UnitOfWork, jobs: Sequence[tuple[ClaimedJob, str]]) -> None:
    """A dead job's email has failed; one that carries a mark may have been sent, so it is uncertain."""
    reasons = {job.target_id: (job, reason) for job, reason in jobs}
    outcomes = []
    for row in _read(unit.connection, list(reasons)).values():
        if row.status != EmailStatus.QUEUED:
            continue
        job, reason = reasons[row.id]
        after = EmailStatus.FAILED if row.attempt_id is None else EmailStatus.UNCERTAIN
        action = Action.EMAIL_REFUSED if reason == LEAK_REFUSED else _ACTION[after]
        outcomes.append((row.id, after.value, None, None, reason))
        unit.record(job.submission_id, action, {**_about(row), Detail.CODE: reason}, job=job)
    _write_outcomes(unit.connection, outcomes)


def _record_call(
    unit: UnitOfWork, job: ClaimedJob, row: Row[Any], called: Called, transport: Transport, disclosure: Disclosure
) -> tuple[object, ...]:
    receipt = called.receipt
    after = _STATUS.get(receipt.outcome, EmailStatus.QUEUED)
    if receipt.bad_address:
        after = EmailStatus.BOUNCED
    if after is EmailStatus.QUEUED and _is_stopped(unit, job, row):
        after = EmailStatus.CANCELLED  # it was on its way when the person stopped everything
    details: dict[Detail, DetailValue] = {
        **_about(row),
        **disclosure.details,
        Detail.TRANSPORT: transport.name,
        Detail.CODE: receipt.code,
        Detail.MESSAGE: receipt.provider_message_id,
        Detail.ATTEMPT_ID: str(called.attempt_id),
        Detail.FORM: called.form.value if called.form else None,
        Detail.CONTENT_HASH: called.content_hash.hex() if called.content_hash else None,
    }
    if after is not EmailStatus.QUEUED:
        check_email(EmailStatus.QUEUED, after)
        unit.record(job.submission_id, _ACTION[after], details, job=job)
    elif receipt.outcome not in _NOT_TOLD:
        unit.record(job.submission_id, Action.EMAIL_DEFERRED, details, job=job)
    if receipt.bad_address and called.address_index:
        suppress(unit, called.address_index, Reason.BOUNCED, submission_id=job.submission_id, email_id=row.id)
    handed_over_at = unit.now if after is EmailStatus.HANDED_OVER else None
    return (row.id, after.value, handed_over_at, receipt.provider_message_id, receipt.code)


def _record_settled(unit: UnitOfWork, job: ClaimedJob, row: Row[Any], settled: Settled) -> tuple[object, ...]:
    after = settled.status
    if after is EmailStatus.QUEUED and _is_stopped(unit, job, row):
        after = EmailStatus.CANCELLED
    check_email(EmailStatus(row.status), after)
    unit.record(job.submission_id, _ACTION[after], {**_about(row), Detail.CODE: settled.code}, job=job)
    return (row.id, after.value, None, None, settled.code)


def _is_stopped(unit: UnitOfWork, job: ClaimedJob, row: Row[Any]) -> bool:
    if job.submission_id is None or RULES[EmailKind(row.kind)].survives_withdrawal:
        return False
    return unit.heads[job.submission_id].status in STOPPED


def _about(row: Row[Any]) -> dict[Detail, DetailValue]:
    return {Detail.EMAIL: str(row.id), Detail.KIND: row.kind}


def _read(connection: Connection, email_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Any]:
    if not email_ids:
        return {}
    rows = connection.execute(_reading(connection.dialect.name), {"ids": list(email_ids)})
    return {row.id: row for row in rows}


@cache
def _reading(dialect: str) -> Select[uuid.UUID, str, str, uuid.UUID | None]:
    columns = select(Email.id, Email.kind, Email.status, Email.attempt_id)
    return columns.where(bulk.is_one_of(dialect, Email.id, "ids"))


def _write_outcomes(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    bulk.execute(
        connection,
        "UPDATE email SET status = v.status, attempt_id = NULL, handed_over_at = v.handed_over_at, "
        "provider_message_id = v.message_id, detail = v.detail FROM v WHERE email.id = v.id",
        {"id": "uuid", "status": "text", "handed_over_at": "timestamptz", "message_id": "text", "detail": "text"},
        rows,
    )


def _write_attempts(connection: Connection, attempts: Sequence[Called]) -> None:
    bulk.execute(
        connection,
        "UPDATE email_attempt SET outcome = v.outcome, code = v.code, "
        "provider_message_id = coalesce(v.message_id, email_attempt.provider_message_id) "
        "FROM v WHERE email_attempt.id = v.id",
        {"id": "uuid", "outcome": "text", "code": "text", "message_id": "text"},
        [
            (each.attempt_id, each.receipt.outcome.value, each.receipt.code, each.receipt.provider_message_id)
            for each in attempts
        ],
    )
