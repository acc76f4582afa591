"""After a backup was restored: what the erasures file names, and the backup brought back, is erased again."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from pipeline.audit.actions import Actor
from pipeline.context import Context
from pipeline.engine.stage import whereabouts
from pipeline.erasure import journal
from pipeline.erasure.erasing import Erased, UnderHold, erase_patiently
from pipeline.erasure.journal import Cause, ErasuresInDoubt
from pipeline.erasure.rendered import discard_leftovers
from pipeline.erasure.sqlite_file import cut_off_log
from pipeline.unit_of_work import begin
from pipeline.withdrawal import withdraw

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it.

    named       how many submissions the file names
    held        still there, since they are under a legal hold by now: for which matters
    failed      still there, since erasing them failed: the type of the error
    wrong       numbers of lines that are not as they were written; what they named may be back
    torn        numbers of lines that were begun and never finished: their erasures were not committed
    left        names of rendered emails that could not be deleted
    """

    named: int
    erased: tuple[Erased, ...]
    held: Mapping[uuid.UUID, tuple[str, ...]]
    failed: Mapping[uuid.UUID, str]
    wrong: tuple[int, ...]
    torn: tuple[int, ...]
    left: tuple[str, ...]
    no_trace: bool


def replay(context: Context, actor: Actor) -> Replayed:
    """Erase again, each in a transaction of its own, and delete rendered mail of what is erased that is still there.

    Done already, it changes nothing. What is under a hold is withdrawn, so that nobody is written to, unless
    only its time was over. Raises `CannotBeRead`.
    """
    reading = journal.read(context.settings.effective_erasure_file, context.keys)
    causes = {line.submission_id: line.cause for line in reading.lines}
    with context.database.read() as connection:
        returned = journal.still_there(connection, causes)
    erased: list[Erased] = []
    held: dict[uuid.UUID, tuple[str, ...]] = {}
    failed: dict[uuid.UUID, str] = {}
    for submission_id in returned:
        try:
            try:
                done, _ = erase_patiently(context, actor, [submission_id], Cause.REPLAY, causes[submission_id])
                erased += done
            except UnderHold as hold:
                held[submission_id] = tuple(sorted({each for few in hold.matters.values() for each in few}))
                if causes[submission_id] is not Cause.RETENTION:
                    _stop(context, actor, submission_id)
        except Exception as error:  # noqa: BLE001 - one must not keep the others from being erased; it is told
            log.error("not erased again", submission=str(submission_id), **whereabouts(error))
            failed[submission_id] = type(error).__name__
    left = discard_leftovers(context.database, context.settings.effective_mailbox_dir).left
    no_trace = cut_off_log(context.database) if erased else True
    return Replayed(len(causes), tuple(erased), held, failed, reading.wrong, reading.torn, left, no_trace)


def replay_before_work(context: Context, actor: Actor) -> Replayed:
    """`replay`, before anything is sent to anybody. Raises `ErasuresInDoubt`: nothing may start."""
    path = context.settings.effective_erasure_file
    try:
        done = replay(context, actor)
    except journal.CannotBeRead as error:
        raise ErasuresInDoubt(f"{error}: whoever was erased since the last backup may be back") from None
    if done.wrong:
        raise ErasuresInDoubt(
            f"{path}: not as written: lines {', '.join(map(str, done.wrong))}. Whoever they named may be back. "
            "Bring the file back from its backup, or take out lines that were never of this installation"
        )
    if done.failed:
        names = ", ".join(f"{submission_id} ({error})" for submission_id, error in sorted(done.failed.items()))
        raise ErasuresInDoubt(f"erased before, back with a backup, and could not be erased again: {names}")
    return done


def _stop(context: Context, actor: Actor, submission_id: uuid.UUID) -> None:
    with begin(context.database, context.keys, actor) as unit:
        withdraw(context, unit, submission_id, None, purposes=())
