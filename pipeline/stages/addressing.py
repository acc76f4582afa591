"""From an email's row to who gets it, and for a transport that is cleared for facts, what they are made of."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, literal_column, select

from config.providers import ProviderDocument
from config.screening import DataClass
from pipeline import bulk
from pipeline.context import Context
from pipeline.db import clock
from pipeline.email.kinds import RULES, EmailKind
from pipeline.engine.stage import PermanentFailure
from pipeline.models import Duplicate, Email, OneTimeCode, PersonIndex, Referral, Submission
from pipeline.outreach import TO_PERSON, opened_links
from pipeline.protected import Protected
from pipeline.protected_parts import open_address
from pipeline.stages.letter_details import Material, cleared_kinds, read_material
from pipeline.status import EmailStatus, ReferralStatus
from pipeline.submission import Part, Sealed, read_erased, read_sealed
from pipeline.suppression import Reason, address_index, read_suppressions

WAITING = (EmailStatus.QUEUED, EmailStatus.UNCERTAIN, EmailStatus.BOUNCED, EmailStatus.DROPPED)
"""Whose job has something left to do: send it, settle it by its kind's policy, or hand it to an operator."""

_ABOUT_OPEN_REFERRALS = frozenset({EmailKind.REFERRAL, EmailKind.REFERRAL_REMINDER})


@dataclass(frozen=True, slots=True)
class Letter:
    """An email row with everything that is needed to write and address it."""

    email_id: uuid.UUID
    attempt_id: uuid.UUID | None
    marked_for: str | None
    """The transport that the mark of an attempt was made for."""
    status: EmailStatus
    detail: str | None
    kind: EmailKind
    language: str
    recipient: str
    subject_id: uuid.UUID | None
    sealed: Sealed
    reference: str
    provider: ProviderDocument | None
    expires_at: dt.datetime | None
    still_of_use: bool
    """Whether what it is about still stands: a closed referral or a spent code needs no email any more."""
    address_index: bytes | None
    suppressed: Reason | None
    material: Material | None = None
    """There for a full form: what its details are made of."""
    sent_again: bool = False
    """Whether its fate was unknown, and it was sent once more, before."""
    arrived: bool = False
    """Whether its fate is unknown to the transport, and its link was followed."""


class Addressing:
    """Reads letters in bulk, and each one's address."""

    def __init__(self, context: Context, clearance: DataClass) -> None:
        """`clearance` is the transport's: facts are read only for letters that may hold them."""
        self._context = context
        self._with_facts = cleared_kinds(clearance)
        self._parts = [Part.ANSWERS, Part.PROBLEMS, *([Part.ASSESSMENT] if self._with_facts else [])]

    def read(self, connection: Connection, email_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Letter]:
        """The letters of those emails that have something left to do. Of an erased submission they have no key: one
        that says nothing but the reference can still be sent, and what became of the others is still to be settled.
        """
        rows = connection.execute(_reading(connection.dialect.name), {"ids": list(email_ids)}).all()
        sealed = read_sealed(connection, {row.submission_id for row in rows}, self._parts)
        referrals = _referrals(connection, [row.subject_id for row in rows if row.kind in _ABOUT_OPEN_REFERRALS])
        spent = _spent_codes(connection, [row.subject_id for row in rows if row.kind == EmailKind.ONE_TIME_CODE])
        uncertain = [row for row in rows if row.status == EmailStatus.UNCERTAIN]
        arrived = opened_links(connection, [row.submission_id for row in uncertain], [row.id for row in uncertain])
        earlier = _earlier_references(connection, [row.submission_id for row in rows if row.kind == EmailKind.JOINED])
        in_force = self._context.networks.current(connection)
        providers = {to: in_force.document_of(_provider_id(to)) for to in {row.recipient for row in rows}}
        of_providers = self._indexes(providers)
        indexes = {row.id: _person_index(row) or of_providers.get(row.recipient) for row in rows}
        suppressed = read_suppressions(connection, {index for index in indexes.values() if index is not None})
        with_facts = [row for row in rows if row.kind in self._with_facts]
        material = read_material(self._context, connection, in_force, with_facts, sealed)
        sealed |= read_erased(connection, {row.submission_id for row in rows} - sealed.keys())
        letters = {}
        for row in rows:
            if row.submission_id not in sealed:
                continue
            kind, index = EmailKind(row.kind), indexes[row.id]
            referral = referrals.get(row.subject_id)
            letters[row.id] = Letter(
                email_id=row.id,
                attempt_id=row.attempt_id,
                marked_for=row.transport,
                status=EmailStatus(row.status),
                detail=row.detail,
                kind=kind,
                language=row.language,
                recipient=row.recipient,
                subject_id=row.subject_id,
                sealed=sealed[row.submission_id],
                reference=earlier.get(row.submission_id, sealed[row.submission_id].reference),
                provider=providers[row.recipient],
                expires_at=referral.expires_at if referral else None,
                still_of_use=_is_open(referral) if kind in _ABOUT_OPEN_REFERRALS else row.subject_id not in spent,
                address_index=index,
                suppressed=suppressed.get((index, RULES[kind].mail_class)) if index is not None else None,
                material=material.get(row.id),
                arrived=row.id in arrived,
            )
        return letters

    def address(self, letter: Letter) -> Protected[str]:
        """Raises `PermanentFailure` if there is none any more."""
        if letter.recipient != TO_PERSON:
            if letter.provider is None:
                raise PermanentFailure("provider_unknown")
            return Protected(letter.provider.contact.email, DataClass.CONTACT)
        address = open_address(self._context, letter.sealed)
        if address is None:
            raise PermanentFailure("no_address")
        return address

    def _indexes(self, providers: Mapping[str, ProviderDocument | None]) -> dict[str, bytes]:
        vault = self._context.vault
        return {to: address_index(vault, each.contact.email) for to, each in providers.items() if each is not None}


@cache
def _reading(dialect: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Email.id,
            Email.attempt_id,
            Email.transport,
            Email.status,
            Email.detail,
            Email.kind,
            Email.language,
            Email.recipient,
            Email.subject_id,
            Email.submission_id,
            PersonIndex.email.label("person_index"),
        )
        .outerjoin(PersonIndex, PersonIndex.submission_id == Email.submission_id)
        .where(bulk.is_one_of(dialect, Email.id, "ids"), Email.status.in_(WAITING))
    )


def _person_index(row: Any) -> bytes | None:
    return bytes(row.person_index) if row.recipient == TO_PERSON and row.person_index is not None else None


def _is_open(referral: Any) -> bool:
    return referral is not None and ReferralStatus(referral.status) is ReferralStatus.OFFERED


def _provider_id(recipient: str) -> str | None:
    kind, _, provider_id = recipient.partition(":")
    return provider_id if kind == "provider" else None


def _referrals(connection: Connection, referral_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Any]:
    if not referral_ids:
        return {}
    columns = select(Referral.id, Referral.status, Referral.expires_at)
    rows = connection.execute(columns.where(bulk.is_among(connection, Referral.id, referral_ids)))
    return {row.id: row for row in rows}


def _spent_codes(connection: Connection, code_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """The codes that open nothing any more."""
    if not code_ids:
        return set()
    spent = OneTimeCode.used_at.is_not(None) | (OneTimeCode.expires_at <= literal_column(clock(connection)))
    codes = select(OneTimeCode.id).where(bulk.is_among(connection, OneTimeCode.id, code_ids), spent)
    return set(connection.execute(codes).scalars())


def _earlier_references(connection: Connection, submission_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """For joined submissions, the reference of the request they were joined to."""
    if not submission_ids:
        return {}
    rows = connection.execute(
        select(Duplicate.submission_id, Submission.reference)
        .join(Submission, Submission.id == Duplicate.duplicate_of)
        .where(bulk.is_among(connection, Duplicate.submission_id, submission_ids))
    )
    return {row.submission_id: row.reference for row in rows}
