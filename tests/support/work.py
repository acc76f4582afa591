"""Doing what is due, moving time on, and looking at what came of it."""

import datetime as dt
import uuid
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Row, Table, Update, func, select, update

from pipeline import ledger
from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.engine.drain import Engine
from pipeline.engine.sweep import Swept, sweep
from pipeline.lanes import build_lanes
from pipeline.models import AuditEvent, Email, Job, LanePause, Referral, Submission
from pipeline.referral import ask_about_expired
from pipeline.reminders import remind_of_referrals
from pipeline.stages.deliver import DeliverStage
from pipeline.status import SubmissionStatus
from pipeline.transports.receipt import Transport

LONG_AGO = dt.timedelta(days=30)
_TOO_OFTEN = 100


def engine(context: Context, transport: Transport | None = None) -> Engine:
    """An engine with every lane of this version, sending by `transport` instead of the one in the settings."""
    lanes = dict(build_lanes(context))
    if transport is not None:
        lanes["email"] = replace(lanes["email"], stage=DeliverStage(context, transport))
    return Engine(context.database, context.keys, lanes, serves=frozenset(lanes))


def drain(context: Context, *names: str, transport: Transport | None = None) -> int:
    """Work on the lanes `names` (all without any) until nothing in them is due; returns how many jobs that took."""
    running = engine(context, transport)
    chosen = names or tuple(running.lanes)
    if names:
        running.serves = frozenset()
    worked = 0
    for _ in range(_TOO_OFTEN):
        with context.database.read() as connection:
            due = ledger.due_lanes(connection, chosen)
        done = sum(running.drain(lane) for lane in sorted(due))
        if not done:
            return worked
        worked += done
    raise AssertionError("the lanes feed one another for ever")


def run_sweep(context: Context) -> Swept:
    """Sweep now, with what falls due by time."""
    duties = (ask_about_expired, partial(remind_of_referrals, context))
    swept = sweep(context.database, context.keys, build_lanes(context), 0, duties)
    assert swept is not None
    return swept


def make_due(database: Database) -> None:
    """As if everyone had waited long enough: what backs off is due."""
    _update(database, update(Job).values(due_at=utc_now() - LONG_AGO))


def leave_one_attempt(context: Context, lane: str) -> None:
    """As if the lane's jobs had failed as often as they may, but once."""
    most = build_lanes(context)[lane].maximum_attempts
    _update(context.database, update(Job).where(Job.lane == lane).values(attempts=most - 1))


def expire_leases(database: Database) -> None:
    """As if whoever holds a job had gone quiet for longer than the lease."""
    _update(database, update(Job).where(Job.lease_until.is_not(None)).values(lease_until=utc_now() - LONG_AGO))


def expire_referrals(database: Database) -> None:
    """As if no provider had answered in time."""
    _update(database, update(Referral).where(Referral.expires_at.is_not(None)).values(expires_at=utc_now() - LONG_AGO))


def end_pauses(database: Database) -> None:
    """As if every pause had lasted long enough."""
    _update(database, update(LanePause).values(until=utc_now() - LONG_AGO))


def table(database: Database, of: Table) -> list[Row[Any]]:
    """All rows of a table, by primary key."""
    with database.read() as connection:
        return list(connection.execute(select(of).order_by(*of.primary_key)))


def jobs(database: Database, lane: str | None = None) -> list[Row[Any]]:
    return [job for job in table(database, Job.table()) if lane is None or job.lane == lane]


def status_of(context: Context, submission_id: uuid.UUID) -> SubmissionStatus:
    with context.database.read() as connection:
        found = connection.execute(select(Submission.status).where(Submission.id == submission_id)).scalar_one()
    return SubmissionStatus(found)


def statuses(context: Context) -> Counter[str]:
    """How many submissions stand where."""
    return Counter(row.status for row in table(context.database, Submission.table()))


def emails(context: Context, submission_id: uuid.UUID | None = None) -> list[tuple[str, str, str]]:
    """Kind, recipient and status of the emails about a submission, or all, in order."""
    return sorted(
        (row.kind, row.recipient, row.status)
        for row in table(context.database, Email.table())
        if submission_id in {None, row.submission_id}
    )


class HasDatabase(Protocol):
    """A `Context`, or anything else with a `database`."""

    @property
    def database(self) -> Database: ...


def actions_about(where: HasDatabase | Database, submission_id: uuid.UUID | None) -> list[str]:
    """What is on record about a submission, in order; about none: the records about no submission."""
    database = where if isinstance(where, Database) else where.database
    events = [row for row in table(database, AuditEvent.table()) if row.submission_id == submission_id]
    return [row.action for row in sorted(events, key=lambda row: row.seq)]


def count(database: Database, of: Table) -> int:
    with database.read() as connection:
        found: int = connection.execute(select(func.count()).select_from(of)).scalar_one()
        return found


def _update(database: Database, statement: Update) -> None:
    with database.write() as connection:
        connection.execute(statement)
