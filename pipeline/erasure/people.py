"""All submissions of one person that were not erased. That it was asked is on record with each of them.

What could not be read, or was set aside unread since its address is being flooded, has no index: what waits in
quarantine is read once more for this, by software only and as validation would. Nothing of it is shown.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from pipeline.audit.actions import Action, Actor
from pipeline.context import Context
from pipeline.models import PersonIndex, Submission
from pipeline.people import Who, person_index
from pipeline.stages.validate import Checked, ValidateStage
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from pipeline.suppression import address_index
from pipeline.unit_of_work import begin
from pipeline.vault import SealBroken

_NOT_READ = (SubmissionStatus.QUARANTINED.value, SubmissionStatus.RECEIVED.value)
_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A submission of the person, by reference."""

    submission_id: uuid.UUID
    reference: str
    status: SubmissionStatus


@dataclass(frozen=True, slots=True)
class OfPerson:
    """`same_address`: how many more have the address, and are of somebody else, or spell the name otherwise."""

    submissions: tuple[Found, ...]
    same_address: int


def find(context: Context, actor: Actor, who: Who) -> OfPerson:
    """Every submission of the person that is not erased, the oldest first. On record before it is told."""
    email = address_index(context.vault, who.email)
    person = person_index(context.vault, who)
    # Most of it takes long, and would keep every writer of SQLite waiting.
    with context.database.read() as connection:
        unread = _unread(connection)
        of_address = _read_now(context, connection, unread, email)
    with begin(context.database, context.keys, actor) as unit:
        of_address |= _read_now(context, unit.connection, _unread(unit.connection) - unread, email)
        indexed = select(PersonIndex.submission_id, PersonIndex.person).where(PersonIndex.email == email)
        of_address |= {row.submission_id: row.person for row in unit.connection.execute(indexed)}
        heads = unit.lock(of_address)
        of_address = {
            id_: index for id_, index in of_address.items() if heads[id_].status is not SubmissionStatus.ERASED
        }
        wanted = sorted(id_ for id_, index in of_address.items() if index is not None and bytes(index) == person)
        references = _references(unit.connection, wanted)
        about: list[uuid.UUID | None] = [*wanted] or [None]
        for submission_id in about:
            unit.record(submission_id, Action.PERSON_LOOKED_UP)
        found = tuple(Found(id_, references[id_], heads[id_].status) for id_ in wanted)
    return OfPerson(found, len(of_address) - len(found))


def _unread(connection: Connection) -> set[uuid.UUID]:
    """What was never read, or only to find that its address is being flooded."""
    has_index = select(PersonIndex.submission_id).where(PersonIndex.submission_id == Submission.id).exists()
    statement = select(Submission.id).where(Submission.status.in_(_NOT_READ), ~has_index)
    return set(connection.execute(statement).scalars())


def _read_now(
    context: Context, connection: Connection, unread: Collection[uuid.UUID], email: bytes
) -> dict[uuid.UUID, bytes | None]:
    """Of these, what is of the address: by id, its person."""
    ids = sorted(unread)
    stage = ValidateStage(context)
    found: dict[uuid.UUID, bytes | None] = {}
    for start in range(0, len(ids), _AT_A_TIME):
        for submission_id, each in read_sealed(connection, ids[start : start + _AT_A_TIME], [Part.BODY]).items():
            try:
                checked = stage.work(each)
            except (SealBroken, LookupError):
                continue
            if isinstance(checked, Checked) and checked.email == email:
                found[submission_id] = checked.person
    return found


def _references(connection: Connection, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    rows = connection.execute(select(Submission.id, Submission.reference).where(Submission.id.in_(list(ids))))
    return {row.id: row.reference for row in rows}
