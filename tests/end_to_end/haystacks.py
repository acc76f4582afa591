"""Everywhere that something a person said could have got to, and looking for it there."""

import base64
import email
import email.policy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import redis
from sqlalchemy import MetaData, inspect, select

from pipeline.db import Database

FORM = "/screening"


@dataclass(frozen=True, slots=True)
class Hay:
    """One thing to look through: `kind` of place, and where exactly."""

    kind: str
    where: str
    content: bytes


def find(words: Iterable[str], hay: Iterable[Hay]) -> list[tuple[str, str]]:
    """Where any of the words is, in whatever case, or as hexadecimal digits or base 64: kind and place."""
    needles = [needle for word in words for needle in _disguises(word)]
    return [
        (item.kind, item.where)
        for item in hay
        if any(needle in item.content or needle in item.content.lower() for needle in needles)
    ]


def _disguises(word: str) -> Iterator[bytes]:
    for plain in {word.encode(), word.encode("utf-16-le")}:
        yield plain.lower()
        yield plain.hex().encode()
    for shift in range(3):  # base 64 comes out in three ways; what depends on the neighbours is cut off
        encoded = base64.b64encode(b"\0" * shift + word.encode())
        yield encoded[4 if shift else 0 : -4]


def in_files(kind: str, folder: Path) -> Iterator[Hay]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield Hay(kind, path.name, path.read_bytes())


def in_broker(redis_url: str, folder: Path) -> Iterator[Hay]:
    """What it holds now, and its append-only file: everything that was ever written to it."""
    yield from in_files("broker", folder)
    client = redis.Redis.from_url(redis_url)
    for key in client.scan_iter():
        yield Hay("broker", repr(key), key + (client.dump(key) or b""))
    client.close()


def in_database(database: Database, leave_out: frozenset[str] = frozenset()) -> Iterator[Hay]:
    """Every value of every column of every table, the sealed ones as they are stored."""
    metadata = MetaData()
    for name in inspect(database.writer).get_table_names():
        if name in leave_out:
            continue
        metadata.reflect(database.writer, only=[name])
        with database.read() as connection:
            for row in connection.execute(select(metadata.tables[name])).mappings():
                for column, value in row.items():
                    yield Hay("database", f"{name}.{column}", _as_bytes(value))


def in_mailbox(folder: Path) -> Iterator[Hay]:
    """Every header but To, and every part as a mail program shows it, so also every link."""
    for path in sorted(folder.glob("*")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        yield Hay("mail", path.name, path.name.encode())
        for name, value in message.items():
            if name != "To":
                yield Hay("mail", f"{path.name} {name}", str(value).encode())
        for part in message.walk():
            if not part.is_multipart():
                yield Hay("mail", f"{path.name} {part.get_content_type()}", str(part.get_content()).encode())


def in_answers(answers: Iterable[httpx.Response]) -> Iterator[Hay]:
    """Headers and bodies. The form that comes back is the one body that repeats what was typed, to who typed it."""
    for answer in answers:
        where = f"{answer.status_code} {answer.request.method} {answer.request.url.path}"
        yield Hay("answer", f"{where} headers", str(answer.headers.multi_items()).encode())
        is_form = answer.request.url.path == FORM and b'name="form_token"' in answer.content
        if not is_form:
            yield Hay("answer", where, answer.content)


def _as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
