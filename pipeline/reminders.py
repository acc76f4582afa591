"""Reminders: a provider that has not answered a referral is written to once more, some time before it expires.

A duty of the sweep. What is due is taken under the locks of its submissions, so that two sweeps, an answer or a
withdrawal at the same moment leave one reminder or none.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select, update

from pipeline.context import Context
from pipeline.db import database_time
from pipeline.email.kinds import EmailKind
from pipeline.models import Email, Referral, Submission
from pipeline.outreach import Message, queue_email
from pipeline.status import EmailStatus, ReferralStatus
from pipeline.unit_of_work import UnitOfWork

MOST_AT_ONCE = 200
"""In one sweep: the others are found by the next, a few seconds later."""

_INVITED = (EmailStatus.HANDED_OVER, EmailStatus.DELIVERED, EmailStatus.UNCERTAIN)


def remind_of_referrals(context: Context, unit: UnitOfWork) -> None:
    """Queue a reminder for each referral whose time for it has come, and empty that time whether or not it needs one.

    It needs one while it is offered. An invitation that has yet to leave says the same, and one that did not arrive
    has people see to it: neither is followed by a reminder.
    """
    now = database_time(unit.connection)
    due = unit.connection.execute(
        select(Referral.id, Referral.submission_id)
        .where(Referral.remind_at <= now)
        .order_by(Referral.remind_at)
        .limit(MOST_AT_ONCE)
    ).all()
    if not due:
        return
    free = _lock_free(unit, {row.submission_id for row in due})
    mine = [row.id for row in due if row.submission_id in free]
    for row in _to_remind(unit, mine, now):
        message = Message(
            row.submission_id,
            EmailKind.REFERRAL_REMINDER,
            row.recipient,
            row.language,
            f"reminder:{row.id}",
            row.id,
            # One of its own, by which the provider answers as by the first; no page outlives the offer.
            link_until=row.expires_at,
        )
        queue_email(context, unit, message)
    unit.connection.execute(update(Referral).where(Referral.id.in_(mine)).values(remind_at=None))


def _lock_free(unit: UnitOfWork, submission_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Lock those submissions that nobody else holds, and return them. The others have their turn in the next sweep.

    A sweep may hold locks of jobs and of other submissions by now, so it must not wait for more of them.
    """
    statement = (
        select(Submission.id).where(Submission.id.in_(submission_ids)).with_for_update(key_share=True, skip_locked=True)
    )
    free = set(unit.connection.execute(statement).scalars())
    unit.lock(free)
    return free


def _to_remind(unit: UnitOfWork, referral_ids: Sequence[uuid.UUID], now: dt.datetime) -> Sequence[Any]:
    """Those that still need it, read again under the lock; each with its invitation's recipient and language."""
    statement = (
        select(Referral.id, Referral.submission_id, Referral.expires_at, Email.recipient, Email.language)
        .join(Email, (Email.submission_id == Referral.submission_id) & (Email.subject_id == Referral.id))
        .where(
            Referral.id.in_(referral_ids),
            Referral.status == ReferralStatus.OFFERED.value,
            Referral.remind_at.is_not(None),
            Referral.expires_at > now,
            Email.kind == EmailKind.REFERRAL.value,
            Email.status.in_(_INVITED),
        )
        .order_by(Referral.id)
    )
    return unit.connection.execute(statement).all()
