"""What each kind of email may know. Anything not named here cannot be rendered: templates run under StrictUndefined.

Only `details` holds facts, for a kind's full form. They are protected: a notice form that touches them is refused.
Links and codes open things, so they are kept out of every `repr`.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar, Self, TypeVar, get_args

from config.screening import DataClass
from pipeline.email.details import InformationNeededDetails, RecommendationDetails, ReferralDetails
from pipeline.email.kinds import EmailKind
from pipeline.protected import Disclosure, Protected

WITHHELD: Protected[Any] = Protected(None, DataClass.HEALTH)
"""Stands for details that were not read: a notice form that touches them is refused all the same."""


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
class _Requested(_AboutRequest):
    """Mail of class `requested`: whoever gets it can end it."""

    unsubscribe_link: str = field(repr=False)


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
class InformationNeeded(_Requested):
    """To the person: a few more answers would decide; the link's page asks the questions."""

    details: Protected[InformationNeededDetails] | InformationNeededDetails = field(default=WITHHELD, repr=False)
    kind: ClassVar[EmailKind] = EmailKind.INFORMATION_NEEDED

    def revealed(self, disclosure: Disclosure) -> Self:
        return replace(self, details=_revealed(self.details, disclosure))


@dataclass(frozen=True, slots=True)
class Recommendation(_Requested):
    """To the person: the results are ready behind the link."""

    details: Protected[RecommendationDetails] | RecommendationDetails = field(default=WITHHELD, repr=False)
    kind: ClassVar[EmailKind] = EmailKind.RECOMMENDATION

    def revealed(self, disclosure: Disclosure) -> Self:
        return replace(self, details=_revealed(self.details, disclosure))


@dataclass(frozen=True, slots=True)
class NoMatch(_Requested):
    """To the person: no provider can be suggested now, and what to do next."""

    kind: ClassVar[EmailKind] = EmailKind.NO_MATCH


@dataclass(frozen=True, slots=True)
class StatusLink(_AboutRequest):
    """To the person, who asked for it: a new link to the request's page."""

    kind: ClassVar[EmailKind] = EmailKind.STATUS_LINK


@dataclass(frozen=True, slots=True)
class Referral(_AboutRequest):
    """To a provider: a referral is waiting behind the link. `reference` is the referral's request."""

    expires_on: date
    """The last day, in the provider's time zone, on which it can be accepted."""
    details: Protected[ReferralDetails] | ReferralDetails = field(default=WITHHELD, repr=False)
    kind: ClassVar[EmailKind] = EmailKind.REFERRAL

    def revealed(self, disclosure: Disclosure) -> Self:
        return replace(self, details=_revealed(self.details, disclosure))


@dataclass(frozen=True, slots=True)
class ReferralReminder(_Requested):
    """To a provider that has not answered yet."""

    expires_on: date
    """As in `Referral`."""
    kind: ClassVar[EmailKind] = EmailKind.REFERRAL_REMINDER


@dataclass(frozen=True, slots=True)
class ReferralWithdrawn:
    """To a provider that held a referral: the person took the request back, and its page is closed."""

    reference: str
    organisation: Organisation
    kind: ClassVar[EmailKind] = EmailKind.REFERRAL_WITHDRAWN


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """The second factor for a secure page. No link: a code and the link it opens do not travel together."""

    reference: str
    code: str = field(repr=False)
    organisation: Organisation
    minutes_valid: int = 10
    kind: ClassVar[EmailKind] = EmailKind.ONE_TIME_CODE


D = TypeVar("D")

EmailContext = (
    Confirmation
    | PleaseCorrect
    | Joined
    | InReview
    | InformationNeeded
    | Recommendation
    | NoMatch
    | StatusLink
    | Referral
    | ReferralReminder
    | ReferralWithdrawn
    | OneTimeCode
)

CONTEXTS: dict[EmailKind, type[EmailContext]] = {context.kind: context for context in get_args(EmailContext)}
"""The registry: exactly one context per kind (a test holds it against the kinds and the template folders)."""

WithDetails = InformationNeeded | Recommendation | Referral
"""The contexts whose kinds have a full form."""


def _revealed(details: Protected[D] | D, disclosure: Disclosure) -> D:
    return disclosure.reveal(details) if isinstance(details, Protected) else details
