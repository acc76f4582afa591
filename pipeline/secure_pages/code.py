"""One-time codes: sent to the contact registered for the provider, never to an address the visitor gives."""

import datetime as dt
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import OneTimeCode
from pipeline.outreach import Message, queue_email, to_provider
from pipeline.secure_link import CODE_VALID, one_time_code
from pipeline.secure_pages.link import Closed, Link, Locked, find_link, lock_link, lock_of
from pipeline.unit_of_work import UnitOfWork, begin

CODES_PER_WINDOW = 5
WINDOW = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CodeQueued:
    """A code was made, and the email with it queued."""

    link: Link


def send_code(
    context: Context, token: str, language: str | None, request_id: str, wake: Callable[[str], None]
) -> CodeQueued | Closed | Locked:
    """Make a code for a provider's live link and queue its email in `language` (else the link's)."""
    with context.database.read() as connection:
        link = find_link(connection, token, utc_now())
    if link is None or link.provider_id is None:
        return Closed()
    with begin(context.database, context.keys, link.holder, request_id) as unit:
        result = _send(context, unit, link, language)
    for lane in unit.fed_lanes:
        wake(lane)
    return result


def _send(context: Context, unit: UnitOfWork, found: Link, language: str | None) -> CodeQueued | Closed | Locked:
    link = lock_link(unit, found)
    if link is None or link.provider_id is None or not link.leads_somewhere(unit.now):
        return Closed()
    if (lock := lock_of(unit.connection, link, unit.now) or _too_many(unit, link)) is not None:
        return lock
    code_id = uuid7()
    unit.insert(
        OneTimeCode.table(),
        id=code_id,
        link_id=link.id,
        created_at=unit.now,
        expires_at=unit.now + CODE_VALID,
    )
    unit.record(
        link.submission_id,
        Action.CODE_REQUESTED,
        {Detail.LINK: str(link.id), Detail.PROVIDER: link.provider_id, Detail.CAUSE: _cause(code_id)},
    )
    message = Message(
        link.submission_id,
        EmailKind.ONE_TIME_CODE,
        to_provider(link.provider_id),
        language or link.language,
        _cause(code_id),
        code_id,
    )
    queue_email(context, unit, message)
    return CodeQueued(link)


def use_code(context: Context, unit: UnitOfWork, link: Link, given: str) -> bool:
    """Whether `given` is an unused code of the locked link; then none of its codes can be used again.

    Emails overtake each other, so each code that is still valid is as good as the newest.
    """
    typed = "".join(given.split()).encode("utf-8", "surrogatepass")
    usable = select(OneTimeCode.id).where(
        OneTimeCode.link_id == link.id, OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > unit.now
    )
    codes = [one_time_code(context.vault, row.id) for row in unit.connection.execute(usable)]
    matches = [hmac.compare_digest(code.encode(), typed) for code in codes]
    if not any(matches):
        return False
    spent = update(OneTimeCode).where(OneTimeCode.link_id == link.id, OneTimeCode.used_at.is_(None))
    unit.connection.execute(spent.values(used_at=unit.now))
    return True


def _too_many(unit: UnitOfWork, link: Link) -> Locked | None:
    statement = (
        select(OneTimeCode.created_at)
        .where(OneTimeCode.link_id == link.id, OneTimeCode.created_at > unit.now - WINDOW)
        .order_by(OneTimeCode.created_at.desc())
        .limit(CODES_PER_WINDOW)
    )
    times = list(unit.connection.execute(statement).scalars())
    if len(times) < CODES_PER_WINDOW:
        return None
    return Locked(link, max(1, round((times[-1] + WINDOW - unit.now).total_seconds())))


def _cause(code_id: uuid.UUID) -> str:
    return f"code:{code_id}"
