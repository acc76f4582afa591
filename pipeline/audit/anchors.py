"""Where checkpoints are kept besides the database, out of reach of whoever has rights to it.

An anchor is worth as much as it is out of the operators' reach: a directory is meant to be another machine's
write-once share, the endpoint somebody else's.
"""

import contextlib
import datetime as dt
import errno
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from config.settings import Settings
from pipeline import bulk
from pipeline.audit.notes import NoteInvalid, read_unverified
from pipeline.failpoints import Failpoint, reach
from pipeline.models import AuditAnchoring

DIRECTORY, ENDPOINT = "directory", "endpoint"
"""What the anchors are called in `audit_anchoring`."""

ENDPOINT_SECONDS = 5.0
_CHECKPOINT_FILE = re.compile(r"\d{20}\.checkpoint", re.ASCII)
_FOLDER = re.compile(r"(?P<name>.+)_(?P<number>[1-9]\d{0,8})", re.ASCII)
_COLUMNS = ("anchor", "log", "size", "anchored_at", "problem")


class AnchorProblem(Exception):
    """An anchor did not take a checkpoint; the message says why, and nothing that the other side said."""


@dataclass(frozen=True, slots=True)
class DirectoryAnchor:
    """A file a checkpoint: `<origin, _ for />/<size, 20 digits>.checkpoint`, put there whole and never changed.

    path        where the logs' folders are
    must_exist  it is never made here: where it is absent, a share is not mounted
    """

    path: Path
    must_exist: bool = False

    def put(self, note: str) -> None:
        """Keep a checkpoint; to keep it again changes nothing.

        Raises `AnchorProblem` if there is something else in its place, and OSError.
        """
        checkpoint = read_unverified(note)
        self._check_there()
        folder = self._folder(checkpoint.origin)
        if not folder.is_dir():
            folder.mkdir(parents=not self.must_exist, exist_ok=True)
            _sync_folder(folder.parent)
        path = folder / f"{checkpoint.size:020}.checkpoint"
        try:
            _write_whole(path, note)
        except FileExistsError:
            _check_same(path, note)

    def latest(self, origin: str) -> str | None:
        """The checkpoint of a log that covers most of it. Raises OSError, unless there is no such folder yet."""
        names = self._checkpoints(origin)
        while names:
            highest = max(names)
            note = self._read(origin, highest)
            if note is not None:
                return note
            names.remove(highest)
        return None

    def all(self, origin: str) -> list[str]:
        """Every checkpoint of a log, the smallest first. Raises OSError, unless there is no such folder yet."""
        return list(self.each(origin))

    def each(self, origin: str) -> Iterator[str]:
        """The same, of those that are there now, read one by one: there may be millions."""
        notes = (self._read(origin, name) for name in sorted(self._checkpoints(origin)))
        return (note for note in notes if note is not None)

    def numbers(self, name: str) -> list[int]:
        """Of the logs `<name>/<number>` that have a folder here. Raises OSError."""
        found = [_FOLDER.fullmatch(entry) for entry in self._entries()]
        return sorted(int(each["number"]) for each in found if each and each["name"] == name)

    def highest_number(self, name: str) -> int:
        """Of the logs `<name>/<number>` that have a checkpoint here; 0 without any. Raises OSError."""
        return next(
            (number for number in reversed(self.numbers(name)) if self.latest(f"{name}/{number}") is not None), 0
        )

    def _folder(self, origin: str) -> Path:
        return self.path / origin.replace("/", "_")

    def _checkpoints(self, origin: str) -> set[str]:
        self._check_there()
        return {name for name in _names(self._folder(origin)) if _CHECKPOINT_FILE.fullmatch(name)}

    def _read(self, origin: str, name: str) -> str | None:
        """A checkpoint; None for what is no whole one, which is not ours."""
        note = (self._folder(origin) / name).read_bytes().decode(errors="replace")
        return note if _is_whole(note) else None

    def _entries(self) -> list[str]:
        self._check_there()
        return _names(self.path)

    def _check_there(self) -> None:
        if self.must_exist and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, f"{self.path} is not there: is the share mounted?")


@dataclass(frozen=True, slots=True)
class HttpAnchor:
    """An endpoint outside that is sent each checkpoint as text, with a bearer token if there is one."""

    url: str
    token: str = ""

    def put(self, note: str) -> None:
        """Raises `AnchorProblem` unless it was taken (2xx) in time. Redirects are not followed."""
        import httpx  # noqa: PLC0415 - slow to load, and most installations have no endpoint

        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = httpx.post(self.url, content=note.encode(), headers=headers, timeout=ENDPOINT_SECONDS)
        except httpx.HTTPError as error:
            raise AnchorProblem(f"the endpoint does not answer ({type(error).__name__})") from None
        if not answer.is_success:
            raise AnchorProblem(f"the endpoint answered {answer.status_code}")


@dataclass(frozen=True, slots=True)
class Anchors:
    """What an installation has."""

    directory: DirectoryAnchor
    endpoint: HttpAnchor | None = None


def open_anchors(settings: Settings) -> Anchors:
    endpoint = (
        HttpAnchor(settings.anchor_url, settings.anchor_token.get_secret_value()) if settings.anchor_url else None
    )
    directory = DirectoryAnchor(settings.effective_anchor_dir, must_exist=settings.anchor_dir is not None)
    return Anchors(directory, endpoint)


@dataclass(frozen=True, slots=True)
class Anchored:
    """The last checkpoint that an anchor took, and what is wrong with it since."""

    log: int
    size: int
    at: dt.datetime | None
    problem: str | None


def read_anchored(connection: Connection) -> dict[str, Anchored]:
    """By the anchor's name; those that were tried."""
    rows = connection.execute(select(AuditAnchoring.table()).order_by(AuditAnchoring.anchor))
    return {row.anchor: Anchored(row.log, row.size, row.anchored_at, row.problem) for row in rows}


def note_success(connection: Connection, anchor: str, log: int, size: int, now: dt.datetime) -> None:
    """It has a checkpoint of this size."""
    _note(connection, (anchor, log, size, now, None), "log = v.log, size = v.size, anchored_at = v.anchored_at, ")


def note_problem(connection: Connection, anchor: str, log: int, problem: str) -> None:
    """It has no newer checkpoint than before, and why."""
    _note(connection, (anchor, log, 0, None, problem), "")


def _note(connection: Connection, row: tuple[object, ...], changes: str) -> None:
    changes = changes.replace("v.", "excluded.")
    suffix = f"ON CONFLICT (anchor) DO UPDATE SET {changes}problem = excluded.problem"
    bulk.insert(connection, AuditAnchoring.table(), _COLUMNS, [row], suffix)


def _write_whole(path: Path, note: str) -> None:
    """Linked into place once it is on the disk: whatever happens, it is there whole or not at all.

    Raises FileExistsError if there is one.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            reach(Failpoint.ANCHOR_AFTER_CREATION)
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # a share that lets nothing go keeps it: its name is no checkpoint's
            temporary.unlink()
    _sync_folder(path.parent)


def _check_same(path: Path, note: str) -> None:
    there = path.read_bytes().decode(errors="replace")
    if not _is_whole(there):
        raise AnchorProblem(f"{path} is no checkpoint")
    # Signed with other keys since, it says the same.
    if read_unverified(there) != read_unverified(note):
        raise AnchorProblem(f"{path} says something else than the checkpoint to be kept there")


def _is_whole(note: str) -> bool:
    """Whether it has a checkpoint's three lines and a signature line with its end."""
    body, separator, signatures = note.partition("\n\n")
    try:
        read_unverified(note)
    except NoteInvalid:
        return False
    return bool(body and separator) and signatures.endswith("\n")


def _names(folder: Path) -> list[str]:
    """What is in a folder; nothing if it is not there."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except FileNotFoundError:
        return []


def _sync_folder(folder: Path) -> None:
    """A file is only there after a crash if its folder says so."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
