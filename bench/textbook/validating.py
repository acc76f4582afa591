"""The step `validate` of one submission."""

import datetime as dt
import uuid

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from bench.textbook.step import Step, step
from pipeline.audit.actions import Action, Detail
from pipeline.consent.purposes import ConsentDecision
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import (
    ConsentEntry,
    Duplicate,
    PersonIndex,
    Quarantine,
    RecentRequest,
    SealedDocument,
    Submission,
)
from pipeline.outreach import TO_PERSON, Message, count_recent_requests
from pipeline.stages.validate import RECIPIENT_LIMIT, Checked, Unmapped, ValidateStage
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed


def validate_one(context: Context, stage: ValidateStage, submission_id: uuid.UUID) -> tuple[bool, list[str]]:
    """Whether to go on with scoring, and the emails to send."""
    with step(context, "validate", submission_id) as taken:
        sealed = read_sealed(taken.session.connection(), [submission_id], [Part.BODY])[submission_id]
        checked = stage.work(sealed)
        submission = taken.lock()
        if submission.status != SubmissionStatus.RECEIVED:
            return False, []
        if isinstance(checked, Unmapped):
            _quarantine(taken, submission, checked.reason)
            return False, []
        if _is_flooded(taken, checked):
            _quarantine(taken, submission, RECIPIENT_LIMIT)
            return False, []
        return _record(taken, submission, checked)


def _record(taken: Step, submission: Submission, checked: Checked) -> tuple[bool, list[str]]:
    _keep(taken, checked)
    earlier = None if checked.problems is not None else _earlier_request(taken, checked)
    if checked.problems is not None:
        details: dict[Detail, str | int | bool | None] = {Detail.PROBLEMS: checked.problem_count}
        taken.transition(submission, SubmissionStatus.REJECTED, Action.SUBMISSION_REJECTED, details)
        kind = EmailKind.PLEASE_CORRECT
    elif earlier is not None:
        details = {Detail.DUPLICATE_OF: str(earlier)}
        taken.transition(submission, SubmissionStatus.DUPLICATE, Action.SUBMISSION_JOINED, details)
        taken.session.add(Duplicate(submission_id=submission.id, duplicate_of=earlier))
        kind = EmailKind.JOINED
    else:
        taken.transition(submission, SubmissionStatus.VALID, Action.SUBMISSION_VALIDATED)
        kind = EmailKind.CONFIRMATION
    if checked.problems is None:
        _keep_consents(taken, submission, checked)
    go_on = kind is EmailKind.CONFIRMATION
    if checked.email is None:
        return go_on, []
    message = Message(submission.id, kind, TO_PERSON, checked.language, "validated")
    return go_on, [taken.queue_email(submission, message)]


def _keep_consents(taken: Step, submission: Submission, checked: Checked) -> None:
    source = f"source:{submission.source}"
    for each in checked.consents:
        taken.session.add(
            ConsentEntry(
                id=uuid7(),
                submission_id=submission.id,
                purpose=each.asked.purpose.value,
                recipient=each.asked.recipient,
                decision=ConsentDecision.GIVEN.value,
                text_version=each.text_version,
                text_hash=each.text_hash,
                language=each.language,
                source=source,
                proof=checked.proof,
                decided_at=checked.received_at,
                recorded_at=taken.now,
            )
        )
        taken.record(
            submission,
            Action.CONSENT_GIVEN,
            {
                Detail.PURPOSE: each.asked.purpose.value,
                Detail.RECIPIENT: each.asked.recipient,
                Detail.TEXT_VERSION: each.text_version,
                Detail.TEXT_HASH: each.text_hash.hex() if each.text_hash else None,
                Detail.SOURCE: source,
            },
        )


def _is_flooded(taken: Step, checked: Checked) -> bool:
    if checked.email is None:
        return False
    earlier = count_recent_requests(taken.session.connection(), {checked.email}, taken.now - dt.timedelta(days=1))
    return earlier[checked.email] >= taken.context.settings.requests_per_recipient_per_day


def _keep(taken: Step, checked: Checked) -> None:
    id_ = taken.submission_id
    taken.session.add(SealedDocument(submission_id=id_, part=Part.ANSWERS.value, ciphertext=checked.answers))
    if checked.problems is not None:
        taken.session.add(SealedDocument(submission_id=id_, part=Part.PROBLEMS.value, ciphertext=checked.problems))
    taken.session.add(
        PersonIndex(submission_id=id_, person=checked.person, email=checked.email, received_at=checked.received_at)
    )


def _quarantine(taken: Step, submission: Submission, reason: str) -> None:
    taken.transition(submission, SubmissionStatus.QUARANTINED, Action.SUBMISSION_QUARANTINED, reason=reason)
    taken.session.add(
        Quarantine(submission_id=submission.id, source=submission.source, reason=reason, quarantined_at=taken.now)
    )


def _earlier_request(taken: Step, checked: Checked) -> uuid.UUID | None:
    """The submission of the same person for the same condition that holds the window, if it is another one."""
    if checked.request is None:
        return None
    window = dt.timedelta(days=taken.context.settings.duplicate_window_days)
    new = insert(RecentRequest).values(
        fingerprint=checked.request,
        submission_id=taken.submission_id,
        received_at=checked.received_at,
        held_until=checked.received_at + window,
    )
    lapsed = RecentRequest.held_until < new.excluded.received_at
    columns = ("submission_id", "received_at", "held_until")
    replaced = {name: case((lapsed, new.excluded[name]), else_=getattr(RecentRequest, name)) for name in columns}
    statement = new.on_conflict_do_update(index_elements=[RecentRequest.fingerprint], set_=replaced)
    holder = taken.session.execute(statement.returning(RecentRequest.submission_id)).scalar_one()
    return None if holder == taken.submission_id else holder
