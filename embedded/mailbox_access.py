"""The way into the mailbox page of an embedded stack: a token, new at every start, that the terminal prints.

The processes are given the path of its file, readable by its owner only, so that it appears in no environment listing.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.settings import MailTransport, Settings

FILE = "mailbox.token"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class MailboxAccess:
    """`environment` is what the processes need; `path` is the page's, with the token, or empty if there is no page."""

    environment: Mapping[str, str]
    path: str = field(default="", repr=False)


def mailbox_access(settings: Settings) -> MailboxAccess:
    """Make a token, unless one is set. Nothing where mail leaves by another way."""
    if settings.mail_transport is not MailTransport.MAILBOX:
        return MailboxAccess({})
    token = settings.mailbox_token.get_secret_value()
    if token:
        return MailboxAccess({}, _path(token))
    token = secrets.token_urlsafe(_BYTES)
    file = settings.data_dir.resolve() / FILE
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # so that the new one is ours, whoever could read the old one
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(token + "\n")
    return MailboxAccess({"CAREROUTE_MAILBOX_TOKEN_FILE": str(file)}, _path(token))


def _path(token: str) -> str:
    return f"/mailbox?token={token}"
