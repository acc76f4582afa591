"""The step `send` of one email."""

import uuid

from bench.textbook.step import Step, step
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Email, Referral
from pipeline.outreach import TO_PERSON
from pipeline.stages.addressing import Letter
from pipeline.stages.deliver import DeliverStage
from pipeline.status import EmailStatus, check_email
from pipeline.submission import Part, read_sealed
from pipeline.transports import Receipt, SendOutcome, Transport


class NotAccepted(Exception):
    """The transport did not take it: the task is tried again."""


def send_one(
    context: Context, stage: DeliverStage, transport: Transport, submission_id: uuid.UUID, email_id: uuid.UUID
) -> None:
    """Write it, hand it over, and put that on record. Raises `NotAccepted`."""
    with step(context, "email", submission_id) as taken:
        email = taken.session.get_one(Email, email_id, with_for_update=True)
        if email.status != EmailStatus.QUEUED:
            return
        composed = stage.work(_letter(taken, email))
        receipt = transport.send(composed.message, composed.content)
        if receipt.outcome is not SendOutcome.ACCEPTED:
            raise NotAccepted(receipt.code)
        _record(taken, email, transport.name, receipt)


def _letter(taken: Step, email: Email) -> Letter:
    connection, id_ = taken.session.connection(), taken.submission_id
    sealed = read_sealed(connection, [id_], [Part.ANSWERS, Part.PROBLEMS])[id_]
    expires_at = None
    if email.kind == EmailKind.REFERRAL:
        expires_at = taken.session.get_one(Referral, email.subject_id).expires_at
    _, _, provider_id = email.recipient.partition(":")
    to_provider = email.recipient != TO_PERSON
    return Letter(
        email_id=email.id,
        attempt_id=None,
        marked_for=None,
        status=EmailStatus.QUEUED,
        detail=None,
        kind=EmailKind(email.kind),
        language=email.language,
        recipient=email.recipient,
        subject_id=email.subject_id,
        sealed=sealed,
        reference=sealed.reference,
        provider=taken.context.networks.current(connection).document_of(provider_id) if to_provider else None,
        expires_at=expires_at,
        still_of_use=True,
        address_index=None,
        suppressed=None,
    )


def _record(taken: Step, email: Email, transport: str, receipt: Receipt) -> None:
    check_email(EmailStatus(email.status), EmailStatus.HANDED_OVER)
    submission = taken.lock()
    email.status = EmailStatus.HANDED_OVER.value
    email.transport, email.detail = transport, receipt.code
    email.provider_message_id, email.handed_over_at = receipt.provider_message_id, taken.now
    taken.record(
        submission,
        Action.EMAIL_HANDED_OVER,
        {
            Detail.EMAIL: str(email.id),
            Detail.KIND: email.kind,
            Detail.TRANSPORT: transport,
            Detail.CODE: receipt.code,
            Detail.MESSAGE: receipt.provider_message_id,
        },
    )
