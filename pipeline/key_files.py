"""Files that hold keys: made once, or replaced, always whole, and never more readable than they were."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


class KeyProblem(Exception):
    """A key file is missing, unreadable, or not the one this database was written with."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What tells a replaced file from the one before."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileVersion":
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)


def write_new(path: Path, text: str) -> None:
    """Write `text` as a new file, mode 0600, unless there is one.

    Linked into place whole: of two processes starting at once, the first one's keys count for both.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        _make_durable(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Whoever changes the keys of a folder does so alone. Raises `KeyProblem`."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KeyProblem(f"{folder} cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacement(path: Path, text: str) -> Iterator[Callable[[], None]]:
    """Write `text` beside `path`, on disk, with its mode and owner; the function yielded puts it in its place.

    Where there is no file yet it becomes a new one, mode 0600, unless somebody else makes it meanwhile. If the function
    is not called, the file stays as it is. Between the two is the place to put on record what will happen: all that can
    fail often (no room, no right to write) has not failed by then. Raises `KeyProblem`.
    """
    temporary = path.with_name(f".{path.name}.new")

    def put_in_place() -> None:
        with _told(path):
            if status is None:
                os.link(temporary, path)
            else:
                temporary.replace(path)
            _make_durable(path.parent)

    try:
        with _told(path):
            status = _status(path)
            _write_like(status, temporary, text)
        yield put_in_place
    finally:
        with contextlib.suppress(OSError):  # a file system that cannot be written says so even if nothing is there
            temporary.unlink()


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _write_like(status: os.stat_result | None, temporary: Path, text: str) -> None:
    temporary.unlink(missing_ok=True)  # of somebody who was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if status is not None:
            if (os.getuid(), os.getgid()) != (status.st_uid, status.st_gid):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, status.st_mode & 0o777)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyProblem(f"{path} cannot be written: {error.strerror}") from None


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
