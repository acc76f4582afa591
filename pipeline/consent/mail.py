"""Emails that may not leave for want of a consent are cancelled, in the transaction that would have let them go."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import update

from pipeline.audit.actions import Action, Detail
from pipeline.consent.ledger import NEVER_SAID, read_standings
from pipeline.consent.purposes import ORGANISATION, ConsentPurpose
from pipeline.consent.sharing import NO_CONSENT
from pipeline.email.kinds import RULES, EmailKind
from pipeline.models import Email
from pipeline.status import EmailStatus, check_email
from pipeline.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class AboutToLeave:
    """An email of a locked submission. `recipient` is as in its row: `person`, or `provider:<id>`."""

    email_id: uuid.UUID
    submission_id: uuid.UUID
    kind: EmailKind
    recipient: str


def hold_back(unit: UnitOfWork, emails: Iterable[AboutToLeave]) -> set[uuid.UUID]:
    """Cancel those whose kind needs a consent that is not live; their ids. One statement, and one more to cancel."""
    wanting = [(each, purpose) for each in emails if (purpose := RULES[each.kind].consent) is not None]
    standings = read_standings(
        unit.connection, {each.submission_id for each, _ in wanting}, {purpose for _, purpose in wanting}
    )
    refused = {
        each.email_id: each
        for each, purpose in wanting
        if not standings.get((each.submission_id, purpose), NEVER_SAID).allows(_recipient(each, purpose))
    }
    if refused:
        _cancel(unit, refused)
    return set(refused)


def _recipient(email: AboutToLeave, purpose: ConsentPurpose) -> str:
    return email.recipient if purpose is ConsentPurpose.SHARE else ORGANISATION


def _cancel(unit: UnitOfWork, refused: dict[uuid.UUID, AboutToLeave]) -> None:
    check_email(EmailStatus.QUEUED, EmailStatus.CANCELLED)
    cancelled = unit.connection.execute(
        update(Email)
        .where(Email.id.in_(refused), Email.status == EmailStatus.QUEUED.value)
        .values(status=EmailStatus.CANCELLED.value, attempt_id=None, detail=NO_CONSENT)
        .returning(Email.id)
    )
    for email_id in sorted(cancelled.scalars()):
        each = refused[email_id]
        details = {Detail.EMAIL: str(email_id), Detail.KIND: each.kind.value, Detail.RECIPIENT: each.recipient}
        unit.record(each.submission_id, Action.EMAIL_CANCELLED, details, reason=NO_CONSENT)
