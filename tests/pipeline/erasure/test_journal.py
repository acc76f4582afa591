"""The erasures file: what was written is read, and nothing else is believed, whatever stands beside it."""

import datetime as dt
import errno
import os
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.erasure.journal import CannotBeWritten, Cause, Line, append, is_writable, read
from pipeline.keys import Keys
from tests.support.racing import at_once

LINES = st.lists(
    st.builds(
        Line,
        st.uuids(),
        st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2060, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        st.sampled_from(Cause),
    ),
    max_size=4,
)
JUNK = st.one_of(st.binary(max_size=40), st.just(b'{"submission_id": 5}'), st.just(b"[]"), st.just(b"null"))


@given(before=LINES, junk=JUNK, after=LINES)
def test_lines_are_read_as_written_around_whatever_somebody_left_between_them(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, before: list[Line], junk: bytes, after: list[Line]
) -> None:
    path = tmp_path_factory.mktemp("erasures") / "file"
    append(path, keys, before)
    with path.open("ab") as file:
        file.write(junk)
    append(path, keys, after)
    found = read(path, keys)
    assert found.lines == (*before, *after)
    assert bool(found.wrong or found.torn) == bool(junk.strip(b"\n"))


def test_one_changed_byte_is_enough(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "file"
    line = Line(uuid.uuid4(), dt.datetime.now(dt.UTC), Cause.REQUEST)
    append(path, keys, [line])
    whole = path.read_bytes()
    assert read(path, keys).lines == (line,)
    for place in range(len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert set(read(path, keys).lines) <= {line}, "a date may be spelt in two ways"


@given(lines=LINES.filter(bool), cut=st.integers(min_value=1))
def test_a_line_that_was_never_finished_is_no_finding_and_no_erasure(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, lines: list[Line], cut: int
) -> None:
    path = tmp_path_factory.mktemp("erasures") / "file"
    append(path, keys, lines)
    whole = path.read_bytes()
    last = len(whole.splitlines()[-1])
    path.write_bytes(whole[: len(whole) - 1 - max(1, cut % last)])
    found = read(path, keys)
    assert (found.lines, found.wrong, found.torn) == (tuple(lines[:-1]), (), (len(lines),))
    append(path, keys, lines[-1:])
    found = read(path, keys)
    assert (found.lines, found.wrong, found.torn) == (tuple(lines), (), (len(lines),))


def test_a_disk_that_fills_up_leaves_the_file_as_it_was(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    lines = [Line(uuid.uuid4(), dt.datetime.now(dt.UTC), Cause.RETENTION) for _ in range(3)]
    append(path, keys, lines[:1])
    before = path.read_bytes()
    write = os.write
    room = [300]

    def fill(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, bytes(data)[: room.pop()])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(CannotBeWritten, match="No space left"):
        append(path, keys, lines[1:])
    assert path.read_bytes() == before
    monkeypatch.undo()
    append(path, keys, lines[1:])
    assert read(path, keys).lines == tuple(lines)


def test_many_at_once_each_get_their_line(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "folder" / "file"
    lines = [Line(uuid.uuid4(), dt.datetime.now(dt.UTC), Cause.RETENTION) for _ in range(40)]

    def write(number: int) -> None:
        for line in lines[number * 5 : number * 5 + 5]:
            append(path, keys, [line])

    at_once(8, write)
    found = read(path, keys)
    assert (sorted(map(str, found.lines)), found.wrong) == (sorted(map(str, lines)), ())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_in_its_place_takes_no_line(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(CannotBeWritten):
        append(tmp_path, keys, [])
    assert read(tmp_path / "none", keys).lines == ()
    assert is_writable(tmp_path / "none" / "file")
