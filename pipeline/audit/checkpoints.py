"""Signing: what has to be so before the log's size and root are signed, and the name they are signed under.

A signature is worth what was checked before it: the log must begin with everything that was signed of it before, by
the database's last checkpoint and by the highest one in the anchor directory, which who has the database has not.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from pipeline import bulk
from pipeline.audit.anchors import DirectoryAnchor
from pipeline.audit.log_state import LogRow, Stored, latest_checkpoint
from pipeline.audit.notes import Checkpoint, NoteInvalid, open_checkpoint
from pipeline.audit.tiles import TileMissing, Tiles, stored_tiles
from pipeline.models import AuditCheckpoint

_ORIGIN = re.compile(r"(?P<name>careroute-audit-[0-9a-f]{8})/(?P<number>[1-9]\d{0,8})", re.ASCII)
_COLUMNS = ("log", "size", "note", "signed_at")
_IN_DATABASE, _ANCHORED = "the last checkpoint in the database", "the highest checkpoint in the anchor directory"


class SigningRefused(Exception):
    """The log does not follow what was signed of it before."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A log that begins with what was signed of it: its tiles, and the last checkpoint here and in the anchor."""

    tiles: Tiles
    stored: Stored | None
    anchored: str | None


def origin_of(key: Ed25519PublicKey, number: int) -> str:
    """The name of an installation's log: after the key that it began with, and its number."""
    return f"careroute-audit-{hashlib.sha256(key.public_bytes_raw()).hexdigest()[:8]}/{number}"


def next_origin(origin: str, number: int) -> str:
    """The name of the log that follows one of the same installation. Raises `SigningRefused` for a foreign name."""
    return f"{_parts(origin)['name']}/{number}"


def highest_number(origin: str, directory: DirectoryAnchor) -> int:
    """Of the logs of this installation that were ever anchored; 0 without any. Raises OSError, `SigningRefused`."""
    return directory.highest_number(_parts(origin)["name"])


def check_sound(
    connection: Connection, log: LogRow, directory: DirectoryAnchor, keys: Sequence[Ed25519PublicKey]
) -> Sound:
    """The log as it is, if it begins with what was signed of it before, and the anchor has what it was given.

    `connection` reads one snapshot, or holds the log. Raises `SigningRefused` saying what is not so, and
    OSError for a directory that cannot be read.
    """
    if int(_parts(log.origin)["number"]) != log.number:
        raise SigningRefused(f"log {log.number} does not bear the name {log.origin}")
    newer = highest_number(log.origin, directory)
    if newer > log.number:
        raise SigningRefused(f"log {newer} was opened and anchored, and the database has only log {log.number}")
    tiles = stored_tiles(connection, log.number, log.size)
    stored, anchored = latest_checkpoint(connection, log.number), directory.latest(log.origin)
    kept = 0 if stored is None else _check_follows(tiles, log, stored.note, _IN_DATABASE, keys)
    taken = 0 if anchored is None else _check_follows(tiles, log, anchored, _ANCHORED, keys)
    if taken < kept:
        # The anchor takes each before the database does, so it had this one: what it was to witness may be gone.
        raise SigningRefused(
            f"the anchor directory lacks the checkpoint of {kept} leaves that it was given: put its files back; if "
            "they are lost, `careroute audit reopen` opens a new log"
        )
    return Sound(tiles, stored, anchored)


def store(connection: Connection, log: int, checkpoint: Stored) -> None:
    """Keep a checkpoint in the database, unless another process has just done so."""
    # Asked first: SQLite's trigger refuses an insertion over an existing row even if the conflict is to be passed by.
    columns = ", ".join(_COLUMNS)
    bulk.execute(
        connection,
        f"INSERT INTO audit_checkpoint ({columns}) SELECT {columns} FROM v WHERE NOT EXISTS "  # noqa: S608 - ours
        "(SELECT 1 FROM audit_checkpoint c WHERE c.log = v.log AND c.size = v.size) ON CONFLICT DO NOTHING",
        bulk.column_types(AuditCheckpoint.table(), _COLUMNS),
        [(log, checkpoint.size, checkpoint.note, checkpoint.signed_at)],
    )


def root_of_log(tiles: Tiles) -> bytes:
    """Raises `SigningRefused` if a tile is not as the size says."""
    return _root(tiles, tiles.size)


def _check_follows(tiles: Tiles, log: LogRow, note: str, whose: str, keys: Sequence[Ed25519PublicKey]) -> int:
    """The size that it is of."""
    try:
        known: Checkpoint = open_checkpoint(note, log.origin, keys)
    except NoteInvalid as problem:
        raise SigningRefused(f"{whose} is not ours: {problem}") from None
    if known.size > log.size:
        raise SigningRefused(
            f"the log has {log.size} leaves, fewer than the {known.size} of {whose}: if a backup was restored, "
            "`careroute audit reopen` opens a new log"
        )
    if _root(tiles, known.size) != known.root:
        raise SigningRefused(f"the first {known.size} leaves are not those of {whose}")
    return known.size


def _root(tiles: Tiles, size: int) -> bytes:
    try:
        return tiles.root(size)
    except TileMissing as problem:
        raise SigningRefused(f"{problem}") from None


def _parts(origin: str) -> re.Match[str]:
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise SigningRefused(f"{origin!r} is not the name of a log of ours")
    return found
