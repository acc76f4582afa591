"""From an email's row to who gets it and what it may say: the one place that opens answers to write an address."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from config.providers import ProviderDocument
from pipeline.context import Context
from pipeline.email import contexts
from pipeline.email.contexts import EmailContext, Organisation
from pipeline.email.kinds import EmailKind
from pipeline.email.labels import labels_to_correct
from pipeline.engine.stage import PermanentFailure
from pipeline.models import Duplicate, Email, Referral, Submission
from pipeline.outreach import TO_PERSON
from pipeline.secure_link import link_url, one_time_code
from pipeline.status import EmailStatus
from pipeline.submission import Part, Sealed, read_sealed

_ONLY_A_LINK: Mapping[EmailKind, Callable[[str, str, Organisation], EmailContext]] = {
    EmailKind.CONFIRMATION: contexts.Confirmation,
    EmailKind.JOINED: contexts.Joined,
    EmailKind.IN_REVIEW: contexts.InReview,
    EmailKind.INFORMATION_NEEDED: contexts.InformationNeeded,
    EmailKind.RECOMMENDATION: contexts.Recommendation,
    EmailKind.NO_MATCH: contexts.NoMatch,
}


@dataclass(frozen=True, slots=True)
class Letter:
    """An email row with everything that is needed to write and address it."""

    email_id: uuid.UUID
    attempt_id: uuid.UUID | None
    kind: EmailKind
    language: str
    recipient: str
    subject_id: uuid.UUID | None
    sealed: Sealed
    reference: str
    provider: ProviderDocument | None
    expires_at: dt.datetime | None


class Addressing:
    """Reads letters in bulk, and writes each one's address and context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        settings = context.settings
        self._organisation = Organisation(settings.organisation_name, settings.postal_address, settings.contact_email)

    def read(self, connection: Connection, email_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Letter]:
        """The letters of those emails that are still queued and whose submission still has its key."""
        rows = connection.execute(
            select(
                Email.id,
                Email.attempt_id,
                Email.kind,
                Email.language,
                Email.recipient,
                Email.subject_id,
                Email.submission_id,
            ).where(Email.id.in_(list(email_ids)), Email.status == EmailStatus.QUEUED.value)
        ).all()
        sealed = read_sealed(connection, {row.submission_id for row in rows}, [Part.ANSWERS, Part.PROBLEMS])
        expiries = _expiries(connection, [row.subject_id for row in rows if row.kind == EmailKind.REFERRAL])
        earlier = _earlier_references(connection, [row.submission_id for row in rows if row.kind == EmailKind.JOINED])
        in_force = self._context.networks.current(connection)
        return {
            row.id: Letter(
                email_id=row.id,
                attempt_id=row.attempt_id,
                kind=EmailKind(row.kind),
                language=row.language,
                recipient=row.recipient,
                subject_id=row.subject_id,
                sealed=sealed[row.submission_id],
                reference=earlier.get(row.submission_id, sealed[row.submission_id].reference),
                provider=in_force.document_of(_provider_id(row.recipient)),
                expires_at=expiries.get(row.subject_id) if row.subject_id else None,
            )
            for row in rows
            if row.submission_id in sealed
        }

    def address(self, letter: Letter) -> str:
        """Raises `PermanentFailure` if there is none any more."""
        if letter.recipient != TO_PERSON:
            if letter.provider is None:
                raise PermanentFailure("provider_unknown")
            return letter.provider.contact.email
        answers = letter.sealed.open_json(self._context.vault, Part.ANSWERS)
        if not answers.get("email"):
            raise PermanentFailure("no_address")
        return str(answers["email"])

    def context(self, letter: Letter) -> EmailContext:
        """What the email may say."""
        settings, vault = self._context.settings, self._context.vault
        link = link_url(settings.effective_public_url, vault, letter.email_id)
        if letter.kind in _ONLY_A_LINK:
            return _ONLY_A_LINK[letter.kind](letter.reference, link, self._organisation)
        match letter.kind:
            case EmailKind.PLEASE_CORRECT:
                form = f"{settings.effective_public_url}/screening?lang={letter.language}"
                return contexts.PleaseCorrect(letter.reference, form, self._organisation, self._labels(letter))
            case EmailKind.REFERRAL:
                return contexts.Referral(letter.reference, link, self._organisation, _last_day(letter))
            case EmailKind.ONE_TIME_CODE:
                if letter.subject_id is None:
                    raise PermanentFailure("no_code")
                code = one_time_code(vault, letter.subject_id)
                return contexts.OneTimeCode(letter.reference, code, self._organisation)
        raise PermanentFailure(f"kind_unknown:{letter.kind}")

    def _labels(self, letter: Letter) -> tuple[str, ...]:
        problems = letter.sealed.open_json(self._context.vault, Part.PROBLEMS)
        screening = self._context.screening
        questions = [screening.by_id[field] for field, _ in problems if field in screening.by_id]
        return labels_to_correct(questions, letter.language)


def _last_day(letter: Letter) -> dt.date:
    """The last whole day in the provider's zone on which the referral is open."""
    if letter.provider is None or letter.expires_at is None:
        raise PermanentFailure("referral_closed")
    return letter.expires_at.astimezone(ZoneInfo(letter.provider.time_zone)).date()


def _provider_id(recipient: str) -> str | None:
    kind, _, provider_id = recipient.partition(":")
    return provider_id if kind == "provider" else None


def _expiries(connection: Connection, referral_ids: list[uuid.UUID]) -> Mapping[uuid.UUID, dt.datetime | None]:
    if not referral_ids:
        return {}
    rows = connection.execute(select(Referral.id, Referral.expires_at).where(Referral.id.in_(referral_ids)))
    return {row.id: row.expires_at for row in rows}


def _earlier_references(connection: Connection, submission_ids: list[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """For joined submissions, the reference of the request they were joined to."""
    if not submission_ids:
        return {}
    rows = connection.execute(
        select(Duplicate.submission_id, Submission.reference)
        .join(Submission, Submission.id == Duplicate.duplicate_of)
        .where(Duplicate.submission_id.in_(submission_ids))
    )
    return {row.submission_id: row.reference for row in rows}
