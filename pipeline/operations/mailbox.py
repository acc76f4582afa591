"""Looking into the mailbox folder: the emails of the embedded stack, newest first, each as its reader would get it."""

import heapq
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path

from sqlalchemy import Connection, select

from pipeline.models import Email

PAGE_SIZE = 25
_LONGEST_HEAD = 16_384


@dataclass(frozen=True, slots=True)
class Mail:
    """One email in the list. `kind` is empty if its row is not in the database."""

    email_id: uuid.UUID
    to: str
    subject: str
    language: str
    written_at: datetime
    kind: str = ""


@dataclass(frozen=True, slots=True)
class MailPage:
    """`page` counts from 1; `pages` is at least 1."""

    mails: Sequence[Mail]
    page: int
    pages: int
    count: int


@dataclass(frozen=True, slots=True)
class OpenedMail:
    """One email with all its parts. `headers` are decoded, in the order of the message; `source` is the file."""

    mail: Mail
    headers: Sequence[tuple[str, str]]
    text: str
    html: str
    source: str


class Mailbox:
    """Reads the folder that `MailboxTransport` writes; kinds come from the database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(self, connection: Connection, number: int) -> MailPage:
        """One page of the list, newest first; beyond the last page it is the last."""
        found = list(self._files())
        pages = max(1, -(-len(found) // PAGE_SIZE))
        number = min(max(number, 1), pages)
        newest = heapq.nlargest(number * PAGE_SIZE, found)[(number - 1) * PAGE_SIZE :]
        kinds = _kinds(connection, [email_id for _, email_id in newest])
        mails = [mail for when, email_id in newest if (mail := self._head(email_id, when, kinds)) is not None]
        return MailPage(mails, number, pages, len(found))

    def open(self, connection: Connection, email_id: uuid.UUID) -> OpenedMail | None:
        """`None` if it is not there."""
        try:
            raw = self._path(email_id).read_bytes()
            when = self._path(email_id).stat().st_mtime
        except FileNotFoundError:
            return None
        message = message_from_bytes(raw, policy=policy.default)
        return OpenedMail(
            mail=_mail(message, email_id, when, _kinds(connection, [email_id])),
            headers=[(name, str(value)) for name, value in message.items()],
            text=_part(message, "plain"),
            html=_part(message, "html"),
            source=raw.decode("utf-8", "replace"),
        )

    def _path(self, email_id: uuid.UUID) -> Path:
        return self._folder / f"{email_id}.eml"

    def _files(self) -> Iterable[tuple[float, uuid.UUID]]:
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return
        for entry in entries:
            name, _, ending = entry.name.rpartition(".")
            if ending == "eml" and (email_id := _id(name)) is not None:
                yield entry.stat().st_mtime, email_id

    def _head(self, email_id: uuid.UUID, when: float, kinds: Mapping[uuid.UUID, str]) -> Mail | None:
        try:
            with self._path(email_id).open("rb") as file:
                head = file.read(_LONGEST_HEAD)
        except FileNotFoundError:  # removed since it was listed
            return None
        return _mail(BytesHeaderParser(policy=policy.default).parsebytes(head), email_id, when, kinds)


def _mail(message: EmailMessage, email_id: uuid.UUID, when: float, kinds: Mapping[uuid.UUID, str]) -> Mail:
    return Mail(
        email_id=email_id,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        language=str(message["Content-Language"] or ""),
        written_at=datetime.fromtimestamp(when, UTC),
        kind=kinds.get(email_id, ""),
    )


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()) if part is not None else ""


def _kinds(connection: Connection, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    if not ids:
        return {}
    rows = connection.execute(select(Email.id, Email.kind).where(Email.id.in_(ids)))
    return {row.id: row.kind for row in rows}


def _id(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name)
    except ValueError:
        return None
