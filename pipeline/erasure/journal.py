"""The erasures file: which submissions were erased, outside the database, so that a restored backup can be told.

One JSON object a line: submission, time, cause, and a MAC under the audit keyset over the rest. A line is on disk
before the transaction that erases is committed. One too many only repeats what somebody asked for; one too few would
bring a person's facts back with the next restore.

The beginning of a line, where a process or the machine died over it, is no finding: what was not on disk was not
committed. It says nothing about who has the file, either: whoever can cut a line off can as well take all of it out.
"""

import datetime as dt
import fcntl
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
from sqlalchemy import Connection, String, cast, func, select

from pipeline.audit.record import MAC_BYTES, canonical_json
from pipeline.keys import Keys
from pipeline.models import DataKey, Erasure

_CONTEXT = b"erasure line\0"
"""Apart from audit records, which the same keyset authenticates."""
_IDS_AT_A_TIME = 500
_WHOLE = re.compile(
    rb'^\{"cause":"[a-z]+","erased_at":"[^"\n]+","mac":"[0-9a-f]+","submission_id":"([0-9a-f-]{36})"\}$', re.MULTILINE
)
"""A line of the form that `append` writes, and the submission it names."""
_BEGINS = b'{"'
_ALL_ERASED = select(func.aggregate_strings(cast(Erasure.submission_id, String), ""))
"""As one value: rows would take longer than all the rest."""


class Cause(StrEnum):
    """Why a submission was erased."""

    REQUEST = "request"  # the person asked for it
    ORDER = "order"  # a court or an authority did
    MISTAKE = "mistake"  # it should never have come here
    RETENTION = "retention"  # its time was over
    REPLAY = "replay"  # it was erased before; a restored backup had brought it back


class CannotBeWritten(Exception):
    """The erasures file does not take a line: nothing is erased."""


class CannotBeRead(Exception):
    """The erasures file is there, and does not open."""


class ErasuresInDoubt(Exception):
    """What was erased is back, or may be, and could not be erased again; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One erasure. `cause` is never `replay`: what is erased again is in the file already."""

    submission_id: uuid.UUID
    erased_at: dt.datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Reading:
    """What the file holds; `wrong` are the numbers of lines, from 1, that are not as they were written.

    `torn`: of lines that were begun and never finished.
    """

    lines: tuple[Line, ...]
    wrong: tuple[int, ...]
    torn: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Glance:
    """What the file says at a glance, MACs unread: anybody may have written it.

    returned    how many of the submissions it names have a key
    named       how many it names
    strange     how many of its lines have not the form of one
    """

    returned: int
    named: int
    strange: int


def append(path: Path, keys: Keys, lines: Sequence[Line]) -> None:
    """Add lines, and return when they are on disk. Raises `CannotBeWritten`; then the file is as it was."""
    text = b"".join(_encode(keys, line) + b"\n" for line in lines)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if is_new:
                _sync_folder(path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _ends_a_line(descriptor):  # whoever wrote last died over it: a line of its own stays readable
                text = b"\n" + text
            _write_or_undo(descriptor, text)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise CannotBeWritten(f"{path} cannot be written ({error.strerror}): nothing is erased without it") from None


def read(path: Path, keys: Keys) -> Reading:
    """Every line, each checked against its MAC; nothing, if there is no file yet. Raises `CannotBeRead`."""
    good: list[Line] = []
    wrong: list[int] = []
    torn: list[int] = []
    for number, raw in enumerate(_content(path).split(b"\n"), start=1):
        line = _decode(keys, raw)
        if line is not None:
            good.append(line)
        elif _is_torn(raw):
            torn.append(number)
        elif raw:
            wrong.append(number)
    return Reading(tuple(good), tuple(wrong), tuple(torn))


def still_there(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Those of the submissions that have a key: of what the file names, what a restored backup brought back."""
    wanted = sorted(set(submission_ids))
    found: list[uuid.UUID] = []
    for start in range(0, len(wanted), _IDS_AT_A_TIME):
        ids = wanted[start : start + _IDS_AT_A_TIME]
        found += connection.execute(select(DataKey.submission_id).where(DataKey.submission_id.in_(ids))).scalars()
    return sorted(found)


def glance(connection: Connection, path: Path) -> Glance:
    """What `status` and `doctor` tell: quick, also of a long file. Raises `CannotBeRead`.

    The transaction that deletes a key leaves a row in `erasure`: only what has none is looked for among the keys.
    """
    content = _content(path)
    found = _WHOLE.findall(content)
    strange = 0
    if content.count(b"\n") != len(found) or not content.endswith(b"\n"):
        strange = sum(1 for raw in content.split(b"\n") if raw and not _WHOLE.match(raw) and not _is_torn(raw))
    named = _split(b"".join(found).decode())
    erased = _split(connection.execute(_ALL_ERASED).scalar_one() or "") if named else set()
    returned = still_there(connection, (uuid.UUID(each) for each in named - erased))
    return Glance(len(returned), len(named), strange)


def _split(ids: str) -> set[str]:
    """Ids that stand without anything between them, as hex."""
    digits = ids.replace("-", "")
    return {digits[start : start + 32] for start in range(0, len(digits), 32)}


def is_writable(path: Path) -> bool:
    """Whether an erasure could be written down, without doing so."""
    there = path if path.exists() else path.parent
    while not there.exists() and there != there.parent:
        there = there.parent
    return os.access(there, os.W_OK)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise CannotBeRead(f"{path} cannot be read: {error.strerror}") from None


def _is_torn(raw: bytes) -> bool:
    """Begun as `append` begins each, or as a file system leaves room for one: zeros."""
    begun = raw.rstrip(b"\0")
    return bool(raw) and begun.startswith(_BEGINS[: len(begun)]) and not begun.endswith(b"}")


def _encode(keys: Keys, line: Line) -> bytes:
    told = _told(line)
    return canonical_json({**told, "mac": keys.authenticate(_CONTEXT + canonical_json(told), MAC_BYTES).hex()})


def _decode(keys: Keys, raw: bytes) -> Line | None:
    try:
        found = orjson.loads(raw)
        line = Line(
            uuid.UUID(found["submission_id"]), dt.datetime.fromisoformat(found["erased_at"]), Cause(found["cause"])
        )
        code = bytes.fromhex(found["mac"])
        is_ours = keys.is_authentic(_CONTEXT + canonical_json(_told(line)), code)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return line if is_ours and len(code) == MAC_BYTES else None


def _told(line: Line) -> dict[str, str | int | bool | None]:
    return {
        "submission_id": str(line.submission_id),
        "erased_at": line.erased_at.astimezone(dt.UTC).isoformat(),
        "cause": line.cause.value,
    }


def _ends_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _write_or_undo(descriptor: int, text: bytes) -> None:
    """All of it, or nothing: a disk that fills up must not leave lines of what was not erased."""
    size = os.fstat(descriptor).st_size
    try:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
