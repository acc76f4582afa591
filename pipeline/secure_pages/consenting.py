"""A consent is taken back on the person's page, behind the second factor: asked for once, done when it is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from pipeline import protected
from pipeline.consent.purposes import ConsentPurpose
from pipeline.consent.withdrawing import TakenBack, joined_to, take_back
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import Referral
from pipeline.outreach import TO_PERSON
from pipeline.protected import Purpose
from pipeline.providers import read_documents
from pipeline.secure_pages.link import Closed, Link, Locked, about, find_link, lock_link, lock_of
from pipeline.secure_pages.session import SessionEnded, is_session
from pipeline.secure_pages.stopping import Stopped
from pipeline.unit_of_work import UnitOfWork, begin


@dataclass(frozen=True, slots=True)
class ToConfirm:
    """Nothing was changed yet. `provider_name` is there for a consent about one provider."""

    link: Link
    what: TakenBack
    provider_name: str | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The consent is taken back, now or since an earlier request."""

    link: Link
    what: TakenBack
    provider_name: str | None


def withdraw_consent(
    context: Context,
    token: str,
    session_key: str | None,
    what: TakenBack,
    request_id: str,
    wake: Callable[[str], None],
    *,
    confirmed: bool,
) -> ToConfirm | Withdrawn | Stopped | SessionEnded | Closed | Locked:
    """Take a consent back, or ask whether to. Sharing with nobody at all stops everything.

    Of a request that was joined to an earlier one, that is both: the work goes on in the earlier one.
    """
    with context.database.read() as connection:
        found = find_link(connection, token, utc_now())
    if found is None or found.provider_id is not None:
        return Closed()
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        result = _withdraw(context, unit, found, session_key, what, confirmed=confirmed)
    for lane in unit.fed_lanes:
        wake(lane)
    return result


def _withdraw(
    context: Context, unit: UnitOfWork, found: Link, session_key: str | None, what: TakenBack, *, confirmed: bool
) -> ToConfirm | Withdrawn | Stopped | SessionEnded | Closed | Locked:
    both = [found.submission_id, *joined_to(unit.connection, found.submission_id)]
    unit.lock(both)
    link = lock_link(unit, found)
    if link is None or not (link.stopped_everything or link.leads_somewhere(unit.now)):
        return Closed()
    if link.stopped_everything:
        return Stopped(link)
    if not is_session(unit.connection, link, session_key, unit.now):
        return lock_of(unit.connection, link, unit.now) or SessionEnded(link)
    name = None
    if what.provider_id is not None:
        name = _name_of_referred(unit, link, what.provider_id)
        if name is None:
            return Closed()
    # With whom a request is shared tells of it, so that the page says it is on record like the page before.
    protected.disclose(unit, link.submission_id, Purpose.OWN_REQUEST, TO_PERSON, about(link))
    if not confirmed:
        return ToConfirm(link, what, name)
    take_back(context, unit, both, what, link.id)
    stopped = what.provider_id is None and what.purpose is ConsentPurpose.SHARE
    return Stopped(link) if stopped else Withdrawn(link, what, name)


def _name_of_referred(unit: UnitOfWork, link: Link, provider_id: str) -> str | None:
    """What a provider was called that this request was referred to; None for any other."""
    statement = select(Referral.provider_version_id).where(
        Referral.submission_id == link.submission_id, Referral.provider_id == provider_id
    )
    version = unit.connection.execute(statement.limit(1)).scalar_one_or_none()
    return None if version is None else read_documents(unit.connection, [version])[version].name
