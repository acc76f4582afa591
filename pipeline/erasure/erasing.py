"""Erasing submissions: in one transaction, under their locks, written down outside the database before the commit.

What goes: the data key, so that no backup's ciphertext opens without that backup's own copy of it; the sealed
documents; the blind indexes of person, address and body; the scoring result, the matches, the places in review and
quarantine; links, sessions and codes; jobs and dead letters; and, after the commit, rendered mail.

What stays, and why: the head with its reference and status, and the audit record, which say that there was a
submission and what was done (their details hold no answer and no address; health details are ciphertext under the key
that is gone). Referrals and emails, without addresses: to whom facts went, and when, has to be told for six years (45
CFR 164.528). The lines of the consent ledger, which prove what was agreed to. The suppression list: who said "do not
write to me" is not written to again (decision 0019). The vendor's ids and idempotency keys, as keyed hashes: what is
sent again is recognised, and not stored. The row of the email to a provider that its referral is withdrawn. For 30 days
after an email, the blind index of where it went: its unsubscribe link has to work for so long (`retention`).

Submissions that a vendor sent as revisions of an erased one hold the same person's answers, and go with it, unless
only its time is over: each has its own. Forms that were joined to it are submissions of their own: `people.find` finds
those.
"""

import datetime as dt
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, delete, func, select, update
from sqlalchemy.exc import DBAPIError

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.consent.purposes import ConsentPurpose
from pipeline.context import Context
from pipeline.db import is_transient
from pipeline.erasure import journal
from pipeline.erasure.holds import matters_of
from pipeline.erasure.journal import Cause, Line
from pipeline.erasure.rendered import FAREWELLS, count_rendered, discard_of, rendered_of
from pipeline.erasure.sqlite_file import cut_off_log
from pipeline.failpoints import Failpoint, reach
from pipeline.models import (
    Assessment,
    DataKey,
    DeadJob,
    Duplicate,
    Email,
    EmailAttempt,
    Erasure,
    IntakeKey,
    MailEvent,
    OneTimeCode,
    PersonIndex,
    ProviderMatch,
    Quarantine,
    RecentRequest,
    Referral,
    Review,
    SealedDocument,
    SecureLink,
    SecureSession,
    Submission,
)
from pipeline.outreach import TO_PERSON
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.withdrawal import withdraw

_UNDER_WAY = frozenset({SubmissionStatus.RECEIVED, SubmissionStatus.VALID, SubmissionStatus.NEEDS_REVIEW})
_GO_AS_THEY_ARE = (
    DataKey,
    SealedDocument,
    PersonIndex,
    RecentRequest,
    Review,
    Quarantine,
    Assessment,
    ProviderMatch,
    Duplicate,
)
_TRIES = 3
UNSUBSCRIBE_DAYS = 30
"""So long after an email its unsubscribe link works (15 USC 7704(a)(3)(A)(ii)), whatever was erased since."""


class UnderHold(Exception):
    """At least one of the submissions is under a legal hold: none of them was erased."""

    def __init__(self, matters: Mapping[uuid.UUID, Sequence[str]]) -> None:
        super().__init__(
            "under legal hold for " + ", ".join(sorted({each for few in matters.values() for each in few}))
        )
        self.matters = matters


@dataclass(frozen=True, slots=True)
class Erased:
    """A submission that was erased. `rendered`: how many emails about it are in the mailbox folder until the commit."""

    submission_id: uuid.UUID
    reference: str
    was: SubmissionStatus
    rendered: int


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `no_trace`: False if a reader kept SQLite's log from being cut off: the next one does it.

    `left`: names of rendered emails, of these submissions, that could not be deleted. Erasing again tries again.
    """

    erased: tuple[Erased, ...]
    fed_lanes: frozenset[str]
    no_trace: bool
    left: tuple[str, ...] = ()


def erase_now(context: Context, actor: Actor, submission_ids: Collection[uuid.UUID], cause: Cause) -> Done:
    """Erase submissions in a transaction of their own, and leave no trace in SQLite's files.

    Raises:
        UnderHold: one of them, or a revision of one, is under a legal hold. Nothing was changed.
        CannotBeWritten: the erasures file does not take the lines. Nothing was changed.
    """
    erased, fed_lanes = erase_patiently(context, actor, submission_ids, cause)
    reach(Failpoint.ERASURE_AFTER_COMMIT)
    everything = {*submission_ids, *(each.submission_id for each in erased)}
    left = discard_of(context.database, context.settings.effective_mailbox_dir, everything).left
    no_trace = cut_off_log(context.database) if erased else True
    return Done(erased, fed_lanes, no_trace, left)


def erase_patiently(
    context: Context,
    actor: Actor,
    submission_ids: Collection[uuid.UUID],
    cause: Cause,
    first_cause: Cause | None = None,
) -> tuple[tuple[Erased, ...], frozenset[str]]:
    """`erase` in a transaction of its own, again if the database says so; and the lanes that it fed.

    Files and traces are left to the caller. Raises as `erase`, and `DBAPIError`.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            with begin(context.database, context.keys, actor) as unit:
                erased = erase(context, unit, submission_ids, cause, first_cause)
        except DBAPIError as error:
            # Providers' places are given back submission by submission: a worker may want the same ones in its order.
            if attempt == _TRIES or not is_transient(error):
                raise
            time.sleep(0.05 * attempt)
        else:
            return erased, frozenset(unit.fed_lanes)
    raise AssertionError("unreachable")


def erase(
    context: Context,
    unit: UnitOfWork,
    submission_ids: Collection[uuid.UUID],
    cause: Cause,
    first_cause: Cause | None = None,
) -> tuple[Erased, ...]:
    """Erase submissions and their revisions; those that are erased already are left out. Last thing in its transaction.

    They are withdrawn first: jobs stop, referrals close, providers that hold the answers are told, and a person's own
    request takes the consents back. What goes only since its time is over (`retention`; `first_cause` is the cause of
    what is replayed) was accepted or declined long ago, and nobody is told.

    Raises `UnderHold` and `CannotBeWritten`.
    """
    causes = {cause, first_cause}
    wanted = sorted(unit.lock(submission_ids).keys() & set(submission_ids))
    if Cause.RETENTION not in causes:
        wanted = _with_revisions(unit, wanted)
    if matters := matters_of(unit.connection, wanted):
        raise UnderHold(matters)
    todo = {id_: unit.heads[id_].status for id_ in wanted if unit.heads[id_].status is not SubmissionStatus.ERASED}
    if not todo:
        return ()
    ids = sorted(todo)
    open_ones = _offered(unit.connection, ids) | {id_ for id_ in ids if todo[id_] in _UNDER_WAY}
    taken_back = tuple(ConsentPurpose) if Cause.REQUEST in causes else ()
    for submission_id in sorted(open_ones) if Cause.RETENTION in causes else ids:
        withdraw(context, unit, submission_id, None, purposes=taken_back)
    _discard_dead_letters(unit, ids)
    _close_links(unit, ids)
    _forget_addresses(unit.connection, ids, unit.now - dt.timedelta(days=UNSUBSCRIBE_DAYS))
    for table in _GO_AS_THEY_ARE:
        unit.connection.execute(delete(table).where(table.submission_id.in_(ids)))
    _keep_tombstones(unit, ids)
    return _write_down(context, unit, todo, cause, first_cause or cause)


def _write_down(
    context: Context, unit: UnitOfWork, todo: Mapping[uuid.UUID, SubmissionStatus], cause: Cause, first_cause: Cause
) -> tuple[Erased, ...]:
    """Record and line. Whatever the database has to say against it, it says before the line is written."""
    folder = context.settings.effective_mailbox_dir
    emails = rendered_of(unit.connection, todo)
    references = _references(unit.connection, list(todo))
    erased = []
    for submission_id, was in sorted(todo.items()):
        rendered = count_rendered(folder, emails.get(submission_id, ()))
        told = {Detail.CAUSE: cause.value, Detail.COUNT: rendered}
        unit.transition(submission_id, SubmissionStatus.ERASED, Action.SUBMISSION_ERASED, told)
        unit.insert(Erasure.table(), submission_id=submission_id, cause=first_cause.value, erased_at=unit.now)
        erased.append(Erased(submission_id, references[submission_id], was, rendered))
    unit.flush()
    if cause is not Cause.REPLAY:
        lines = [Line(each.submission_id, unit.now, cause) for each in erased]
        journal.append(context.settings.effective_erasure_file, context.keys, lines)
        reach(Failpoint.ERASURE_AFTER_LINE)
    return tuple(erased)


def _with_revisions(unit: UnitOfWork, submission_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """And the revisions of these, locked too: they are younger, so locks are still taken in id order."""
    revisions = select(Submission.id).where(Submission.revision_of.in_(list(submission_ids)))
    found = list(unit.connection.execute(revisions).scalars())
    unit.lock(found)
    return sorted({*submission_ids, *found})


def _offered(connection: Connection, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    statement = select(Referral.submission_id).where(
        Referral.submission_id.in_(ids), Referral.status == ReferralStatus.OFFERED.value
    )
    return set(connection.execute(statement).scalars())


def _discard_dead_letters(unit: UnitOfWork, ids: Sequence[uuid.UUID]) -> None:
    """Nothing is left to be tried again, but to tell a provider that its referral is withdrawn."""
    statement = (
        select(DeadJob.id, DeadJob.lane, DeadJob.submission_id, DeadJob.reason)
        .outerjoin(Email, Email.id == DeadJob.target_id)
        .where(DeadJob.submission_id.in_(ids), Email.kind.is_(None) | Email.kind.not_in(FAREWELLS))
    )
    rows = unit.connection.execute(statement.order_by(DeadJob.id)).all()
    for row in rows:
        details = {Detail.LANE: row.lane, Detail.CODE: row.reason}
        unit.record(row.submission_id, Action.JOB_DISCARDED, details, reason="erased")
    unit.connection.execute(delete(DeadJob).where(DeadJob.id.in_([row.id for row in rows])))


def _close_links(unit: UnitOfWork, ids: Sequence[uuid.UUID]) -> None:
    links = select(SecureLink.id).where(SecureLink.submission_id.in_(ids))
    for opened in (SecureSession, OneTimeCode):
        unit.connection.execute(delete(opened).where(opened.link_id.in_(links)))
    unit.connection.execute(
        update(SecureLink)
        .where(SecureLink.submission_id.in_(ids), SecureLink.revoked_at.is_(None))
        .values(revoked_at=unit.now)
    )


def _forget_addresses(connection: Connection, ids: Sequence[uuid.UUID], before: dt.datetime) -> None:
    """The person's blind index, wherever an email to the person left it. Those of providers' contacts stay.

    Attempts of emails that were handed over since `before` keep it until `retention` takes it.
    """
    indexes = select(PersonIndex.email).where(PersonIndex.submission_id.in_(ids), PersonIndex.email.is_not(None))
    known = list(connection.execute(indexes).scalars())
    to_person = select(Email.id).where(Email.submission_id.in_(ids), Email.recipient == TO_PERSON)
    connection.execute(
        update(EmailAttempt).where(EmailAttempt.id.in_(old_attempts(before, ids))).values(address_index=b"")
    )
    # What is about another submission's email is that one's, and may be under a hold.
    unmatched = MailEvent.email_id.is_(None) & MailEvent.applied_at.is_not(None)
    about = MailEvent.email_id.in_(to_person) | (unmatched & MailEvent.address_index.in_(known))
    connection.execute(update(MailEvent).where(about).values(address_index=None))


def old_attempts(before: dt.datetime, submission_ids: Sequence[uuid.UUID] | None = None) -> Select[uuid.UUID]:
    """Attempts whose email to the person was handed over before then, and that still know where it went: of these
    submissions, or of all that are erased.
    """
    last_used = func.coalesce(Email.handed_over_at, EmailAttempt.started_at)
    statement = (
        select(EmailAttempt.id)
        .join(Email, Email.id == EmailAttempt.email_id)
        .where(Email.recipient == TO_PERSON, EmailAttempt.address_index != b"", last_used < before)
    )
    if submission_ids is not None:
        return statement.where(Email.submission_id.in_(submission_ids))
    return statement.where(EmailAttempt.started_at < before, Email.submission_id.in_(select(Erasure.submission_id)))


def _keep_tombstones(unit: UnitOfWork, ids: Sequence[uuid.UUID]) -> None:
    sources = {unit.heads[submission_id].source for submission_id in ids}
    unit.connection.execute(
        update(IntakeKey).where(IntakeKey.source.in_(sources), IntakeKey.submission_id.in_(ids)).values(body_index=b"")
    )


def _references(connection: Connection, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    rows = connection.execute(select(Submission.id, Submission.reference).where(Submission.id.in_(ids)))
    return {row.id: row.reference for row in rows}
