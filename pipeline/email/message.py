"""One email on its way out: what every transport is given, and its form as an Internet message (RFC 5322, MIME)."""

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Self
from uuid import UUID, uuid4

from email_validator import EmailNotValidError, validate_email

from config.settings import Settings
from pipeline.email.render import Rendered

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]+@[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]+")


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom the mail is from. Refuses anything that could start another header."""

    address: str
    name: str
    reply_to: str = ""

    def __post_init__(self) -> None:
        if not (self.address.isascii() and _ADDRESS.fullmatch(self.address)):
            raise ValueError("mail_from: must be one plain address such as care@example.org")
        if self.reply_to and not (self.reply_to.isascii() and _ADDRESS.fullmatch(self.reply_to)):
            raise ValueError("mail_reply_to: must be empty or one plain address such as care@example.org")
        if not self.name.isprintable():
            raise ValueError("mail_from_name: must be one line without control characters")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Raises ValueError naming the setting that does not fit."""
        return cls(settings.mail_from, settings.mail_from_name, settings.mail_reply_to)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One email for one recipient. Everything that may identify a person is kept out of the `repr`."""

    email_id: UUID
    """Names the email for good: Message-ID, and the file in the mailbox."""
    attempt_id: UUID
    """Random; names this one try. The only thing a provider is told besides the mail itself."""
    sender: Sender
    recipient: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str
    date: datetime
    unsubscribe_url: str | None = field(default=None, repr=False)
    """Where a mail program may end this class of mail by one click; None for mail that cannot be unsubscribed."""

    @property
    def message_id(self) -> str:
        return f"<{self.email_id}@{self.sender.domain}>"

    @property
    def extra_headers(self) -> dict[str, str]:
        """Headers beyond the usual, the same by every transport."""
        headers = {
            "Message-ID": self.message_id,
            "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation notice answers it
            "Content-Language": self.language,
        }
        if self.unsubscribe_url is not None:  # RFC 8058, 3.1: both, once each, and covered by the DKIM signature
            headers["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


def compose(
    rendered: Rendered,
    email_id: UUID,
    to: str,
    sender: Sender,
    *,
    attempt_id: UUID | None = None,
    date: datetime | None = None,
    unsubscribe_url: str | None = None,
) -> Outgoing:
    """Address a rendered email.

    `attempt_id` is a new random one and `date` is now unless given. Raises ValueError, without repeating the address,
    if the recipient is not one plain address or the subject is not one printable line.
    """
    if not rendered.subject.isprintable():
        raise ValueError("subject: must be one line without control characters")
    return Outgoing(
        email_id=email_id,
        attempt_id=attempt_id or uuid4(),
        sender=sender,
        recipient=_deliverable(to),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        language=rendered.language,
        date=date or datetime.now(UTC),
        unsubscribe_url=unsubscribe_url,
    )


def to_bytes(message: Outgoing) -> bytes:
    """The message as it goes over the wire: CRLF, lines as short as they can be, both parts quoted-printable.

    Written out by hand because the standard library's generator costs a millisecond a message. The same message always
    gives the same bytes: the boundary comes from the email id and cannot occur in a part, since "=" is escaped there.
    """
    boundary = f"=_{message.email_id.hex}"
    headers = {
        "Date": format_datetime(message.date),
        "From": _from_header(message.sender),
        "To": message.recipient,
        "Subject": _encoded(message.subject, "Subject"),
        **message.extra_headers,
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    if message.sender.reply_to:
        headers["Reply-To"] = message.sender.reply_to
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    edge = f"--{boundary}".encode()
    return b"".join(
        (
            *(head, b"\r\n", edge, b"\r\n", _part("plain", message.text)),
            *(b"\r\n", edge, b"\r\n", _part("html", message.html)),
            *(b"\r\n", edge, b"--\r\n"),
        )
    )


def _part(subtype: str, content: str) -> bytes:
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    lines = content.encode().replace(b"\r\n", b"\n")
    return head.encode() + binascii.b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")


def _encoded(value: str, header: str) -> str:
    return value if value.isascii() else Header(value, "utf-8", header_name=header).encode(linesep="\r\n")


@lru_cache(maxsize=16)
def _from_header(sender: Sender) -> str:
    return formataddr((sender.name, sender.address))


def _deliverable(address: str) -> str:
    """The address with an ASCII domain, as SMTP and provider APIs want it; the local part is left alone."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError("recipient: must be one plain address")
    if address.isascii():
        return address
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("recipient: must be one plain address") from None
    return f"{checked.local_part}@{checked.ascii_domain}"
