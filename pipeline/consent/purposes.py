"""What a person may agree to: a purpose and a recipient, and the question of the form that asks for it."""

from dataclasses import dataclass
from enum import StrEnum


class ConsentPurpose(StrEnum):
    CONTACT = "contact"  # the organisation writes or calls about the request
    SHARE = "share"  # providers see the answers


class ConsentDecision(StrEnum):
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


ORGANISATION = "organisation"
PROVIDERS = "providers"
"""Of the network, as the text agreed to says: a wider recipient than one of them."""


def one_provider(provider_id: str) -> str:
    return f"provider:{provider_id}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the form whose answer is a consent."""

    question_id: str
    purpose: ConsentPurpose
    recipient: str


ASKED = (
    Asked("consent_contact", ConsentPurpose.CONTACT, ORGANISATION),
    Asked("consent_share", ConsentPurpose.SHARE, PROVIDERS),
)
WIDEST = {asked.purpose: asked.recipient for asked in ASKED}
