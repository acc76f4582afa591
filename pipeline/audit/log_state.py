"""Where the Merkle log stands: which one is written to, what was last signed of it, and where a record's leaf is."""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, func, literal_column, or_, select

from pipeline.audit.anchors import DIRECTORY
from pipeline.audit.tiles import EVENT_ID_BYTES, TILE_WIDTH
from pipeline.db import clock
from pipeline.lane_names import SEQUENCE_LANE
from pipeline.models import AuditAnchoring, AuditCheckpoint, AuditLog, AuditPending, AuditTile, LanePause


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log. `sequenced_at` is None until it has a leaf."""

    number: int
    origin: str
    size: int
    opened_at: dt.datetime
    sequenced_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as the database has it: whether it says what was signed is for the reader to check."""

    size: int
    note: str
    signed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Glance:
    """What the sequencer has to know to know that there is nothing to do.

    rests        somebody paused the lane
    pending      a record waits that was not refused
    size         the log's leaves
    signed_size  those that its last checkpoint covers
    signed_at    when that was signed; None without one
    has_problem  something kept the log from growing or being signed
    """

    rests: bool
    pending: bool
    size: int
    signed_size: int
    signed_at: dt.datetime | None
    has_problem: bool


_LOG = (AuditLog.number, AuditLog.origin, AuditLog.size, AuditLog.opened_at, AuditLog.sequenced_at)


# A literal: with a parameter in its place PostgreSQL could not choose the index over leaves only.
_LEAVES = AuditTile.level == literal_column("0")
_TILES_AT_ONCE = 64


def current_log(connection: Connection) -> LogRow | None:
    """The log that is written to, which is the one with the highest number; None before the first turn."""
    row = connection.execute(select(*_LOG).order_by(AuditLog.number.desc()).limit(1)).one_or_none()
    return None if row is None else LogRow(*row)


def lock_log(connection: Connection) -> LogRow | None:
    """The current log, locked until the end of the transaction; None if there is none, or another process has it."""
    current = current_log(connection)
    if current is None:
        return None
    statement = select(*_LOG).where(AuditLog.number == current.number).with_for_update(skip_locked=True)
    row = connection.execute(statement).one_or_none()
    if row is None or current_log(connection) != LogRow(*row):  # a new one was opened meanwhile
        return None
    return LogRow(*row)


def latest_checkpoint(connection: Connection, log: int) -> Stored | None:
    """The checkpoint of a log that covers most of it."""
    row = connection.execute(
        select(AuditCheckpoint.size, AuditCheckpoint.note, AuditCheckpoint.signed_at)
        .where(AuditCheckpoint.log == log)
        .order_by(AuditCheckpoint.size.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Stored(*row)


def leaves_among(connection: Connection, log: int, event_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these records a log has already. Of tiles only those that may, which for new records are a few."""
    if not event_ids:
        return set()
    wanted, found = {event_id.bytes for event_id in event_ids}, set()
    statement = select(AuditTile.event_ids).where(
        AuditTile.log == log,
        _LEAVES,
        AuditTile.lowest_event <= max(event_ids),
        AuditTile.highest_event >= min(event_ids),
    )
    for raw in connection.execute(statement, execution_options={"yield_per": _TILES_AT_ONCE}).scalars():
        named = bytes(raw or b"")
        found |= wanted & {named[at : at + EVENT_ID_BYTES] for at in range(0, len(named), EVENT_ID_BYTES)}
    return {uuid.UUID(bytes=each) for each in found}


def glance(connection: Connection) -> Glance:
    """In one statement, since a worker looks twice a second."""
    number = select(func.max(AuditLog.number)).scalar_subquery()
    last = select(AuditCheckpoint.size, AuditCheckpoint.signed_at).where(AuditCheckpoint.log == number)
    last = last.order_by(AuditCheckpoint.size.desc()).limit(1)
    until: ColumnElement[dt.datetime] = literal_column(clock(connection))
    row = connection.execute(
        select(
            exists().where(LanePause.lane == SEQUENCE_LANE, or_(LanePause.until.is_(None), LanePause.until > until)),
            exists().where(AuditPending.refused.is_(None)),
            select(AuditLog.size).where(AuditLog.number == number).scalar_subquery(),
            last.with_only_columns(AuditCheckpoint.size).scalar_subquery(),
            last.with_only_columns(AuditCheckpoint.signed_at).scalar_subquery(),
            exists().where(AuditAnchoring.anchor == DIRECTORY, AuditAnchoring.problem.is_not(None)),
        )
    ).one()
    rests, pending, size, signed_size, signed_at, has_problem = row
    return Glance(rests, pending, size or 0, signed_size or 0, signed_at, has_problem)


def find_leaf(connection: Connection, log: int, event_id: uuid.UUID) -> int | None:
    """The number of the leaf that a record is; None if this log does not have it."""
    statement = (
        select(AuditTile.tile_index, AuditTile.event_ids)
        .where(AuditTile.log == log, _LEAVES, AuditTile.lowest_event <= event_id, AuditTile.highest_event >= event_id)
        .order_by(AuditTile.lowest_event.desc())
    )
    for tile_index, event_ids in connection.execute(statement):
        place = _position(bytes(event_ids or b""), event_id.bytes)
        if place is not None:
            return int(tile_index) * TILE_WIDTH + place
    return None


def _position(event_ids: bytes, wanted: bytes) -> int | None:
    """Which of the ids it is. A match across the border of two ids is none."""
    found = event_ids.find(wanted)
    while found != -1 and found % EVENT_ID_BYTES:
        found = event_ids.find(wanted, found + 1)
    return None if found == -1 else found // EVENT_ID_BYTES
