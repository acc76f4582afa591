"""The timeline of one submission: what its sender saw, what is on record, what was mailed, and which faults were near.

Only ids, statuses and times.
"""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from uuid import UUID

from tests.chaos.client import Sent
from tests.chaos.conductor import Happened
from tests.chaos.evidence import DeadLetter, Email, Evidence, Job, Referral

_NEAR_SECONDS = 15.0
_TOLD_OF_RECORD = ("status", "email", "kind", "attempt_id", "code", "referral", "provider", "transport")

Line = tuple[float, str, str]


def tell(submission_id: UUID, evidence: Evidence, sent: Sequence[Sent], log: Sequence[Happened]) -> str:
    """Everything about it, in order of time (by the database's clock where it is known)."""
    lines = [*_of_sender(submission_id, evidence, sent), *_on_record(submission_id, evidence)]
    lines += _of_mail(submission_id, evidence)
    if lines:
        first, last = min(lines)[0] - _NEAR_SECONDS, max(lines)[0] + _NEAR_SECONDS
        lines += [(each.at, "fault", each.what) for each in log if first <= each.at <= last]
    told = [f"  {_clock(at)} {who:9} {what}" for at, who, what in sorted(lines)]
    return "\n".join([f"submission {submission_id}:", *told, *_as_it_stands(submission_id, evidence)])


def _of_sender(submission_id: UUID, evidence: Evidence, sent: Sequence[Sent]) -> Iterator[Line]:
    numbers = {promise.number for promise in evidence.promises if submission_id in promise.ids}
    for each in sent:
        if each.arrival.number in numbers:
            for attempt in each.tries:
                arrival = each.arrival
                yield (
                    attempt.at,
                    "sender",
                    f"arrival {arrival.number}, {arrival.sort}, by {arrival.door}: {attempt.what}",
                )


def _on_record(submission_id: UUID, evidence: Evidence) -> Iterator[Line]:
    for record in evidence.records:
        if record.about == submission_id:
            details = {name: record.details[name] for name in _TOLD_OF_RECORD if name in record.details}
            behind = (record.committed_at - record.occurred_at).total_seconds()
            what = f"{record.seq:3} {record.action} by {record.actor} {json.dumps(details)} {record.reason or ''}"
            yield record.committed_at.timestamp(), "record", f"{what} (its writer's clock: {-behind:+.1f} s)"


def _of_mail(submission_id: UUID, evidence: Evidence) -> Iterator[Line]:
    ids = {str(email.id) for email in evidence.emails.values() if email.submission_id == submission_id}
    for mail in evidence.mails:
        if mail.email_id in ids:
            yield mail.at, "mail", f"email {mail.email_id}, attempt {mail.attempt_id} was accepted"


def _as_it_stands(submission_id: UUID, evidence: Evidence) -> Iterator[str]:
    if submission_id in evidence.submissions:
        yield f"  now {evidence.submissions[submission_id]}"
    about_it: tuple[Email | Referral | Job | DeadLetter, ...] = (
        *evidence.emails.values(),
        *evidence.referrals,
        *evidence.jobs,
        *evidence.dead,
    )
    yield from (f"  now {row}" for row in about_it if row.submission_id == submission_id)
    ids = {email.id for email in evidence.emails.values() if email.submission_id == submission_id}
    for attempt in evidence.attempts.values():
        if attempt.email_id in ids:
            told = [each.event for each in evidence.told if each.attempt_id == str(attempt.id)]
            yield f"  now {attempt}, reported {', '.join(told) or 'nothing'}"


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S.%f")[:-3]
