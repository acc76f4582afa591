"""A transaction of the textbook: one submission, through the ORM, with the records every step owes."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from pipeline.audit import actions
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import COLUMNS, DetailValue, Entry, row
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, AuditPending, Email, SecureLink, Submission
from pipeline.outreach import Message
from pipeline.secure_link import Audience
from pipeline.status import EmailStatus, SubmissionStatus, check_submission

_EVENT_COLUMNS = (*COLUMNS, "leaf_hash", "mac")
_WITHOUT_LINK = frozenset({EmailKind.PLEASE_CORRECT})


@dataclass(slots=True)
class Step:
    """What one task writes. `lock` comes before anything that is put on record."""

    session: Session
    context: Context
    actor: Actor
    submission_id: uuid.UUID
    now: dt.datetime = field(default_factory=utc_now)

    def lock(self) -> Submission:
        """The submission, locked until the commit: it carries the number of its last audit record."""
        return self.session.get_one(Submission, self.submission_id, with_for_update=True)

    def transition(
        self,
        submission: Submission,
        after: SubmissionStatus,
        action: Action,
        details: Mapping[Detail, DetailValue] | None = None,
        reason: str | None = None,
    ) -> None:
        before = SubmissionStatus(submission.status)
        check_submission(before, after)
        submission.status, submission.status_changed_at = after.value, self.now
        told: dict[Detail, DetailValue] = {Detail.PREVIOUS_STATUS: before.value, Detail.STATUS: after.value}
        self.record(submission, action, {**told, **(details or {})}, reason)

    def record(
        self,
        submission: Submission,
        action: Action,
        details: Mapping[Detail, DetailValue] | None = None,
        reason: str | None = None,
    ) -> None:
        submission.audit_seq += 1
        entry = Entry(self.actor, action, submission.id, self.now, reason=reason, details=details)
        values = row(entry, uuid7(), submission.audit_seq, self.context.keys.authenticate)
        self.session.add(AuditEvent(**dict(zip(_EVENT_COLUMNS, values, strict=True))))
        self.session.add(AuditPending(event_id=values[0]))

    def queue_email(self, submission: Submission, message: Message) -> str:
        """The email's row, link and record; its id, for the task that will send it."""
        email_id = uuid7()
        self.session.add(
            Email(
                id=email_id,
                submission_id=submission.id,
                kind=message.kind.value,
                recipient=message.recipient,
                cause=message.cause,
                subject_id=message.subject_id,
                language=message.language,
                status=EmailStatus.QUEUED.value,
                created_at=self.now,
            )
        )
        if message.kind not in _WITHOUT_LINK:
            self.session.add(self._link(email_id, message))
        self.record(
            submission,
            Action.EMAIL_QUEUED,
            {
                Detail.EMAIL: str(email_id),
                Detail.KIND: message.kind.value,
                Detail.RECIPIENT: message.recipient,
                Detail.CAUSE: message.cause,
            },
        )
        return str(email_id)

    def _link(self, email_id: uuid.UUID, message: Message) -> SecureLink:
        referral = message.kind is EmailKind.REFERRAL
        settings = self.context.settings
        days = settings.referral_valid_days if referral else settings.link_valid_days
        return SecureLink(
            id=email_id,
            token_hash=hashlib.sha256(self.context.vault.derive_token("link", email_id)).digest(),
            audience=(Audience.PROVIDER if referral else Audience.PERSON).value,
            submission_id=self.submission_id,
            referral_id=message.subject_id if referral else None,
            created_at=self.now,
            expires_at=self.now + dt.timedelta(days=days),
            failed_attempts=0,
        )


@contextmanager
def step(context: Context, actor: Actor | str, submission_id: uuid.UUID) -> Iterator[Step]:
    """One task's transaction; it commits when the block ends well."""
    with Session(context.database.writer, expire_on_commit=False) as session, session.begin():
        who = actions.lane(actor) if isinstance(actor, str) else actor
        yield Step(session, context, who, submission_id)
