"""How long each class of data is kept, and letting go of what is past that. What is open or held is never touched.

    submissions   erased so long after the last thing that happened: a change of status, a referral, an email
    unread        the same for what was rejected, withdrawn, joined to another, or never read (quarantine)
    mail events   deleted
    sessions      one-time codes and sessions, deleted
    addresses     the blind index of where an email went, of an erased submission: emptied after 30 days
    audit         kept; past its time it may be archived (`careroute audit archive`)

A lead is not lost by this: a submission waits in quarantine for a whole year by default, and `status` says of which
the last 30 days have begun. What waits for a worker, for an expert, for a provider's answer or among the dead letters
is open, however old. Keys by which a vendor's repeats are recognised stay for good: they are keyed hashes.
"""

import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, Select, delete, select, update
from sqlalchemy.exc import DBAPIError

from pipeline.audit import actions
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.context import Context
from pipeline.db import clock_after, database_time, is_transient
from pipeline.engine.stage import whereabouts
from pipeline.engine.sweep import take_turn
from pipeline.erasure.erasing import Erased, erase
from pipeline.erasure.journal import CannotBeWritten, Cause
from pipeline.erasure.rendered import Discarded, discard_leftovers
from pipeline.erasure.sqlite_file import cut_off_log
from pipeline.models import (
    EmailAttempt,
    MailEvent,
    OneTimeCode,
    SecureSession,
    Submission,
)
from pipeline.retention_classes import STATUSES, RetentionClass, days_kept, is_held, is_held_link, past_its_time
from pipeline.unit_of_work import begin

log = structlog.get_logger(__name__)

RETENTION = "retention"
EVERY_SECONDS = 3600.0
TURN_SECONDS = 20.0
"""A worker's turn begins no other batch after so long."""
SOON_SECONDS = 10.0
"""After a turn that left some."""
ERASED_AT_A_TIME = 200
DELETED_AT_A_TIME = 2000


@dataclass(frozen=True, slots=True)
class Let:
    """What was let go, by class.

    more      it was stopped before all was done
    failed    submissions that could not be erased, each for itself: the type of the error
    left      names of rendered emails, of erased submissions, that could not be deleted
    """

    counts: Mapping[RetentionClass, int]
    more: bool
    no_trace: bool = True
    failed: Mapping[uuid.UUID, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def let_go(
    context: Context,
    actor: Actor,
    *,
    now: dt.datetime | None = None,
    stopping: Callable[[], bool] = lambda: False,
    on_progress: Callable[[RetentionClass, int], None] = lambda _of, _count: None,
) -> Let:
    """Erase and delete what is past its time, a batch of each class in turn, each in its own transaction.

    What is past its time by `now`, else by the database's clock: what is erased stays erased, so no process goes by its
    own. `stopping` is asked before each batch. Each erased submission has its record, and each class, at the end, one
    that says how many it was. A submission that cannot be erased stays, alone, and is told. Raises `CannotBeWritten`
    when the erasures file takes no line: what was let go until then stays so.
    """
    now = now or _now(context)
    days = days_kept(context.settings)
    counts: dict[RetentionClass, int] = {}
    failed: dict[uuid.UUID, str] = {}
    todo = [*STATUSES, *_DELETE]
    try:
        while todo and not stopping():
            for of in tuple(todo):
                if stopping():
                    break
                before = now - dt.timedelta(days=days[of])
                if of in STATUSES:
                    number = _erase_batch(context, actor, of, before, failed)
                else:
                    number = _delete_batch(context, of, before)
                counts[of] = counts.get(of, 0) + number
                on_progress(of, counts[of])
                if not number:
                    todo.remove(of)
    finally:
        _record(context, actor, counts)
        # Not only of this run: what was left the last time, or by a process that died, goes now.
        left = _discard_files(context)
    no_trace = cut_off_log(context.database) if any(counts.get(of) for of in STATUSES) else True
    let = {of: number for of, number in counts.items() if number}
    return Let(let, bool(todo), no_trace, failed, left.left)


def take_retention_turn(
    context: Context,
    every_seconds: float = EVERY_SECONDS,
    stopping: Callable[[], bool] = lambda: False,
    turn_seconds: float = TURN_SECONDS,
) -> Let | None:
    """A duty of every worker, if an hour has passed since any of them last did it: as much as a turn's time allows.

    What is left has another turn soon.
    """
    with context.database.write() as connection:
        if not take_turn(connection, RETENTION, every_seconds):
            return None
    end = time.monotonic() + turn_seconds
    try:
        let = let_go(context, actions.lane(RETENTION), stopping=lambda: stopping() or time.monotonic() >= end)
    except DBAPIError:
        _come_back(context, every_seconds)
        raise
    if let.counts:
        log.info("retention", **{of.value: number for of, number in let.counts.items()}, more=let.more)
    if let.more:
        _come_back(context, every_seconds)
    return let


def _now(context: Context) -> dt.datetime:
    with context.database.read() as connection:
        return database_time(connection)


def _come_back(context: Context, every_seconds: float) -> None:
    """As if this turn had been taken so long ago that the next one is due soon."""
    with context.database.write() as connection:
        ago = clock_after(connection, str(float(SOON_SECONDS - every_seconds)))
        connection.exec_driver_sql(f"UPDATE heartbeat SET at = {ago} WHERE name = '{RETENTION}'")  # noqa: S608 - our own SQL fragments


def _discard_files(context: Context) -> Discarded:
    return discard_leftovers(context.database, context.settings.effective_mailbox_dir)


def _erase_batch(
    context: Context, actor: Actor, of: RetentionClass, before: dt.datetime, failed: dict[uuid.UUID, str]
) -> int:
    """What cannot be erased is noted in `failed`, and left alone for the rest of the run."""
    due = past_its_time(of, before).where(~is_held(of)).order_by(Submission.id)
    while True:
        with context.database.read() as connection:
            ids = list(connection.execute(due.where(Submission.id.not_in(failed)).limit(ERASED_AT_A_TIME)).scalars())
        if not ids:
            return 0
        number = _erase_as_can_be(context, actor, ids, due, failed)
        if number or not failed.keys() & set(ids):
            return number


def _erase_as_can_be(
    context: Context, actor: Actor, ids: Sequence[uuid.UUID], due: Select[uuid.UUID], failed: dict[uuid.UUID, str]
) -> int:
    """All at once; if that fails, one at a time."""
    try:
        return len(_erase(context, actor, ids, due))
    except CannotBeWritten:
        raise
    except Exception as error:
        if isinstance(error, DBAPIError) and is_transient(error):
            raise  # it is about none of them: the next turn tries again
        log.warning("retention batch failed", **whereabouts(error))
    return sum(_erase_alone(context, actor, submission_id, due, failed) for submission_id in ids)


def _erase_alone(
    context: Context,
    actor: Actor,
    submission_id: uuid.UUID,
    due: Select[uuid.UUID],
    failed: dict[uuid.UUID, str],
) -> int:
    try:
        return len(_erase(context, actor, [submission_id], due))
    except CannotBeWritten:
        raise
    except Exception as error:  # noqa: BLE001 - one must not keep the others; it is told
        log.error("not erased", submission=str(submission_id), **whereabouts(error))
        failed[submission_id] = type(error).__name__
        return 0


def _erase(context: Context, actor: Actor, ids: Sequence[uuid.UUID], due: Select[uuid.UUID]) -> tuple[Erased, ...]:
    with begin(context.database, context.keys, actor) as unit:
        unit.lock(ids)
        # Something may have happened to one of them, or a hold been placed, before the lock.
        still = list(unit.connection.execute(due.where(Submission.id.in_(ids))).scalars())
        return erase(context, unit, still, Cause.RETENTION) if still else ()


def _delete_batch(context: Context, of: RetentionClass, before: dt.datetime) -> int:
    with context.database.write() as connection:
        return sum(_DELETE[of](connection, before))


def _delete_mail_events(connection: Connection, before: dt.datetime) -> Sequence[int]:
    due = past_its_time(RetentionClass.MAIL_EVENTS, before).where(~is_held(RetentionClass.MAIL_EVENTS))
    ids = due.order_by(MailEvent.id).limit(DELETED_AT_A_TIME)
    return [connection.execute(delete(MailEvent).where(MailEvent.id.in_(ids))).rowcount]


def _delete_sessions(connection: Connection, before: dt.datetime) -> Sequence[int]:
    codes = past_its_time(RetentionClass.SESSIONS, before).where(~is_held(RetentionClass.SESSIONS))
    sessions = select(SecureSession.token_hash).where(
        SecureSession.expires_at < before, ~is_held_link(SecureSession.link_id)
    )
    return [
        connection.execute(delete(OneTimeCode).where(OneTimeCode.id.in_(codes.limit(DELETED_AT_A_TIME)))).rowcount,
        connection.execute(
            delete(SecureSession).where(SecureSession.token_hash.in_(sessions.limit(DELETED_AT_A_TIME)))
        ).rowcount,
    ]


def _forget_addresses(connection: Connection, before: dt.datetime) -> Sequence[int]:
    due = past_its_time(RetentionClass.ADDRESSES, before).limit(DELETED_AT_A_TIME)
    forget = update(EmailAttempt).where(EmailAttempt.id.in_(due)).values(address_index=b"")
    return [connection.execute(forget).rowcount]


_DELETE: Mapping[RetentionClass, Callable[[Connection, dt.datetime], Sequence[int]]] = {
    RetentionClass.MAIL_EVENTS: _delete_mail_events,
    RetentionClass.SESSIONS: _delete_sessions,
    RetentionClass.ADDRESSES: _forget_addresses,
}


def _record(context: Context, actor: Actor, counts: Mapping[RetentionClass, int]) -> None:
    if not any(counts.values()):
        return
    with begin(context.database, context.keys, actor) as unit:
        for of, number in counts.items():
            if number:
                unit.record(None, Action.RETENTION_RUN, {Detail.RETENTION_CLASS: of.value, Detail.COUNT: number})
