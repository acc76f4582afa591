"""Somebody who lost the email asks for a new link: it goes to the address of the request, never to the visitor.

Who asks is not known, so the answer says nothing: the page is the same whether or not there is such a request. Links
sent before stay as they are and end in their time. To revoke them would let anybody who knows an address close what
is in somebody else's inbox, and the second factor guards them as it guards the new one.
"""

import datetime as dt
import uuid
from collections.abc import Callable

from sqlalchemy import case, func, select
from sqlalchemy.orm import aliased

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Duplicate, Email, PersonIndex, SecureLink, Submission
from pipeline.outreach import TO_PERSON, Message, queue_email
from pipeline.secure_link import Audience
from pipeline.secure_pages.link import ATTEMPTS_EVER
from pipeline.status import SubmissionStatus
from pipeline.submission import read_reference
from pipeline.suppression import address_index
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.validation.problems import Refused
from pipeline.validation.readers import reader_for

LINKS_PER_WINDOW = 3
WINDOW = dt.timedelta(days=1)
"""So many links to one address in this time: whoever knows an address must not be able to flood its inbox."""

_ADDRESS_QUESTION = "email"
_HAS_A_PAGE = (
    SubmissionStatus.VALID,
    SubmissionStatus.NEEDS_REVIEW,
    SubmissionStatus.CANDIDATE,
    SubmissionStatus.NO_MATCH,
)
"""A request that was joined to an earlier one leads to that. One that is in quarantine has nobody's address yet."""


def read_address(context: Context, typed: str) -> str | None:
    """The address in the form that requests keep it in; None for what is none."""
    question = context.screening.by_id[_ADDRESS_QUESTION]
    try:
        return str(reader_for(question, context.conditions)(typed, None))
    except Refused:
        return None


def send_new_link(
    context: Context,
    address: str,
    reference: str,
    language: str,
    request_id: str,
    wake: Callable[[str], None],
) -> None:
    """Queue a link to the request that `reference` names, if `address` made it, else to the newest of that address.

    One email at most, and none if there is no such request or enough were sent. `address` comes from `read_address`;
    `reference` is as typed. `language` is that of a request to which nothing has been sent yet.
    """
    index = address_index(context.vault, address)
    with begin(context.database, context.keys, actions.visitor(), request_id) as unit:
        found = _find(unit, index, read_reference(reference))
        if found is not None:
            _send(context, unit, found, index, language)
    for lane in unit.fed_lanes:
        wake(lane)


def _find(unit: UnitOfWork, index: bytes, reference: str | None) -> uuid.UUID | None:
    """The request to show. A joined one has the address of the one that it was joined to."""
    made, shown = aliased(Submission), aliased(Submission)
    statement = (
        select(shown.id)
        .select_from(PersonIndex)
        .outerjoin(Duplicate, Duplicate.submission_id == PersonIndex.submission_id)
        .join(made, made.id == PersonIndex.submission_id)
        .join(shown, shown.id == func.coalesce(Duplicate.duplicate_of, PersonIndex.submission_id))
        .where(PersonIndex.email == index, shown.status.in_(_HAS_A_PAGE))
        .order_by(case((made.reference == (reference or ""), 0), else_=1), PersonIndex.received_at.desc())
        .limit(1)
    )
    return unit.connection.execute(statement).scalar_one_or_none()


def _send(context: Context, unit: UnitOfWork, submission_id: uuid.UUID, index: bytes, language: str) -> None:
    heads = unit.lock([submission_id, _first_of(unit, index)])
    if heads[submission_id].status not in _HAS_A_PAGE:
        return
    if _sent_lately(unit, index) >= LINKS_PER_WINDOW or _wrong_tries(unit, submission_id) >= ATTEMPTS_EVER:
        return
    earlier = unit.connection.execute(
        select(Email.kind, Email.language)
        .where(Email.submission_id == submission_id, Email.recipient == TO_PERSON)
        .order_by(Email.id)
    ).all()
    cause = f"asked:{1 + sum(row.kind == EmailKind.STATUS_LINK for row in earlier)}"
    unit.record(submission_id, Action.LINK_REQUESTED, {Detail.CAUSE: cause})
    spoken = earlier[-1].language if earlier else language
    queue_email(context, unit, Message(submission_id, EmailKind.STATUS_LINK, TO_PERSON, spoken, cause))


def _first_of(unit: UnitOfWork, index: bytes) -> uuid.UUID:
    """The first request of an address, whose lock stands for the address: its links are counted one by one."""
    statement = select(PersonIndex.submission_id).where(PersonIndex.email == index)
    return unit.connection.execute(statement.order_by(PersonIndex.submission_id).limit(1)).scalar_one()


def _sent_lately(unit: UnitOfWork, index: bytes) -> int:
    statement = (
        select(func.count())
        .select_from(PersonIndex)
        .join(Email, Email.submission_id == PersonIndex.submission_id)
        .where(
            PersonIndex.email == index,
            Email.kind == EmailKind.STATUS_LINK.value,
            Email.created_at > unit.now - WINDOW,
        )
    )
    return unit.connection.execute(statement).scalar_one()


def _wrong_tries(unit: UnitOfWork, submission_id: uuid.UUID) -> int:
    """On all of a person's links: whoever reads the inbox and guesses must not get fresh tries with each new link."""
    statement = select(func.coalesce(func.sum(SecureLink.failed_attempts), 0)).where(
        SecureLink.submission_id == submission_id, SecureLink.audience == Audience.PERSON.value
    )
    return unit.connection.execute(statement).scalar_one()
