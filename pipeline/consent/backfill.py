"""Lines for submissions that came in before there was a ledger, from the answers in which they agreed.

In batches of one transaction each, so that it can end at any time and go on with the next start. Workers must not run
meanwhile: one of the version before validates without a line, which only the next `careroute migrate` would write.
"""

import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import select

from config.screening import Screening
from pipeline.audit.actions import Actor
from pipeline.consent.ledger import given_in, text_hashes, write_given
from pipeline.db import Database
from pipeline.intake.reading import read_form_language
from pipeline.keys import Keys
from pipeline.models import ConsentEntry, DataKey, Submission
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.vault import SealBroken, Vault

BACKFILLED = "backfilled"
"""Why the record is there, on record: it is not of the moment in which it was said."""

_BATCH = 250
_AGREED = (
    SubmissionStatus.VALID,
    SubmissionStatus.DUPLICATE,
    SubmissionStatus.NEEDS_REVIEW,
    SubmissionStatus.CANDIDATE,
    SubmissionStatus.NO_MATCH,
)
"""Passed validation, which asks for both consents, and went on. What was withdrawn has nothing left to allow."""


def backfill(database: Database, keys: Keys, screening: Screening, actor: Actor) -> int:
    """Write what is missing; returns for how many submissions. One that does not open stays without a line."""
    hashes, vault = text_hashes(screening), Vault(keys)
    done, after = 0, uuid.UUID(int=0)
    while batch := _without_lines(database, after):
        with begin(database, keys, actor) as unit:
            unit.lock(batch)
            done += _write(unit, vault, hashes, batch)
        after = batch[-1]
    return done


def _without_lines(database: Database, after: uuid.UUID) -> Sequence[uuid.UUID]:
    """The next submissions that still have their key."""
    statement = (
        select(Submission.id)
        .join(DataKey, DataKey.submission_id == Submission.id)
        .where(
            Submission.id > after,
            Submission.status.in_([status.value for status in _AGREED]),
            ~select(ConsentEntry.id).where(ConsentEntry.submission_id == Submission.id).exists(),
        )
        .order_by(Submission.id)
        .limit(_BATCH)
    )
    with database.read() as connection:
        return list(connection.execute(statement).scalars())


def _write(
    unit: UnitOfWork, vault: Vault, hashes: dict[tuple[str, str, str], bytes], batch: Iterable[uuid.UUID]
) -> int:
    """Again under the locks: another `migrate`, or a withdrawal, may have come first."""
    waiting = [id_ for id_ in batch if unit.heads[id_].status in _AGREED]
    said = select(ConsentEntry.submission_id).where(ConsentEntry.submission_id.in_(waiting))
    known = set(unit.connection.execute(said).scalars())
    sealed = read_sealed(unit.connection, [id_ for id_ in waiting if id_ not in known], [Part.BODY, Part.ANSWERS])
    return sum(_write_one(unit, vault, hashes, each) for each in sealed.values())


def _write_one(unit: UnitOfWork, vault: Vault, hashes: dict[tuple[str, str, str], bytes], sealed: Sealed) -> bool:
    if not {Part.BODY, Part.ANSWERS} <= sealed.parts.keys():
        return False
    try:
        key = sealed.key(vault)
        answers = sealed.parts[Part.ANSWERS].open_json(key)
        body = key.open(Part.BODY, sealed.parts[Part.BODY].ciphertext)
    except SealBroken:
        return False
    language = read_form_language(sealed.source, body) or str(answers.get("language") or "en")
    given = given_in(answers, language, hashes)
    # Nothing was taken back: it has no line.
    write_given(unit, sealed.submission_id, given, key.commit_to(body), taken_back=(), reason=BACKFILLED)
    return bool(given)
