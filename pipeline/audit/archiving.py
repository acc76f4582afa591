"""Moving audit records past their retention to a verified file: ranges of leaves, whose hashes stay in the log.

    finish    what an archive that was cut off had still to drop
    plan      whole tiles from the first unarchived leaf on, up to the first record that must stay
    write     the records' canonical forms to a file, on disk, read back and held against the tiles
    note      the range and the file's digest, on record
    drop      the rows, in batches

Each step can be cut off and done again. A range ends before the first record that is too young, not covered by an
anchored checkpoint, or about a submission under a legal hold: ranges follow one another without a gap, and go on when
the hold is lifted. A file is one of `audit export`'s records files: the leaf hash is SHA-256 of a zero byte and a line.
"""

import datetime as dt
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.anchors import read_anchored
from pipeline.audit.exporting import write_records
from pipeline.audit.log_state import LogRow, current_log, latest_checkpoint
from pipeline.audit.record import LEAF_PREFIX
from pipeline.audit.tiles import TILE_WIDTH, split_event_ids, split_hashes
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.models import AuditArchive, AuditEvent, AuditTile, LegalHold
from pipeline.unit_of_work import begin

_TILES_AT_A_TIME = 16
_TICK = dt.timedelta(microseconds=1)


class ArchiveRefused(Exception):
    """Nothing was dropped; the message says why."""


class Stop(StrEnum):
    """Why a range ends where it does."""

    NO_MORE = "there are no more whole tiles"
    TOO_YOUNG = "a record is not older than that"
    NOT_ANCHORED = "no anchored checkpoint covers more"
    HELD = "a record is about a submission under a legal hold"
    MISSING = "a record is not there: `careroute audit verify`"


@dataclass(frozen=True, slots=True)
class Plan:
    """The leaves to archive next, `end_leaf` not among them. `newest` is empty if there are none."""

    log: LogRow
    first_leaf: int
    end_leaf: int
    newest: dt.datetime | None
    stop: Stop

    @property
    def file_name(self) -> str:
        return f"{self.log.origin.replace('/', '_')}-{self.first_leaf:020}-{self.end_leaf:020}.jsonl"


@dataclass(frozen=True, slots=True)
class Archived:
    """What came of it. `finished`: records that an archive cut off before had left, dropped now."""

    first_leaf: int
    end_leaf: int
    file: Path | None
    digest: str
    dropped: int
    finished: int
    stop: Stop


def youngest_allowed(now: dt.datetime, years: int) -> dt.datetime:
    """Records before this may be archived, by the years that they are kept."""
    try:
        return now.replace(year=now.year - years)
    except ValueError:  # the 29th of February
        return now.replace(year=now.year - years, day=28)


def archive(
    database: Database,
    keys: Keys,
    actor: Actor,
    before: dt.datetime,
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Archived:
    """Archive what is older than `before`, which the caller has held against the years that records are kept.

    `folder` is where an archive that was cut off has its file, too. Raises `ArchiveRefused`, `RecordDiffers` (a record
    is not what was put into the log) and OSError: then nothing was dropped.
    """
    finished = finish(database, folder)
    with database.snapshot() as connection:
        found = plan(connection, before)
    if found.end_leaf == found.first_leaf:
        return Archived(found.first_leaf, found.end_leaf, None, "", 0, finished, found.stop)
    path, digest = write(database, found, folder)
    note(database, keys, actor, found, path, digest)
    dropped = drop(database, found.log.number, found.first_leaf, found.end_leaf, on_progress)
    return Archived(found.first_leaf, found.end_leaf, path, digest, dropped, finished, found.stop)


def finish(database: Database, folder: Path) -> int:
    """Drop what the last archive had noted and not dropped, if its file is in `folder` as it was written."""
    with database.read() as connection:
        row = connection.execute(
            select(AuditArchive.table()).order_by(AuditArchive.log.desc(), AuditArchive.first_leaf.desc()).limit(1)
        ).one_or_none()
        if row is None or not _is_left(connection, row.log, row.end_leaf):
            return 0
    path = folder / row.file_name
    if not path.is_file() or _digest(path) != row.digest:
        raise ArchiveRefused(
            f"{path} of the archive before is not there as it was written: nothing is dropped without it"
        )
    return drop(database, row.log, row.first_leaf, row.end_leaf)


def plan(connection: Connection, before: dt.datetime) -> Plan:
    """What may go next. Raises `ArchiveRefused` while there is no log."""
    log = current_log(connection)
    if log is None:
        raise ArchiveRefused("there is no log yet: nothing of it is signed")
    first_leaf = _archived_until(connection, log.number)
    anchored = _anchored(connection, log.number)
    held = set(connection.execute(select(LegalHold.submission_id)).scalars())
    lowest = connection.execute(select(func.min(AuditEvent.seq)).where(AuditEvent.submission_id.is_(None))).scalar()
    end_leaf, newest, stop = first_leaf, None, Stop.NO_MORE
    system, highest, latest = 0, 0, None
    for index, event_ids in _whole_tiles(connection, log, first_leaf):
        rows = _ages(connection, event_ids)
        if (index + 1) * TILE_WIDTH > anchored:
            stop = Stop.NOT_ANCHORED
        elif len(rows) != TILE_WIDTH:
            stop = Stop.MISSING
        elif any(row.occurred_at >= before for row in rows):
            stop = Stop.TOO_YOUNG
        elif any(row.submission_id in held for row in rows):
            stop = Stop.HELD
        else:
            latest = max(row.occurred_at for row in rows) if latest is None else max(latest, *_times(rows))
            numbers = [row.seq for row in rows if row.submission_id is None]
            system, highest = system + len(numbers), max([highest, *numbers])
            # Two machines' clocks may have put records about no submission out of order: a range holds the first ones.
            if not system or (lowest or 1) + system - 1 == highest:
                end_leaf, newest = (index + 1) * TILE_WIDTH, latest
            continue
        break
    return Plan(log, first_leaf, end_leaf, newest, stop)


def write(database: Database, found: Plan, folder: Path) -> tuple[Path, str]:
    """The file, whole and on disk, and its SHA-256; read back and held against the tiles."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / found.file_name
    partial = folder / f".{found.file_name}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with database.snapshot() as connection, os.fdopen(descriptor, "wb") as file:
        digest = write_records(connection, found.log.number, found.first_leaf, found.end_leaf, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(folder)
    with database.snapshot() as connection:
        if _digest(path) != digest or not _is_of_tiles(connection, found, path):
            raise ArchiveRefused(f"{path} does not read back as it was written")
    return path, digest


def note(database: Database, keys: Keys, actor: Actor, found: Plan, path: Path, digest: str) -> None:
    """Let the records go, on record. Raises `ArchiveRefused` if a hold was placed meanwhile."""
    if found.newest is None:
        raise ArchiveRefused("there is nothing to archive")
    before = found.newest + _TICK
    with begin(database, keys, actor) as unit:
        held = set(unit.connection.execute(select(LegalHold.submission_id)).scalars())
        if held and _concerns(unit.connection, found, held):
            raise ArchiveRefused("a legal hold was placed meanwhile")
        unit.insert(
            AuditArchive.table(),
            log=found.log.number,
            first_leaf=found.first_leaf,
            end_leaf=found.end_leaf,
            before=before,
            file_name=path.name,
            digest=digest,
            archived_at=unit.now,
        )
        unit.record(
            None,
            Action.LOG_ARCHIVED,
            {
                Detail.ORIGIN: found.log.origin,
                Detail.FIRST_LEAF: found.first_leaf,
                Detail.END_LEAF: found.end_leaf,
                Detail.BEFORE: before.isoformat(),
                Detail.FILE: path.name,
                Detail.DIGEST: digest,
            },
        )


def drop(
    database: Database,
    log: int,
    first_leaf: int,
    end_leaf: int,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Delete the records of noted leaves, in the order of the leaves; how many were there."""
    dropped = 0
    for first in range(first_leaf, end_leaf, _TILES_AT_A_TIME * TILE_WIDTH):
        end = min(first + _TILES_AT_A_TIME * TILE_WIDTH, end_leaf)
        with database.write() as connection:
            ids = [id_ for _, event_ids, _ in _tiles(connection, log, first, end) for id_ in event_ids]
            dropped += connection.execute(delete(AuditEvent).where(AuditEvent.id.in_(ids))).rowcount
        on_progress(end - first_leaf, end_leaf - first_leaf)
    return dropped


def _whole_tiles(connection: Connection, log: LogRow, first_leaf: int) -> Iterator[tuple[int, list[uuid.UUID]]]:
    whole = log.size - log.size % TILE_WIDTH
    for first in range(first_leaf, whole, _TILES_AT_A_TIME * TILE_WIDTH):
        end = min(first + _TILES_AT_A_TIME * TILE_WIDTH, whole)
        for index, event_ids, _ in _tiles(connection, log.number, first, end):
            yield index, event_ids


def _tiles(
    connection: Connection, log: int, first_leaf: int, end_leaf: int
) -> list[tuple[int, list[uuid.UUID], list[bytes]]]:
    rows = connection.execute(
        select(AuditTile.tile_index, AuditTile.event_ids, AuditTile.hashes)
        .where(
            AuditTile.log == log,
            AuditTile.level == 0,
            AuditTile.tile_index >= first_leaf // TILE_WIDTH,
            AuditTile.tile_index < end_leaf // TILE_WIDTH,
        )
        .order_by(AuditTile.tile_index)
    )
    return [
        (row.tile_index, list(split_event_ids(bytes(row.event_ids))), split_hashes(bytes(row.hashes))) for row in rows
    ]


def _ages(connection: Connection, event_ids: list[uuid.UUID]) -> list[AuditEvent]:
    columns = select(AuditEvent.occurred_at, AuditEvent.submission_id, AuditEvent.seq)
    return list(connection.execute(columns.where(AuditEvent.id.in_(event_ids))))  # type: ignore[arg-type]


def _times(rows: list[AuditEvent]) -> list[dt.datetime]:
    return [row.occurred_at for row in rows]


def _archived_until(connection: Connection, log: int) -> int:
    """The first leaf that is not archived."""
    statement = select(func.max(AuditArchive.end_leaf)).where(AuditArchive.log == log)
    return connection.execute(statement).scalar() or 0


def _anchored(connection: Connection, log: int) -> int:
    """How many leaves a checkpoint covers that an anchor has taken."""
    checkpoint = latest_checkpoint(connection, log)
    taken = [each.size for each in read_anchored(connection).values() if each.log == log]
    return min(checkpoint.size if checkpoint else 0, max(taken, default=0))


def _concerns(connection: Connection, found: Plan, held: set[uuid.UUID]) -> bool:
    for first in range(found.first_leaf, found.end_leaf, _TILES_AT_A_TIME * TILE_WIDTH):
        end = min(first + _TILES_AT_A_TIME * TILE_WIDTH, found.end_leaf)
        for _, event_ids, _ in _tiles(connection, found.log.number, first, end):
            if any(row.submission_id in held for row in _ages(connection, event_ids)):
                return True
    return False


def _is_left(connection: Connection, log: int, end_leaf: int) -> bool:
    """Whether the last tile's records, which are dropped last, are still there."""
    tiles = _tiles(connection, log, end_leaf - TILE_WIDTH, end_leaf)
    return any(_ages(connection, event_ids) for _, event_ids, _ in tiles)


def _is_of_tiles(connection: Connection, found: Plan, path: Path) -> bool:
    with path.open("rb") as lines:
        for first in range(found.first_leaf, found.end_leaf, TILE_WIDTH):
            (tile,) = _tiles(connection, found.log.number, first, first + TILE_WIDTH)
            for leaf in tile[2]:
                line = lines.readline()
                if not line.endswith(b"\n") or hashlib.sha256(LEAF_PREFIX + line[:-1]).digest() != leaf:
                    return False
        return lines.readline() == b""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
