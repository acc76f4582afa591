"""What a reply of an SMTP server means for the message, and for those behind it.

Sources: RFC 5321, 4.2 (reply codes); RFC 3463 and the IANA registry of SMTP enhanced status codes (RFC 5248), with
RFC 4954 (authentication), RFC 7372 (SPF, DKIM, reverse DNS), RFC 7505 (null MX). First digit 5 is permanent and 4 is
temporary; where reply code and enhanced code disagree, the milder one counts.

One server is set and answers for every message, so what it says about the sender, the login or the sender's domain
holds for all: the lane stops, and no email pays for it. What it says about the recipient or the content is this
message's own. What it says about itself (X.3, or 421: it closes) makes it unavailable.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from pipeline.transports.receipt import Receipt, SendOutcome

CLOSING = 421

_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")

_LOGIN_REPLIES = frozenset({530, 534, 535, 538})
"""RFC 4954, 6: authentication required, too weak, invalid, needs encryption."""

_BAD_ADDRESS = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""No such mailbox, no such domain, not an address, moved without a new address, a domain that says it takes no mail,
a mailbox switched off. As permanent failures only: X.2.1 may also mean "for now". X.1.4 (ambiguous) and X.1.0 (anything
about the address) do not say that nobody is there; a bare 550 may be a matter of policy (RFC 5321, 4.2.3)."""

_WAITS_FOR_ROOM = frozenset({"2.2", "3.1"})
"""Mailbox or system full: by RFC 3463 (3.3 and 3.4) persistent transient, whatever digit is written before it."""

_ABOUT_SENDER = frozenset({"1.7", "1.8", "7.27"})
"""The sender's address: its syntax, its domain, a domain that says it takes no mail."""

_ABOUT_LOGIN = frozenset({"7.8", "7.9", "7.11", "7.12"})
"""Credentials invalid, mechanism too weak, encryption required for it, password to be changed. X.7.10, X.7.13, X.7.14
count as such only before a recipient is named: later they may be said of the recipient's side."""

_ABOUT_DOMAIN = frozenset({"7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26"})
"""DKIM, SPF, reverse DNS, or several of them (as under DMARC) fail: the set-up of the sending domain."""

_MAIL_FLOOD = "7.28"

_CHECK_LOGIN = "login refused: check CAREROUTE_SMTP_USERNAME and CAREROUTE_SMTP_PASSWORD"
_CHECK_SENDER = "sender refused: check CAREROUTE_MAIL_FROM"
_CHECK_DOMAIN = "sending domain refused: check its SPF, DKIM, DMARC and reverse DNS"
_CHECK_SERVER = "the server takes no mail from us: check CAREROUTE_SMTP_HOST and its access rules"
_SLOW_DOWN = "too much mail at once"

_TOO_BIG = frozenset({"2.3", "3.4"})
_ABOUT_US = re.compile(rb"relay|(?:client host|helo command|sender address) rejected", re.IGNORECASE)
"""How mail servers (Postfix, Exim, Sendmail, Exchange) say that they do not take mail from us. Many say it only when a
recipient is named, and by X.7.1 or no enhanced code, which may as well be about that recipient."""
_ADDRESS = re.compile(rb"\S*@\S*")


class Step(Enum):
    """Whose reply is being read. `GREETING` is all that comes before a mail transaction: greeting, TLS, login."""

    GREETING = auto()
    SENDER = auto()
    RECIPIENT = auto()
    DATA = auto()
    CONTENT = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply that ended a mail transaction, or kept it from beginning."""

    step: Step
    code: int
    enhanced: str | None
    """As in "5.1.1"; None where the server gives none."""
    speaks_of_us: bool = False

    @classmethod
    def of(cls, step: Step, code: int, text: bytes | str) -> Self:
        """The codes of a reply. Its text is not kept: it may quote the address."""
        raw = text.encode() if isinstance(text, str) else text
        found = _ENHANCED.match(raw)
        return cls(
            step, code, found.group(1).decode() if found else None, bool(_ABOUT_US.search(_ADDRESS.sub(b"", raw)))
        )

    @property
    def accepts(self) -> bool:
        return self.step is Step.CONTENT and 200 <= self.code < 300

    @property
    def name(self) -> str:
        """Short and safe to log."""
        return self.enhanced or str(self.code)

    @property
    def subject(self) -> str:
        """What an enhanced code is about, without its class: "1.1"."""
        return self.enhanced.partition(".")[2] if self.enhanced else ""

    @property
    def is_permanent(self) -> bool:
        milder = self.enhanced is not None and not self.enhanced.startswith("5")
        return 500 <= self.code < 600 and not milder and self.subject not in _WAITS_FOR_ROOM

    @property
    def is_early(self) -> bool:
        """Whether this message's recipient was not named yet."""
        return self.step in {Step.GREETING, Step.SENDER}

    @property
    def is_too_big(self) -> bool:
        return self.subject in _TOO_BIG or (self.code == 552 and self.enhanced is None)


def judge(reply: Reply) -> Receipt:
    """The receipt for a reply."""
    if reply.accepts:
        return Receipt(SendOutcome.ACCEPTED, code=reply.name)
    if advice := _about_everyone(reply):
        return Receipt(SendOutcome.LANE_FAILURE, code=f"{reply.name} {advice}")
    if reply.is_permanent:
        return Receipt(SendOutcome.REJECTED, code=reply.name, bad_address=reply.subject in _BAD_ADDRESS)
    # The sender is the same for every message, so "later" at its step is about the server.
    its_own = reply.is_early or reply.code == CLOSING or reply.subject.startswith("3.")
    return Receipt(SendOutcome.UNAVAILABLE if its_own else SendOutcome.RETRY, code=reply.name)


def _about_everyone(reply: Reply) -> str | None:
    """What to do about a refusal that every message would meet; None if it is about this one, or about now."""
    if reply.code in _LOGIN_REPLIES or reply.subject in _ABOUT_LOGIN:
        return _CHECK_LOGIN
    if reply.subject in _ABOUT_SENDER:
        return _CHECK_SENDER
    if reply.subject in _ABOUT_DOMAIN:
        return _CHECK_DOMAIN
    if reply.subject == _MAIL_FLOOD:
        return _SLOW_DOWN
    if not reply.is_permanent:
        return None
    if reply.step is Step.SENDER:
        return None if reply.is_too_big else _CHECK_SENDER
    vague = reply.subject in {"", "7.0", "7.1"}
    said_at_last = reply.step is Step.RECIPIENT and vague and reply.speaks_of_us
    return _CHECK_SERVER if reply.step is Step.GREETING or said_at_last else None
