"""The emails that the mailbox transport wrote to files: they hold addresses, live links and, if cleared, facts.

They are deleted after the commit that erases: a file that cannot be deleted must not keep a key alive. What is left,
since its file could not be deleted or a process died in between, goes the next time: when the same is erased again, at
a replay, and with every turn of retention.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection, select

from pipeline.db import Database
from pipeline.email.kinds import RULES, EmailKind
from pipeline.ledger import ClaimedJob
from pipeline.models import Email, Submission
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)

FAREWELLS = [kind.value for kind in EmailKind if RULES[kind].survives_withdrawal]
"""They tell a provider that a referral is withdrawn: the reference, and nothing of the person."""
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Discarded:
    """How many emails' files were deleted, and the names of those that are still there."""

    emails: int = 0
    left: tuple[str, ...] = ()


def rendered_of(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """By submission, its emails whose rendering goes with it: all but the farewells."""
    statement = select(Email.submission_id, Email.id).where(
        Email.submission_id.in_(list(submission_ids)), Email.kind.not_in(FAREWELLS)
    )
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.submission_id, []).append(row.id)
    return found


def count_rendered(folder: Path, email_ids: Collection[uuid.UUID]) -> int:
    """How many of these emails have a file, whole or begun."""
    return len({email_id for email_id, _ in _files(folder, email_ids)})


def discard_rendered(folder: Path, email_ids: Collection[uuid.UUID]) -> Discarded:
    """Delete the files of these emails, each as far as it can be."""
    gone: set[uuid.UUID] = set()
    left: list[str] = []
    for email_id, path in list(_files(folder, email_ids)):
        try:
            path.unlink(missing_ok=True)
            gone.add(email_id)
        except OSError as error:
            left.append(path.name)
            log.error("rendered email not deleted", file=path.name, errno=error.errno)
    return Discarded(len(gone), tuple(left))


def discard_of(database: Database, folder: Path, submission_ids: Collection[uuid.UUID]) -> Discarded:
    """Delete what is left of these submissions and their revisions, as far as they are erased."""
    if not folder.is_dir():
        return Discarded()
    named = Submission.id.in_(list(submission_ids)) | Submission.revision_of.in_(list(submission_ids))
    erased = select(Submission.id).where(named, Submission.status == SubmissionStatus.ERASED.value)
    with database.read() as connection:
        emails = rendered_of(connection, connection.execute(erased).scalars())
    return discard_rendered(folder, [email_id for each in emails.values() for email_id in each])


def discard_leftovers(database: Database, folder: Path) -> Discarded:
    """Delete what the folder holds of any erased submission."""
    there = sorted({email_id for path in _in(folder) if (email_id := _email_of(path)) is not None})
    erased: list[uuid.UUID] = []
    for start in range(0, len(there), _AT_A_TIME):
        wanted = (
            select(Email.id)
            .join(Submission, Submission.id == Email.submission_id)
            .where(
                Email.id.in_(there[start : start + _AT_A_TIME]),
                Email.kind.not_in(FAREWELLS),
                Submission.status == SubmissionStatus.ERASED.value,
            )
        )
        with database.read() as connection:
            erased += connection.execute(wanted).scalars()
    return discard_rendered(folder, erased)


def discard_late(unit: UnitOfWork, folder: Path, jobs: Sequence[ClaimedJob]) -> None:
    """Delete what was written for these jobs while their submissions, locked here, were erased.

    By this process or by one that died over it: what cannot be deleted does not keep the outcome from being recorded.
    """
    erased = {
        job.submission_id
        for job in jobs
        if job.submission_id is not None and unit.heads[job.submission_id].status is SubmissionStatus.ERASED
    }
    if erased:
        for emails in rendered_of(unit.connection, erased).values():
            discard_rendered(folder, emails)


def _files(folder: Path, email_ids: Collection[uuid.UUID]) -> Iterator[tuple[uuid.UUID, Path]]:
    """As `MailboxTransport` names them."""
    if not email_ids or not folder.is_dir():
        return
    for email_id in email_ids:
        whole = folder / f"{email_id}.eml"
        if whole.exists():
            yield email_id, whole
        for begun in folder.glob(f".{email_id}.*.partial"):
            yield email_id, begun


def _in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from folder.iterdir()


def _email_of(path: Path) -> uuid.UUID | None:
    """Whose file it is: `<id>.eml`, or `.<id>.<attempt>.partial` while it is written."""
    try:
        return uuid.UUID(path.name.removeprefix(".").partition(".")[0])
    except ValueError:
        return None
