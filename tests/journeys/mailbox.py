"""Reading the emails as the people do who get them."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

_PATIENCE_SECONDS = 120.0
_LINK = re.compile(r"https?://\S+/s/\S+")
_CODE = re.compile(r"^ +(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """One email, with its plain text."""

    recipient: str
    subject: str
    language: str
    text: str

    @property
    def link(self) -> str:
        """The secure link in it."""
        return _only(_LINK, self.text)

    @property
    def code(self) -> str:
        """The one-time code in it."""
        return _only(_CODE, self.text)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The folder that the mailbox transport writes to. `check` raises when the stack is not well."""

    folder: Path
    check: Callable[[], object]

    def mails(self) -> list[Mail]:
        """All emails, in the order in which they were decided on: their file names are ids that tell the time."""
        return [_read(path) for path in sorted(self.folder.glob("*.eml"))]

    def wait_for(self, subject: str, reference: str, *, to: str = "", number: int = 1) -> list[Mail]:
        """The first `number` emails about a request with that subject, as soon as they are there."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            mails = self.mails()
            found = [
                mail for mail in mails if mail.subject == f"{subject} ({reference})" and to in {"", mail.recipient}
            ]
            if len(found) >= number:
                return found[:number]
            self.check()
            there = [mail.subject for mail in mails if reference in mail.subject]
            assert time.monotonic() < deadline, f"{len(found)} of {number} emails “{subject}”; there are {there}"
            time.sleep(0.05)


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("plain",))
    assert part is not None
    return Mail(
        message["To"], message["Subject"], message["Content-Language"], part.get_content().replace("\r\n", "\n")
    )


def _only(pattern: re.Pattern[str], text: str) -> str:
    found = {match[match.lastindex or 0] for match in pattern.finditer(text)}
    assert len(found) == 1, f"{pattern.pattern} is in the email {len(found)} times"
    return found.pop()
