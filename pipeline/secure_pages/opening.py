"""Looking at a link, and opening it. Looking records the access and nothing else: mail scanners follow links."""

import datetime as dt
from dataclasses import dataclass, replace

from sqlalchemy import Connection, update

from pipeline import protected
from pipeline.audit.actions import Action, Detail
from pipeline.consent.disclosing import disclose_to_provider
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import SecureLink
from pipeline.outreach import TO_PERSON
from pipeline.protected import Purpose
from pipeline.protected_parts import open_answers
from pipeline.secure_pages.code import use_code
from pipeline.secure_pages.link import (
    ATTEMPTS_BEFORE_LOCK,
    LOCK,
    Closed,
    Link,
    Locked,
    about,
    find_link,
    last_recorded,
    lock_link,
    lock_of,
)
from pipeline.secure_pages.person import PersonView, read_person_view
from pipeline.secure_pages.provider import ReferralView, read_referral_view
from pipeline.secure_pages.session import begin_session, is_session
from pipeline.secure_pages.stopping import Stopped
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork, begin

ACCESS_RECORD_EVERY = dt.timedelta(minutes=1)
"""At most one access record a link in this time: whoever has a link must not be able to flood the record."""


@dataclass(frozen=True, slots=True)
class Gated:
    """A live link whose page needs the second factor, or (`session_open`) only a click."""

    link: Link
    session_open: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """The second factor did not match, or none was given."""

    link: Link


@dataclass(frozen=True, slots=True)
class Opened:
    """What is behind the link; `session_key` for a session that was just opened. The disclosure is on record."""

    view: PersonView | ReferralView
    session_key: str | None


def look(context: Context, token: str, session_key: str | None, request_id: str) -> Gated | Stopped | Closed | Locked:
    """What to ask for before the page is shown, or that everything was stopped by this very link."""
    now = utc_now()
    with context.database.read() as connection:
        link = find_link(connection, token, now)
        if link is not None and link.stopped_everything:
            return Stopped(link)
        if link is None or not link.leads_somewhere(now):
            return Closed()
        lock = lock_of(connection, link, now)
        session_open = is_session(connection, link, session_key, now)
        recorded = _recorded_lately(connection, link, now)
    if not recorded:
        with begin(context.database, context.keys, link.holder, request_id) as unit:
            unit.lock([link.submission_id])
            if not _recorded_lately(unit.connection, link, unit.now):
                unit.record(link.submission_id, Action.PAGE_OPENED, about(link))
    if lock is not None and not session_open:
        return lock
    return Gated(link, session_open)


def open_page(
    context: Context,
    token: str,
    session_key: str | None,
    second_factor: str | None,
    language: str | None,
    request_id: str,
) -> Opened | Wrong | Closed | Locked:
    """The page in `language` (else the link's), by a live session or by the second factor, which opens a session.

    The disclosure is recorded in the transaction that reads the facts, and they leave after its commit only.
    """
    with context.database.read() as connection:
        found = find_link(connection, token, utc_now())
    if found is None:
        return Closed()
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        link = lock_link(unit, found)
        if link is None or not link.leads_somewhere(unit.now):
            return Closed()
        sealed = read_sealed(unit.connection, [link.submission_id], [Part.ANSWERS, Part.ASSESSMENT]).get(
            link.submission_id
        )
        if sealed is None or Part.ANSWERS not in sealed.parts:
            return Closed()
        new_key = None
        if not is_session(unit.connection, link, session_key, unit.now):
            if (lock := lock_of(unit.connection, link, unit.now)) is not None:
                return lock
            if not second_factor:
                return Wrong(link)
            if not _matches(context, unit, link, sealed, second_factor):
                return _failed(unit, link)
            _forget_failures(unit, link)
            new_key = begin_session(unit, link)
            unit.record(link.submission_id, Action.PAGE_UNLOCKED, about(link))
        return Opened(disclose(context, unit, link, sealed, language or link.language), new_key)


def disclose(
    context: Context, unit: UnitOfWork, link: Link, sealed: Sealed, language: str
) -> PersonView | ReferralView:
    """Read what is behind an opened link that was locked, and record that it is shown."""
    if link.provider_id is None:
        to_person = protected.disclose(unit, link.submission_id, Purpose.OWN_REQUEST, TO_PERSON, about(link))
        return read_person_view(context, unit.connection, link, sealed, language, to_person)
    details = {**about(link), Detail.PROVIDER: link.provider_id, Detail.REFERRAL: str(link.referral_id)}
    disclosure = disclose_to_provider(unit, link.sharing, link.provider_id, details)
    return read_referral_view(context, unit.connection, link, sealed, language, disclosure)


def _matches(context: Context, unit: UnitOfWork, link: Link, sealed: Sealed, second_factor: str) -> bool:
    if link.provider_id is not None:
        return use_code(context, unit, link, second_factor)
    born = open_answers(context, sealed).get("date_of_birth")
    return born is not None and born.matches(second_factor.strip())


def _failed(unit: UnitOfWork, link: Link) -> Wrong | Locked:
    """Count a wrong second factor; the submission's lock makes sure that none is lost."""
    failed = replace(link, failed_attempts=link.failed_attempts + 1)
    counted = update(SecureLink).where(SecureLink.id == link.id)
    unit.connection.execute(counted.values(failed_attempts=failed.failed_attempts))
    unit.record(link.submission_id, Action.PAGE_UNLOCK_FAILED, about(link), actor=link.holder)
    if failed.failed_attempts % ATTEMPTS_BEFORE_LOCK:
        return Wrong(failed)
    return Locked(failed, None if failed.is_locked_for_good else int(LOCK.total_seconds()))


def _forget_failures(unit: UnitOfWork, link: Link) -> None:
    """Who knows the second factor starts afresh: slips of many visits must not add up to a lock for good."""
    if link.failed_attempts:
        unit.connection.execute(update(SecureLink).where(SecureLink.id == link.id).values(failed_attempts=0))


def _recorded_lately(connection: Connection, link: Link, now: dt.datetime) -> bool:
    last = last_recorded(connection, link, Action.PAGE_OPENED)
    return last is not None and last > now - ACCESS_RECORD_EVERY
