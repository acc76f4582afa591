"""Checkpoints: signed by our keys, kept under the size they say, and the log's root at that size is theirs.

What was anchored outside the database counts as much as what is in it, and more: whoever has the database cannot
change it.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from pipeline.audit.notes import Checkpoint, NoteInvalid, open_checkpoint
from pipeline.audit.tiles import EVENT_ID_BYTES, TILE_WIDTH, TileMissing, Tiles, stored_tiles
from pipeline.audit.verify.findings import Finding
from pipeline.audit.verify.logs import LogSize
from pipeline.audit.verify.values import as_bytes, is_number
from pipeline.models import AuditCheckpoint, AuditLog, AuditTile

_ANOTHER_ROOT = 3
"""Checkpoints in a row that the log does not agree with are told so often; all later ones would disagree too."""


@dataclass(frozen=True, slots=True)
class Since:
    """What the database has of a log after the anchor was looked at: its size, and the sizes of later checkpoints."""

    size: int
    stored: frozenset[int]


@dataclass(slots=True)
class SignedLog:
    """A log as its checkpoints see it: collects what holds good while findings are read off.

    `log` is as it was when verification began; `size` is what it has in the snapshot that `connection` reads. What was
    signed between is not looked at, as its leaves were not.
    """

    connection: Connection
    log: LogSize
    size: int
    public_keys: Sequence[Ed25519PublicKey]
    checkpoints: int = 0
    signed_size: int = 0
    anchored_size: int = 0
    stored_size: int = 0
    """Of the highest checkpoint in the database, whether it holds good or not."""
    beyond: int = 0
    """Of the highest anchored one, if the log is shorter."""
    _disagreed: int = 0
    _stored: set[int] = field(default_factory=set)
    _tiles: Tiles | None = field(default=None)
    _tiles_about: int = -1

    def check_stored(self) -> Iterator[Finding]:
        """Those in the database."""
        rows = self.connection.execute(
            select(AuditCheckpoint.size, AuditCheckpoint.note)
            .where(AuditCheckpoint.log == self.log.number)
            .order_by(AuditCheckpoint.size),
            execution_options={"yield_per": 1000},
        )
        agreed = self._disagreed = 0
        for size, note in rows:
            about = f"the checkpoint of size {size!r:.40}"
            if not is_number(size):
                yield Finding(about, "its size is not a number")
                continue
            self.stored_size = size
            self._stored.add(size)
            if self.log.size < size <= self.size:
                continue
            checkpoint = self._opened(note)
            if isinstance(checkpoint, str):
                yield Finding(about, checkpoint)
            elif checkpoint.size != size:
                yield Finding(about, f"another one stands in its place, of size {checkpoint.size}")
            else:
                problem = self._disagreement(checkpoint, agreed)
                yield from self._told(about, problem, agreed)
                if problem is None:
                    self.checkpoints += 1
                    self.signed_size = agreed = size

    def check_anchored(self, notes: Iterable[str], since: Since, *, may_be_longer: bool) -> Iterator[Finding]:
        """Those that were anchored, the smallest first, after those in the database.

        `since` was read after it was known which there are: what was signed after the snapshot is not rolled back.
        `may_be_longer` of a log that was given up for another when a backup without its end was restored.
        """
        agreed = self._disagreed = anchored = 0
        unstored: Finding | None = None
        for note in notes:
            # Of one that is not the highest: that is anchored a moment before it is stored.
            if unstored is not None:
                yield unstored
                unstored = None
            checkpoint = self._opened(note)
            if isinstance(checkpoint, str):
                yield Finding("an anchored checkpoint", checkpoint)
                continue
            about, anchored = f"what was anchored at size {checkpoint.size}", checkpoint.size
            if self.log.size < checkpoint.size <= since.size:
                continue
            if checkpoint.size > self.log.size:
                self.beyond = checkpoint.size
                if not may_be_longer:
                    yield from self._told(about, self._too_short(), self.log.size)
                continue
            problem = self._disagreement(checkpoint, agreed)
            yield from self._told(about, problem, agreed)
            if problem is None:
                self.anchored_size = agreed = checkpoint.size
                self.signed_size = max(self.signed_size, agreed)
            if checkpoint.size not in self._stored and checkpoint.size not in since.stored:
                unstored = Finding(about, "the database does not have this checkpoint")
        if anchored < self.stored_size:
            yield Finding(
                f"the checkpoint of size {self.stored_size}",
                f"the anchor directory does not have it, nor a later one: its highest is of size {anchored}",
            )

    def _opened(self, note: object) -> Checkpoint | str:
        if not isinstance(note, str):
            return "it is not text"
        try:
            return open_checkpoint(note, self.log.origin, self.public_keys)
        except NoteInvalid as error:
            return f"it is not signed as it should be: {error}"
        except ValueError:  # a character that is none
            return "it is not text"

    def _disagreement(self, checkpoint: Checkpoint, agreed: int) -> str | None:
        if checkpoint.size > self.log.size:
            return self._too_short()
        try:
            root = self._tiles_for(checkpoint.size).root(checkpoint.size)
        except TileMissing as error:
            return str(error)
        except TypeError:
            return "a tile that it covers is not of bytes"
        if root == checkpoint.root:
            return None
        first = event_at(self.connection, self.log.number, agreed)
        return (
            f"the log differs: one of the leaves {agreed} (record {first}) to {checkpoint.size - 1} "
            "is not the one that was signed"
        )

    def _too_short(self) -> str:
        return f"the database was rolled back: its log has {self.log.size} leaves"

    def _told(self, about: str, problem: str | None, agreed: int) -> Iterator[Finding]:
        if problem is None:
            return
        self._disagreed += 1
        if self._disagreed <= _ANOTHER_ROOT:
            yield Finding(about, problem, agreed)

    def _tiles_for(self, size: int) -> Tiles:
        """Tiles to compute this root from; those of a checkpoint nearby, already read, or none of them."""
        about = size // (TILE_WIDTH * TILE_WIDTH)
        if self._tiles is None or about != self._tiles_about:
            self._tiles, self._tiles_about = stored_tiles(self.connection, self.log.number, self.size), about
        return self._tiles


def event_at(connection: Connection, log: int, leaf: int) -> str | None:
    """The id of the event that is a leaf."""
    index, place = divmod(leaf, TILE_WIDTH)
    statement = select(AuditTile.event_ids).where(
        AuditTile.log == log, AuditTile.level == 0, AuditTile.tile_index == index
    )
    found = as_bytes(connection.execute(statement).scalar_one_or_none())
    named = found[place * EVENT_ID_BYTES : (place + 1) * EVENT_ID_BYTES]
    return str(uuid.UUID(bytes=named)) if len(named) == EVENT_ID_BYTES else None


def read_since(connection: Connection, log: LogSize, stored_size: int) -> Since:
    """As of now. `connection` reads each statement for itself."""
    size = connection.execute(select(AuditLog.size).where(AuditLog.number == log.number)).scalar_one_or_none()
    later = select(AuditCheckpoint.size).where(AuditCheckpoint.log == log.number, AuditCheckpoint.size > stored_size)
    return Since(size if is_number(size) else 0, frozenset(connection.execute(later).scalars()))
