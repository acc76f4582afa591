"""The kinds of email Careroute sends, and the rules of each, in one table.

The value of a kind is the name of its folder under `templates/email/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.screening import DataClass
from pipeline.consent.purposes import ConsentPurpose


class EmailKind(StrEnum):
    CONFIRMATION = "confirmation"
    PLEASE_CORRECT = "please-correct"
    JOINED = "joined"
    IN_REVIEW = "in-review"
    INFORMATION_NEEDED = "information-needed"
    RECOMMENDATION = "recommendation"
    NO_MATCH = "no-match"
    STATUS_LINK = "status-link"
    REFERRAL = "referral"
    REFERRAL_REMINDER = "referral-reminder"
    REFERRAL_WITHDRAWN = "referral-withdrawn"
    ONE_TIME_CODE = "one-time-code"


class MailClass(StrEnum):
    """Why somebody is written to, which decides footer, postal address, headers and what a suppression covers.

    transactional    about something the recipient has just done, or must know: no way to unsubscribe
    requested        asked for once, and may be asked to end: one-click unsubscribe (RFC 8058), postal address
    promotional      advertising (15 USC 7702(2)): as requested, and said to be so. No kind is.
    """

    TRANSACTIONAL = "transactional"
    REQUESTED = "requested"
    PROMOTIONAL = "promotional"

    @property
    def can_be_unsubscribed(self) -> bool:
        return self is not MailClass.TRANSACTIONAL


class Reader(StrEnum):
    """Whose inbox it is for."""

    PERSON = "person"
    PROVIDER = "provider"


class Form(StrEnum):
    """`notice` holds no fact and may leave by any transport; `full` holds facts, for a transport cleared for them."""

    NOTICE = "notice"
    FULL = "full"


class WhenUncertain(StrEnum):
    """What is done with an email of unknown fate when no receipt has settled it by the end of the hold."""

    SEND_AGAIN = "send_again"  # once: getting it twice is better than never
    ASK = "ask"  # an operator decides: getting it twice would mislead


@dataclass(frozen=True, slots=True)
class KindRules:
    """`full_form_holds`: the class of data in the full form; None for a kind that has a notice form only.

    `has_link`: whether a secure link of its own is made for it. `consent`: without it, live, the email does not leave.
    """

    reader: Reader
    mail_class: MailClass
    when_uncertain: WhenUncertain
    full_form_holds: DataClass | None = None
    has_link: bool = True
    survives_withdrawal: bool = False
    consent: ConsentPurpose | None = None


_PERSON, _PROVIDER = Reader.PERSON, Reader.PROVIDER
_TRANSACTIONAL, _REQUESTED = MailClass.TRANSACTIONAL, MailClass.REQUESTED
_SEND_AGAIN, _ASK = WhenUncertain.SEND_AGAIN, WhenUncertain.ASK
_CONTACT, _SHARE = ConsentPurpose.CONTACT, ConsentPurpose.SHARE

RULES: Mapping[EmailKind, KindRules] = {
    EmailKind.CONFIRMATION: KindRules(_PERSON, _TRANSACTIONAL, _SEND_AGAIN, consent=_CONTACT),
    # A form that was rejected gave no consent. Whoever sends one wants to hear what became of it.
    EmailKind.PLEASE_CORRECT: KindRules(_PERSON, _TRANSACTIONAL, _SEND_AGAIN, has_link=False),
    EmailKind.JOINED: KindRules(_PERSON, _TRANSACTIONAL, _SEND_AGAIN, consent=_CONTACT),
    EmailKind.IN_REVIEW: KindRules(_PERSON, _TRANSACTIONAL, _SEND_AGAIN, consent=_CONTACT),
    EmailKind.INFORMATION_NEEDED: KindRules(
        _PERSON, _REQUESTED, _SEND_AGAIN, full_form_holds=DataClass.HEALTH, consent=_CONTACT
    ),
    EmailKind.RECOMMENDATION: KindRules(
        _PERSON, _REQUESTED, _SEND_AGAIN, full_form_holds=DataClass.HEALTH, consent=_CONTACT
    ),
    EmailKind.NO_MATCH: KindRules(_PERSON, _REQUESTED, _SEND_AGAIN, consent=_CONTACT),
    # Asked for by itself, each time; and the way back to the page on which a consent is taken back.
    EmailKind.STATUS_LINK: KindRules(_PERSON, _TRANSACTIONAL, _SEND_AGAIN),
    # A second one would look like a second person.
    EmailKind.REFERRAL: KindRules(_PROVIDER, _TRANSACTIONAL, _ASK, full_form_holds=DataClass.HEALTH, consent=_SHARE),
    EmailKind.REFERRAL_REMINDER: KindRules(_PROVIDER, _REQUESTED, _SEND_AGAIN, consent=_SHARE),
    EmailKind.REFERRAL_WITHDRAWN: KindRules(
        _PROVIDER, _TRANSACTIONAL, _SEND_AGAIN, has_link=False, survives_withdrawal=True
    ),
    # Another code can be asked for at any time; an old one that comes late confuses. It holds no fact, and the page
    # that it opens asks for the consent itself.
    EmailKind.ONE_TIME_CODE: KindRules(_PROVIDER, _TRANSACTIONAL, _ASK, has_link=False),
}
