"""A provider accepts or declines a referral. A decline sends the next best match."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import orjson
from sqlalchemy import select, update

from config.screening import LocalizedText
from pipeline.audit.actions import Action
from pipeline.capacity import Room
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import Referral, SealedDocument, SecureLink
from pipeline.referral import REFER_LANE, close
from pipeline.secure_pages.link import Closed, Link, Locked, find_link, lock_link, lock_of
from pipeline.secure_pages.opening import disclose
from pipeline.secure_pages.provider import ReferralView
from pipeline.secure_pages.session import SessionEnded, is_session
from pipeline.status import ReferralStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork, begin


class DeclineReason(StrEnum):
    """Why a provider does not take a referral."""

    NO_CAPACITY = "no_capacity"
    OUTSIDE_SCOPE = "outside_scope"
    NOT_A_FIT_ON_REVIEW = "not_a_fit_on_review"
    CANNOT_REACH = "cannot_reach"
    OTHER = "other"


DECLINE_REASONS = {
    DeclineReason.NO_CAPACITY: LocalizedText(en="We have no room at the moment", es="No tenemos cupo por ahora"),
    DeclineReason.OUTSIDE_SCOPE: LocalizedText(
        en="It is outside of what we offer", es="Está fuera de lo que ofrecemos"
    ),
    DeclineReason.NOT_A_FIT_ON_REVIEW: LocalizedText(
        en="After reading the answers, it does not fit our criteria",
        es="Al leer las respuestas, no corresponde a nuestros criterios",
    ),
    DeclineReason.CANNOT_REACH: LocalizedText(
        en="We could not reach the person", es="No pudimos comunicarnos con la persona"
    ),
    DeclineReason.OTHER: LocalizedText(en="Another reason", es="Otro motivo"),
}

_ANSWERED = frozenset({ReferralStatus.ACCEPTED, ReferralStatus.DECLINED})


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """Accepted, or declined for a reason. The `note` may say anything, so it is kept as a health fact."""

    accepts: bool
    reason: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The referral has an answer, now or (`already`) since an earlier request."""

    link: Link
    reference: str
    accepted: bool
    already: bool


@dataclass(frozen=True, slots=True)
class ReasonMissing:
    """Declined without one of the reasons; nothing was changed. Shown again, and that is on record."""

    view: ReferralView


def answer_referral(
    context: Context,
    token: str,
    session_key: str | None,
    answer: ProviderAnswer,
    language: str | None,
    request_id: str,
    wake: Callable[[str], None],
) -> Answered | ReasonMissing | SessionEnded | Closed | Locked:
    """Take a provider's answer. The first one counts."""
    with context.database.read() as connection:
        found = find_link(connection, token, utc_now())
    if found is None or found.provider_id is None:
        return Closed()
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        result = _answer(context, unit, found, session_key, answer, language)
    for lane in unit.fed_lanes:
        wake(lane)
    return result


def _answer(
    context: Context,
    unit: UnitOfWork,
    found: Link,
    session_key: str | None,
    answer: ProviderAnswer,
    language: str | None,
) -> Answered | ReasonMissing | SessionEnded | Closed | Locked:
    link = lock_link(unit, found)
    if link is None:
        return Closed()
    if not is_session(unit.connection, link, session_key, unit.now):
        if not link.leads_somewhere(unit.now):
            return Closed()
        return lock_of(unit.connection, link, unit.now) or SessionEnded(link)
    sealed = read_sealed(unit.connection, [link.submission_id], [Part.ANSWERS, Part.ASSESSMENT]).get(link.submission_id)
    if sealed is None or Part.ANSWERS not in sealed.parts:
        return Closed()
    if link.referral_status in _ANSWERED:
        accepted = link.referral_status is ReferralStatus.ACCEPTED
        return Answered(link, sealed.reference, accepted, already=True)
    if not link.is_offered(unit.now):
        return Closed()
    if not answer.accepts and answer.reason not in set(DeclineReason):
        view = disclose(context, unit, link, sealed, language or link.language)
        return ReasonMissing(view) if isinstance(view, ReferralView) else Closed()
    _close(context, unit, link, sealed, answer)
    return Answered(link, sealed.reference, answer.accepts, already=False)


def _close(context: Context, unit: UnitOfWork, link: Link, sealed: Sealed, answer: ProviderAnswer) -> None:
    referral: Referral = unit.connection.execute(  # type: ignore[assignment]
        select(Referral.table()).where(Referral.id == link.referral_id)
    ).one()
    room = Room(unit.connection, [referral.provider_id])
    if answer.accepts:
        close(unit, [referral], ReferralStatus.ACCEPTED, Action.REFERRAL_ACCEPTED, room)
        _keep_readable(context, unit, link)
    else:
        health = _seal_reason(context, unit, referral, sealed, answer)
        close(
            unit,
            [referral],
            ReferralStatus.DECLINED,
            Action.REFERRAL_DECLINED,
            room,
            reason=answer.reason,
            health=health,
        )
        unit.enqueue(REFER_LANE, referral.submission_id, referral.submission_id)
    room.save()


def _keep_readable(context: Context, unit: UnitOfWork, link: Link) -> None:
    """Whoever accepts needs the page from now on, however late the answer came."""
    until = unit.now + dt.timedelta(days=context.settings.link_valid_days)
    later = update(SecureLink).where(SecureLink.id == link.id, SecureLink.expires_at < until)
    unit.connection.execute(later.values(expires_at=until))


def _seal_reason(
    context: Context, unit: UnitOfWork, referral: Referral, sealed: Sealed, answer: ProviderAnswer
) -> tuple[bytes, bytes]:
    """Keep reason and note encrypted; returns what the record of the decline says of them."""
    key, part = sealed.key(context.vault), f"reason:{referral.id}"
    plaintext = orjson.dumps({"reason": answer.reason, "note": answer.note})
    ciphertext = key.seal(part, plaintext)
    unit.insert(SealedDocument.table(), submission_id=referral.submission_id, part=part, ciphertext=ciphertext)
    return ciphertext, key.commit_to(plaintext)
