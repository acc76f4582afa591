"""A submission of each status, and looking at what an erasure left of it."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table, select, update

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.erasure.erasing import Done, erase_now
from pipeline.erasure.journal import Cause
from pipeline.models import (
    Assessment,
    DataKey,
    DeadJob,
    Duplicate,
    Job,
    PersonIndex,
    ProviderMatch,
    Quarantine,
    RecentRequest,
    Review,
    SealedDocument,
    Submission,
)
from pipeline.secure_pages.stopping import stop
from pipeline.status import SubmissionStatus
from tests.pipeline.operations.work import unreadable
from tests.pipeline.secure_pages.links import nobody, referred
from tests.support.submissions import person, submit
from tests.support.work import drain, table

S = SubmissionStatus
STAFF = actions.staff("tests")
NEVER_LEFT = (
    DataKey,
    SealedDocument,
    PersonIndex,
    RecentRequest,
    Review,
    Quarantine,
    Assessment,
    ProviderMatch,
    Duplicate,
    Job,
    DeadJob,
)
"""Tables that have nothing of an erased submission."""


def _rare(context: Context) -> uuid.UUID:
    kept = submit(context, **person(4, condition="other", condition_other="something rare"))
    drain(context)
    return kept.submission_id


def _without_a_match(context: Context) -> uuid.UUID:
    kept = submit(context, **person(5, condition="hair_loss", contraindications=["active_cancer"]))
    drain(context)
    return kept.submission_id


def _validated(context: Context, given: dict[str, Any]) -> uuid.UUID:
    kept = submit(context, given)
    drain(context, "validate")
    return kept.submission_id


def _joined(context: Context) -> uuid.UUID:
    _validated(context, person(6))
    return _validated(context, person(6))


def _withdrawn(context: Context) -> uuid.UUID:
    case = referred(context, **person(7))
    stop(context, case.token(), "request", nobody)
    drain(context)
    return case.submission_id


MAKE: Mapping[SubmissionStatus, Callable[[Context], uuid.UUID]] = {
    S.WITHDRAWN: _withdrawn,
    S.CANDIDATE: lambda context: referred(context, **person(8)).submission_id,
    S.NO_MATCH: _without_a_match,
    S.NEEDS_REVIEW: _rare,
    S.QUARANTINED: lambda context: unreadable(context).submission_id,
    S.REJECTED: lambda context: _validated(context, person(9, consent_share=None)),
    S.DUPLICATE: _joined,
    S.VALID: lambda context: _validated(context, person(10)),
    S.RECEIVED: lambda context: submit(context, **person(11)).submission_id,
}
"""In an order in which making one does not move another on."""


def of_every_status(context: Context) -> dict[SubmissionStatus, uuid.UUID]:
    """One submission each, of different people."""
    made = {status: make(context) for status, make in MAKE.items()}
    stand = {row.id: row.status for row in table(context.database, Submission.table())}
    assert {status.value: stand[id_] for status, id_ in made.items()} == {status.value: status.value for status in made}
    assert set(made) == set(SubmissionStatus) - {S.ERASED}
    return made


def erase(context: Context, *ids: uuid.UUID, cause: Cause = Cause.REQUEST) -> Done:
    return erase_now(context, STAFF, ids, cause)


def rows_of(context: Context, of: Table, submission_id: uuid.UUID) -> list[Any]:
    with context.database.read() as connection:
        return list(connection.execute(select(of).where(of.c.submission_id == submission_id)))


def left_of(context: Context, submission_id: uuid.UUID) -> dict[str, int]:
    """How many rows there are in tables that must have none."""
    found = {each.__tablename__: len(rows_of(context, each.table(), submission_id)) for each in NEVER_LEFT}
    return {name: number for name, number in found.items() if number}


def set_columns(context: Context, of: Any, where: Any, **values: Any) -> None:
    with context.database.write() as connection:
        connection.execute(update(of).where(where).values(**values))
