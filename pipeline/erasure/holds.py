"""Legal holds: a submission that must not be erased, for as long as a matter needs it. Placed and lifted on record.

45 CFR 164.316(b)(2)(i) says how long records are kept; a preservation duty in litigation goes beyond it and beyond a
person's wish to be erased (Cal. Civ. Code 1798.105(d)(8), GDPR Art. 17(3)(e) say so of the like).
"""

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.models import LegalHold, Submission
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin

_MATTER = re.compile(r"[a-z]{2,12}(?:-[0-9]{1,8}){1,3}")
MATTER_LOOKS_LIKE = "one word and numbers, such as case-2026-14"


class NotAMatter(ValueError):
    """What was typed is no short name of a matter; it is not repeated, as it may say anything."""


class HoldRefused(Exception):
    """A hold cannot be placed or lifted; the message says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A submission held for one matter."""

    submission_id: uuid.UUID
    reference: str
    status: str
    matter: str
    placed_by: str
    placed_at: dt.datetime


def read_matter(typed: str) -> str:
    """A matter's name. Strict, so that nobody types what the matter is about. Raises `NotAMatter`."""
    if not _MATTER.fullmatch(typed):
        raise NotAMatter(f"a matter is named by {MATTER_LOOKS_LIKE}")
    return typed


def list_holds(connection: Connection, submission_id: uuid.UUID | None = None) -> list[Hold]:
    """Every hold, the oldest first; or those of one submission."""
    wanted = select(
        LegalHold.submission_id,
        Submission.reference,
        Submission.status,
        LegalHold.matter,
        LegalHold.placed_by,
        LegalHold.placed_at,
    ).join(Submission, Submission.id == LegalHold.submission_id)
    if submission_id is not None:
        wanted = wanted.where(LegalHold.submission_id == submission_id)
    ordered = wanted.order_by(LegalHold.placed_at, LegalHold.submission_id, LegalHold.matter)
    return [Hold(*row) for row in connection.execute(ordered)]


def place(database: Database, keys: Keys, actor: Actor, submission_id: uuid.UUID, matter: str) -> bool:
    """Hold a submission for a matter, on record; False if it was held for it already.

    Raises `NotAMatter`, and `HoldRefused` for a submission that is erased: there is nothing left to hold.
    """
    read_matter(matter)
    with begin(database, keys, actor) as unit:
        head = unit.lock([submission_id])[submission_id]
        if head.status is SubmissionStatus.ERASED:
            raise HoldRefused("it is erased: nothing is left to hold")
        if matter in matters_of(unit.connection, [submission_id]).get(submission_id, ()):
            return False
        unit.insert(
            LegalHold.table(), submission_id=submission_id, matter=matter, placed_by=str(actor), placed_at=unit.now
        )
        unit.record(submission_id, Action.HOLD_PLACED, {Detail.MATTER: matter})
    return True


def lift(database: Database, keys: Keys, actor: Actor, submission_id: uuid.UUID, matter: str) -> bool:
    """End a hold, on record; False if there is none for this matter. Others stay. Raises `NotAMatter`."""
    read_matter(matter)
    with begin(database, keys, actor) as unit:
        unit.lock([submission_id])
        lifted = unit.connection.execute(
            delete(LegalHold).where(LegalHold.submission_id == submission_id, LegalHold.matter == matter)
        )
        if not lifted.rowcount:
            return False
        unit.record(submission_id, Action.HOLD_LIFTED, {Detail.MATTER: matter})
    return True


def matters_of(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """For what each of the submissions is held; those that are not held are left out.

    To be read under their locks: a hold is placed under the lock of its submission.
    """
    found: dict[uuid.UUID, list[str]] = {}
    statement = select(LegalHold.submission_id, LegalHold.matter).where(
        LegalHold.submission_id.in_(list(submission_ids))
    )
    for row in connection.execute(statement.order_by(LegalHold.submission_id, LegalHold.matter)):
        found.setdefault(row.submission_id, []).append(row.matter)
    return found
