"""What became of the demo's submissions, and whether every promise was kept: nothing lost, nothing twice, all proven.

The forms' own log (who was answered 2xx) is held against the database, the database against the mailbox folder, and
the audit record against itself and against the log that was signed of it.
"""

import datetime as dt
import math
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from config.settings import Settings
from embedded.demo_posting import Answered, NotAnswered, Result
from pipeline.audit.verify import verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.db import Database
from pipeline.email.kinds import EmailKind
from pipeline.models import DeadJob, Email, Job, Submission
from pipeline.operations.opening import open_keys
from pipeline.outreach import TO_PERSON
from pipeline.referral import REFER_LANE
from pipeline.status import EmailStatus, SubmissionStatus

_UNFINISHED = frozenset({SubmissionStatus.RECEIVED, SubmissionStatus.VALID})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time from a submission's commit to its confirmation being handed over, over `count` confirmations."""

    p50: float
    p99: float
    count: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """The figures, and what is wrong: nothing, it is hoped."""

    statuses: Mapping[str, int]
    emails: Mapping[tuple[str, str], int]
    confirmation: Seconds | None
    records: int
    records_wrong: int
    records_signed: int
    accepted: int
    repeated: int
    example: str | None
    findings: tuple[str, ...]


def judge(settings: Settings, database: Database, results: Sequence[Result], repeats: Sequence[Result]) -> Judgement:
    """Compare what was answered with what is there. `repeats` are second deliveries of what is in `results`."""
    keys = open_keys(settings, database)
    verification = verify_log(database, open_evidence(settings, keys))
    with database.snapshot() as connection:
        submissions = {row.id: row for row in connection.execute(select(Submission.table()))}
        emails = list(connection.execute(select(Email.table())))
        answered = [result for result in results if isinstance(result, Answered)]
        findings = [
            *_not_answered([*results, *repeats]),
            *_lost(answered, submissions),
            *_twice(answered, repeats, submissions),
            *_unfinished(connection, submissions),
            *_emails_wrong(emails, settings.effective_mailbox_dir),
            *_left_in_silence(submissions, emails),
            *(f"audit record {finding.about}: {finding.problem}" for finding in verification.findings[:_SHOWN]),
        ]
    return Judgement(
        statuses=Counter(row.status for row in submissions.values()),
        emails=Counter((row.kind, row.status) for row in emails),
        confirmation=_confirmation(submissions, emails),
        records=verification.events,
        records_wrong=verification.findings_count,
        records_signed=verification.signed_size,
        accepted=len(answered),
        repeated=sum(isinstance(result, Answered) for result in repeats),
        example=_example(submissions),
        findings=tuple(findings),
    )


def _not_answered(results: Sequence[Result]) -> Iterator[str]:
    for why, count in Counter(result.why for result in results if isinstance(result, NotAnswered)).items():
        yield f"{count} deliveries were never accepted ({why})"


def _lost(answered: Sequence[Answered], submissions: Mapping[uuid.UUID, Any]) -> Iterator[str]:
    for result in answered:
        kept = submissions.get(result.submission_id)
        if kept is None or kept.reference != result.reference:
            yield f"{result.reference} was accepted and is lost"


def _twice(
    answered: Sequence[Answered], repeats: Sequence[Result], submissions: Mapping[uuid.UUID, Any]
) -> Iterator[str]:
    first = {result.number: result.submission_id for result in answered}
    if len(set(first.values())) != len(first):
        yield "two deliveries were answered with the same submission"
    for repeat in repeats:
        if isinstance(repeat, Answered) and repeat.submission_id != first.get(repeat.number):
            yield f"a repeated delivery made another submission, {repeat.reference}"
    for extra in submissions.keys() - set(first.values()):
        yield f"submission {submissions[extra].reference} belongs to no delivery"


def _unfinished(connection: Connection, submissions: Mapping[uuid.UUID, Any]) -> Iterator[str]:
    waiting = Counter(row.status for row in submissions.values() if row.status in _UNFINISHED)
    for status, count in waiting.items():
        yield f"{count} submissions are still {status}"
    left = select(Job.lane, Job.last_error, func.count()).where(Job.lane != REFER_LANE)
    for lane, error, count in connection.execute(left.group_by(Job.lane, Job.last_error)):
        yield f"{count} jobs of lane {lane} are not done" + (f", last with {error}" if error else "")
    dead = connection.execute(select(DeadJob.lane, DeadJob.reason, func.count()).group_by(DeadJob.lane, DeadJob.reason))
    for lane, reason, count in dead:
        yield f"{count} jobs of lane {lane} were given up: {reason}"


def _emails_wrong(emails: Sequence[Any], mailbox: Path) -> Iterator[str]:
    files = Counter(path.stem for path in mailbox.glob("*.eml"))
    for status in (EmailStatus.QUEUED, EmailStatus.UNCERTAIN, EmailStatus.FAILED):
        count = sum(row.status == status for row in emails)
        if count:
            yield f"{count} emails are {status}"
    handed_over = {str(row.id) for row in emails if row.status == EmailStatus.HANDED_OVER}
    missing, unknown = handed_over - files.keys(), files.keys() - handed_over
    if missing:
        yield f"{len(missing)} emails were handed over and are not in the mailbox"
    if unknown:
        yield f"{len(unknown)} files in the mailbox belong to no email that was handed over"
    same = Counter((row.submission_id, row.kind, row.recipient, row.cause) for row in emails)
    for (_, kind, recipient, _), count in same.items():
        if count > 1:
            yield f"{recipient} got {count} emails {kind} for one cause"


def _left_in_silence(submissions: Mapping[uuid.UUID, Any], emails: Sequence[Any]) -> Iterator[str]:
    heard = {row.submission_id for row in emails if row.recipient == TO_PERSON}
    for row in submissions.values():
        if row.status != SubmissionStatus.QUARANTINED and row.id not in heard:
            yield f"the person of {row.reference} was told nothing"


def _confirmation(submissions: Mapping[uuid.UUID, Any], emails: Sequence[Any]) -> Seconds | None:
    times: list[dt.timedelta] = [
        row.handed_over_at - submissions[row.submission_id].received_at
        for row in emails
        if row.kind == EmailKind.CONFIRMATION and row.handed_over_at is not None
    ]
    if not times:
        return None
    seconds = sorted(time.total_seconds() for time in times)
    return Seconds(_percentile(seconds, 0.50), _percentile(seconds, 0.99), len(seconds))


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a value that was measured."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def _example(submissions: Mapping[uuid.UUID, Any]) -> str | None:
    """The reference of one worth a look: a candidate if there is one."""
    by_worth = sorted(submissions.values(), key=lambda row: (row.status != SubmissionStatus.CANDIDATE, row.received_at))
    return by_worth[0].reference if by_worth else None
