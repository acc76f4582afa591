"""What the person's page shows of their consents, and what comes of taking one back."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException


class Consent(StrEnum):
    """What was agreed to, as a form names it."""

    CONTACT = "contact"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Holder:
    """A provider that may see the person's answers."""

    provider_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Consents:
    """Which consents are live, and who holds the answers because of them."""

    contact: bool = False
    sharing: bool = False
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The consent to take back; `provider_id` for one provider only. `confirmed`: after it was asked for once.

    Raises `ValueError` for a provider that is to contact: that is agreed to for us only.
    """

    consent: Consent
    provider_id: str | None = None
    confirmed: bool = False

    def __post_init__(self) -> None:
        if self.provider_id is not None and self.consent is not Consent.SHARE:
            raise ValueError("only sharing is agreed to by provider")

    @property
    def name(self) -> str:
        """As a form names it."""
        return f"{self.consent}:{self.provider_id}" if self.provider_id else self.consent.value


@dataclass(frozen=True, slots=True)
class ToConfirm:
    """Nothing was changed yet: the person is told what comes of it, and asked."""

    language: str
    withdrawal: Withdrawal
    provider_name: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The consent is taken back. (Sharing with nobody at all is `Stopped`.)"""

    language: str
    withdrawal: Withdrawal
    provider_name: str | None = None


def read_withdrawal(fields: FormData) -> Withdrawal:
    """What the form asks for; anything that the page does not offer is answered with 400."""
    named, confirmed = fields.get("consent"), fields.get("confirmed") == "yes"
    name, _, provider_id = named.partition(":") if isinstance(named, str) else ("", "", "")
    try:
        return Withdrawal(Consent(name), provider_id or None, confirmed)
    except ValueError:
        raise HTTPException(400) from None
