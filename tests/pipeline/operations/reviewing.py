"""Submissions in review, against a small network in which it is plain what fits and what is open."""

import uuid
from typing import Any

from sqlalchemy import select

from config.availability import Availability
from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.intake.accept import Kept
from pipeline.models import AuditEvent
from pipeline.status import SubmissionStatus
from tests.pipeline.scoring.network_files import program, provider
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import submit
from tests.support.work import drain, status_of

EXPERT = actions.staff("expert")
PAUSED = Availability(paused=True)

CONTRADICTION = {"contraindications": ["none", "pregnancy"], "onset_months": None}
"""Goes to review whatever fits: `alpha/clinic` does, both programs of `beta` would know since when, `gamma` is out."""
MISSING = {"onset_months": None}
"""Goes to review once nobody fits without it."""

SINCE = {
    "question": "onset_months",
    "at_least": 6,
    "id": "since",
    "ask": {"en": "Since when?", "es": "¿Desde cuándo?"},
}
_TOP = [{"weight": 1, "question": "severity", "at_least": 0}]
_NONE = [{"weight": 1, "question": "severity", "at_least": 10}]


def beta(*kept: str, **rules: Any) -> ProviderDocument:
    """`beta/first` and, with the better score, `beta/second` (or those of `kept`) need to know since when."""
    preferred = {"first": _NONE, "second": _TOP}
    programs = [program([SINCE], preferred[name], id=name, **rules) for name in kept or preferred]
    return provider(*programs, id="beta", name="Beta")


def gamma() -> ProviderDocument:
    """`gamma/clinic` does not fit."""
    return provider(program([{"question": "severity", "at_least": 10}]), id="gamma", name="Gamma")


def network() -> tuple[ProviderDocument, ...]:
    return fitting("alpha", name="Alpha"), beta(), gamma()


def in_review(context: Context, *documents: ProviderDocument, **changes: Any) -> Kept:
    """The shipped answers with `changes`, which scoring against `documents` (else `network`) has sent to review."""
    put_in_force(context, *(documents or network()))
    kept = submit(context, **changes)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.NEEDS_REVIEW
    return kept


def about(context: Context, submission_id: uuid.UUID, action: Action) -> list[Any]:
    """The records of one kind about a submission, oldest first."""
    statement = select(AuditEvent.table()).where(
        AuditEvent.submission_id == submission_id, AuditEvent.action == action.value
    )
    with context.database.read() as connection:
        return list(connection.execute(statement.order_by(AuditEvent.seq)))
