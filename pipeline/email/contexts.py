"""What each kind of email may know. Anything not named here cannot be rendered: templates run under StrictUndefined.

No context has a field for a health fact, for a provider's name (mail to the person) or for a person's name (mail to a
provider). Links and codes open things, so they are kept out of every `repr`.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, get_args

from pipeline.email.kinds import EmailKind


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who writes: shown in the header and the footer of every email."""

    name: str
    postal_address: str
    contact_email: str


@dataclass(frozen=True, slots=True)
class _AboutRequest:
    reference: str
    """The short human reference of the request, the only thing besides plain words in a subject."""
    link: str = field(repr=False)
    """Absolute URL of the page that has the rest."""
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class Confirmation(_AboutRequest):
    """To the person: we received your request. The link's page also offers "This wasn't me"."""

    kind: ClassVar[EmailKind] = EmailKind.CONFIRMATION


@dataclass(frozen=True, slots=True)
class PleaseCorrect(_AboutRequest):
    """To the person: some answers could not be used; the link opens the form."""

    fields: tuple[str, ...]
    """Labels of the questions in the email's language, made by `labels_to_correct`; never an answer."""
    kind: ClassVar[EmailKind] = EmailKind.PLEASE_CORRECT


@dataclass(frozen=True, slots=True)
class Joined(_AboutRequest):
    """To the person: this form was joined to the earlier request that `reference` names."""

    kind: ClassVar[EmailKind] = EmailKind.JOINED


@dataclass(frozen=True, slots=True)
class InReview(_AboutRequest):
    """To the person: someone from the network will look at the request."""

    kind: ClassVar[EmailKind] = EmailKind.IN_REVIEW


@dataclass(frozen=True, slots=True)
class InformationNeeded(_AboutRequest):
    """To the person: a few more answers would decide; the link's page asks the questions, the email never does."""

    kind: ClassVar[EmailKind] = EmailKind.INFORMATION_NEEDED


@dataclass(frozen=True, slots=True)
class Recommendation(_AboutRequest):
    """To the person: the results are ready behind the link."""

    kind: ClassVar[EmailKind] = EmailKind.RECOMMENDATION


@dataclass(frozen=True, slots=True)
class NoMatch(_AboutRequest):
    """To the person: no provider can be suggested now, and what to do next."""

    kind: ClassVar[EmailKind] = EmailKind.NO_MATCH


@dataclass(frozen=True, slots=True)
class Referral(_AboutRequest):
    """To a provider: a referral is waiting behind the link. `reference` is the referral's request."""

    expires_on: date
    """The last day, in the provider's time zone, on which it can be accepted."""
    kind: ClassVar[EmailKind] = EmailKind.REFERRAL


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """The second factor for a secure page. No link: a code and the link it opens do not travel together."""

    reference: str
    code: str = field(repr=False)
    organisation: Organisation
    minutes_valid: int = 10
    kind: ClassVar[EmailKind] = EmailKind.ONE_TIME_CODE


EmailContext = (
    Confirmation
    | PleaseCorrect
    | Joined
    | InReview
    | InformationNeeded
    | Recommendation
    | NoMatch
    | Referral
    | OneTimeCode
)

CONTEXTS: dict[EmailKind, type[EmailContext]] = {context.kind: context for context in get_args(EmailContext)}
"""The registry: exactly one context per kind (a test holds it against the kinds and the template folders)."""
