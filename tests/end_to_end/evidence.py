"""What the database says afterwards, and whether it all adds up."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from pipeline.audit.actions import Action
from pipeline.audit.verify import verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.consent.purposes import ASKED
from pipeline.context import Context
from pipeline.db import Database
from pipeline.email.kinds import EmailKind
from pipeline.models import (
    Assessment,
    AuditEvent,
    DeadJob,
    Duplicate,
    Email,
    Job,
    Referral,
    Review,
    SealedDocument,
    Submission,
)
from pipeline.outreach import TO_PERSON, to_provider
from pipeline.referral import REFER_LANE
from pipeline.scoring.assess import ReviewReason
from pipeline.status import EmailStatus, SubmissionStatus
from tests.support.work import table

OUTCOME_EMAILS = {
    SubmissionStatus.CANDIDATE: EmailKind.RECOMMENDATION,
    SubmissionStatus.NEEDS_REVIEW: EmailKind.IN_REVIEW,
    SubmissionStatus.NO_MATCH: EmailKind.NO_MATCH,
}
_VERDICTS = {
    **dict.fromkeys(OUTCOME_EMAILS, Action.SUBMISSION_VALIDATED),
    SubmissionStatus.REJECTED: Action.SUBMISSION_REJECTED,
    SubmissionStatus.DUPLICATE: Action.SUBMISSION_JOINED,
    SubmissionStatus.QUARANTINED: Action.SUBMISSION_QUARANTINED,
}
FIRST_EMAIL = {
    **dict.fromkeys(OUTCOME_EMAILS, EmailKind.CONFIRMATION),
    SubmissionStatus.REJECTED: EmailKind.PLEASE_CORRECT,
    SubmissionStatus.DUPLICATE: EmailKind.JOINED,
}
_NOT_VALID = frozenset({SubmissionStatus.REJECTED, SubmissionStatus.QUARANTINED})
_EMAIL_ENDS = {Action.EMAIL_HANDED_OVER: "handed_over", Action.EMAIL_UNCERTAIN: "uncertain"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that does not add up; `submission_id` empty when it is about no submission."""

    submission_id: UUID | None
    what: str


class Evidence:
    """All rows that tell what happened, read at one time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        database = context.database
        self.submissions: dict[UUID, Row[Any]] = {row.id: row for row in table(database, Submission.table())}
        self.emails = table(database, Email.table())
        self.jobs = table(database, Job.table())
        self.dead = table(database, DeadJob.table())
        self._reviews = {row.submission_id: row.reasons for row in table(database, Review.table())}
        self._referrals = _by_submission(table(database, Referral.table()))
        self._assessed = {row.submission_id for row in table(database, Assessment.table())}
        self._sealed = {(row.submission_id, row.part) for row in table(database, SealedDocument.table())}
        self._joined = {row.submission_id for row in table(database, Duplicate.table())}
        events = table(database, AuditEvent.table())
        self._events = _by_submission(sorted(events, key=lambda row: row.seq))

    @property
    def statuses(self) -> Counter[str]:
        return Counter(row.status for row in self.submissions.values())

    def check(self, accepted: Iterable[UUID]) -> None:
        """Raise AssertionError with what is wrong and the first concerned submission's timeline.

        `accepted` are the ids that were answered 2xx: exactly those must be here, and each must have come to its end
        with everything that belongs to it, once.
        """
        wrong = [*self._wrong_overall(set(accepted))]
        for submission in self.submissions.values():
            wrong += [Wrong(submission.id, what) for what in self._wrong_with(submission)]
        if not wrong:
            return
        concerned = next((item.submission_id for item in wrong if item.submission_id in self.submissions), None)
        story = self.timeline(concerned) if concerned else ""
        lines = [f"  {item.submission_id or 'overall'}: {item.what}" for item in wrong[:20]]
        raise AssertionError("\n".join([f"{len(wrong)} things are wrong:", *lines, story]))

    def first_left(self) -> str:
        """The timeline of the first submission that something is left to do for."""
        left = next((row.submission_id for row in self.jobs if row.lane != REFER_LANE and row.submission_id), None)
        return f"{len(self.jobs)} jobs are left\n{self.timeline(left) if left else ''}"

    def timeline(self, submission_id: UUID) -> str:
        """What is on record about a submission, its emails and what is left to do for it."""
        lines = [f"submission {submission_id}, now {self.submissions[submission_id].status}:"]
        lines += [
            f"  {row.seq:3} {row.occurred_at:%H:%M:%S.%f} {row.actor:14} {row.action} {row.details} {row.reason or ''} "
            f"{f'job {row.job_id}, attempt {row.attempt}' if row.job_id else ''}"
            for row in self._events[submission_id]
        ]
        for title, rows in (("email", self.emails), ("job", self.jobs), ("dead job", self.dead)):
            lines += [f"  {title}: {dict(row._mapping)}" for row in rows if row.submission_id == submission_id]
        return "\n".join(lines)

    def _wrong_overall(self, accepted: set[UUID]) -> Iterator[Wrong]:
        for lost in accepted - self.submissions.keys():
            yield Wrong(None, f"{lost} was answered 2xx and is not here")
        for made_up in self.submissions.keys() - accepted:
            yield Wrong(made_up, "is here, and nobody was told so")
        yield from self._wrong_dead_letters()
        for row in self.jobs:
            if row.lane != REFER_LANE or row.lease_token is not None:
                yield Wrong(row.submission_id, f"a job of lane {row.lane} is left")
        for about, number in Counter((row.submission_id, row.kind, row.recipient) for row in self.emails).items():
            if number > 1:
                yield Wrong(about[0], f"{number} emails {about[1]} to {about[2]}")
        held_against = open_evidence(self._context.settings, self._context.keys)
        for finding in verify_log(self._context.database, held_against).findings:
            yield Wrong(None, f"audit: leaf {finding.leaf}: {finding.about}: {finding.problem}")

    def _wrong_dead_letters(self) -> Iterator[Wrong]:
        """Emails of uncertain fate are listed among the dead letters, and nothing else is."""
        uncertain = {row.id: row.submission_id for row in self.emails if row.status == EmailStatus.UNCERTAIN}
        listed = {row.target_id for row in self.dead if row.reason.startswith("uncertain:")}
        for row in self.dead:
            if row.target_id not in uncertain:
                yield Wrong(row.submission_id, f"dead letter of lane {row.lane}: {row.reason}")
        for email_id in uncertain.keys() - listed:
            yield Wrong(uncertain[email_id], f"email {email_id} is uncertain and not listed")

    def _wrong_with(self, submission: Row[Any]) -> Iterator[str]:
        status = SubmissionStatus(submission.status)
        if status not in _VERDICTS:
            yield f"is {status}: it did not come to its end"
            return
        yield from self._wrong_records(submission.id, status)
        if (submission.id in self._assessed) != (status in OUTCOME_EMAILS):
            yield "its outcome and its assessment do not belong together"
        if ((submission.id, "assessment") in self._sealed) != (status in OUTCOME_EMAILS):
            yield "its outcome and its explanation do not belong together"
        if (submission.id in self._joined) != (status is SubmissionStatus.DUPLICATE):
            yield "it is joined, or not, to an earlier one against its status"
        written = Counter((row.kind, row.recipient) for row in self.emails if row.submission_id == submission.id)
        if written != self._emails_due(submission.id, status):
            yield f"has the emails {dict(written)}"

    def _wrong_records(self, submission_id: UUID, status: SubmissionStatus) -> Iterator[str]:
        """Every transition exactly once, and none that did not happen."""
        found = Counter(row.action for row in self._events[submission_id])
        again = Counter(
            json.loads(row.details)["email"]
            for row in self._events[submission_id]
            if row.action == Action.EMAIL_REQUEUED
        )
        referrals = self._referrals[submission_id]
        emails = [row for row in self.emails if row.submission_id == submission_id]
        due = Counter({Action.SUBMISSION_RECEIVED.value: 1, _VERDICTS[status].value: 1})
        due[Action.SUBMISSION_SCORED.value] = int(status in OUTCOME_EMAILS)
        due[Action.CONSENT_GIVEN.value] = 0 if status in _NOT_VALID else len(ASKED)
        due[Action.REFERRAL_OFFERED.value] = len(referrals)
        due[Action.EMAIL_QUEUED.value] = len(emails)
        due[Action.JOB_DIED.value] = sum(row.status == EmailStatus.UNCERTAIN for row in emails)
        for action, end in _EMAIL_ENDS.items():
            due[action.value] = sum(row.status == end for row in emails)
        # Of unknown fate, and sent again by the policy of its kind: once.
        due[Action.EMAIL_REQUEUED.value] = len(again)
        due[Action.EMAIL_UNCERTAIN.value] += len(again)
        if found != +due:
            yield f"is recorded as {dict(found)} where {dict(+due)} was due"

    def _emails_due(self, submission_id: UUID, status: SubmissionStatus) -> Mapping[tuple[str, str], int]:
        referrals = self._referrals[submission_id]
        due = Counter((EmailKind.REFERRAL.value, to_provider(referral.provider_id)) for referral in referrals)
        for kinds in (FIRST_EMAIL, OUTCOME_EMAILS):
            if status in kinds:
                due[kinds[status].value, TO_PERSON] += 1
        if self._reviews.get(submission_id) == ReviewReason.INFORMATION_MISSING:
            due[EmailKind.IN_REVIEW.value, TO_PERSON] -= 1
            due[EmailKind.INFORMATION_NEEDED.value, TO_PERSON] += 1
        return +due


def drained(database: Database) -> bool:
    """Whether nothing is due and nobody is at work: only what was asked to be looked at much later is left."""
    return all(row.lane == REFER_LANE and row.lease_token is None for row in table(database, Job.table()))


def _by_submission(rows: Iterable[Row[Any]]) -> defaultdict[UUID | None, list[Row[Any]]]:
    found: defaultdict[UUID | None, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.submission_id].append(row)
    return found
