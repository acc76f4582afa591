"""Bringing about what operators have to deal with."""

import json
import uuid

from sqlalchemy import update

from pipeline.context import Context
from pipeline.intake.accept import Arrival, Kept, accept
from pipeline.models import Email
from pipeline.status import EmailStatus
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, leave_one_attempt

UNREADABLE = json.dumps({"triggerType": "form_submission", "payload": {"data": {"Your name": "x"}}}).encode()
REFUSED_FOR_NOW = Receipt(SendOutcome.RETRY, code="451")


def dead_email(context: Context) -> Kept:
    """A submission without a provider that fits, whose confirmation was refused until it was given up."""
    kept = submit(context, condition="hair_loss", contraindications=["active_cancer"])
    drain(context, "validate")
    leave_one_attempt(context, "email")
    drain(context, "email", transport=ScriptedTransport([REFUSED_FOR_NOW]))
    return kept


def unreadable(context: Context, body: bytes = UNREADABLE) -> Kept:
    """A submission from a form that nobody told us of, in quarantine."""
    kept = accept(context, Arrival("webflow-site", body), lambda _lane: None)
    assert isinstance(kept, Kept)
    drain(context, "validate")
    return kept


def set_email_status(context: Context, submission_id: uuid.UUID, status: EmailStatus) -> None:
    """As a receipt, or another process, would have left it."""
    with context.database.write() as connection:
        connection.execute(update(Email).where(Email.submission_id == submission_id).values(status=status.value))
