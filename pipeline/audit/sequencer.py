"""The sequencer: puts records that wait into the Merkle log, and has its size and root signed and anchored.

Any number of processes may have one: whoever locks the log's row does the turn. Nobody who writes records ever waits
for it, but on SQLite, which has one writer.
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from pipeline import bulk
from pipeline.audit import anchors as anchoring
from pipeline.audit.anchors import AnchorProblem, Anchors
from pipeline.audit.checkpoints import SigningRefused, Sound, check_sound, origin_of, root_of_log, store
from pipeline.audit.log_state import Glance, LogRow, Stored, current_log, glance, latest_checkpoint, lock_log
from pipeline.audit.notes import Checkpoint, read_unverified, sign_checkpoint
from pipeline.audit.openings import is_opened_on_record
from pipeline.audit.pending import NOT_OUR_MAC, look_again, read_batch, take
from pipeline.audit.signing import PUBLIC_FILE, LogSigner, load_public_keys
from pipeline.audit.tiles import TileMissing, append_leaves, check_growing
from pipeline.context import Context
from pipeline.db import is_transient, utc_now
from pipeline.engine.stage import whereabouts
from pipeline.failpoints import Failpoint, reach
from pipeline.keys import KeyProblem, KeyPurpose
from pipeline.models import AuditLog, KeyFingerprint

log = structlog.get_logger(__name__)

TURN_SECONDS = 0.5
"""How often a worker looks."""

RETRY_SECONDS = 10.0
"""After a turn, signing or anchoring failed."""

CLOSING_SECONDS = 20.0
"""For what still waits when a process ends; others, or the next start, take the rest."""

_BATCH_POSTGRESQL, _BATCH_SQLITE = 5000, 1000
_GROW = "UPDATE audit_log SET size = v.size, sequenced_at = v.at FROM v WHERE audit_log.number = v.number"
_GROW_TYPES = {"number": "integer", "size": "bigint", "at": "timestamptz"}
_LOG_COLUMNS = ("number", "origin", "size", "opened_at", "sequenced_at")


@dataclass(frozen=True, slots=True)
class _Turn:
    """How many leaves were added, and whether more may wait."""

    added: int = 0
    is_full: bool = False


class _KeysetStale(Exception):
    """This process cannot tell a forged record from one that is not."""


class Sequencer:
    """One process's. Not to be used by several threads at once, but for `anchor_outside`."""

    def __init__(
        self, context: Context, signer: LogSigner, anchors: Anchors, now: Callable[[], dt.datetime] = utc_now
    ) -> None:
        """Raises `KeyProblem` if the public keys are not beside the keysets, or lack one that signs."""
        self._database = context.database
        self._keys = context.keys
        self._signer = signer
        self._known_keys = _known_keys(signer, context.settings.effective_keys_dir)
        self._anchors = anchors
        self._now = now
        # A worker looks every half second: the last look in time has to do it.
        self._sign_after = dt.timedelta(seconds=max(0.0, context.settings.checkpoint_seconds - TURN_SECONDS))
        self._batch = _BATCH_POSTGRESQL if context.database.is_postgresql else _BATCH_SQLITE
        # By `time.monotonic`: the wall clock may be put back.
        self._next_turn = self._next_signing = 0.0
        self._growth_problem: str | None = None
        self._has_looked_again = False

    def look(self) -> bool:
        """A turn if anything waits, and a checkpoint if it is time; nothing while the lane rests.

        Whether to look again at once, because more waits than one turn takes.
        """
        seen = self._glance()
        if seen.rests:
            return False
        if not seen.pending:
            self._sign_if_due(seen)
            return False
        turn = self._turn()
        self.sign_if_due()
        return turn.is_full

    def turn(self) -> int:
        """Put a batch of records into the log, in one transaction; how many. 0 also if another process is at it.

        Why it fails stands in `audit_anchoring` and in the process's log; for a while it is not tried again.
        """
        return self._turn().added if self._glance().pending else 0

    def sign_if_due(self) -> Checkpoint | None:
        """Sign if leaves that no checkpoint covers may be as old as they may become.

        They came after the last checkpoint was signed, so its age is more than theirs.
        """
        return self._sign_if_due(self._glance())

    def sign(self) -> Checkpoint | None:
        """Sign, anchor and store what no checkpoint covers yet.

        None if there is no news, another process is at the log, or it is refused: why stands in `audit_anchoring` and
        in the process's log. The log goes on growing.
        """
        try:
            checkpoint = self._sign()
        except (SigningRefused, AnchorProblem) as refusal:
            problem = str(refusal)
        except OSError as error:
            problem = f"the anchor directory cannot be used: {error.strerror or type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - no row may end it; logged with type and place
            problem = f"it fails ({_unexpected(error)}); the process's log says where"
        else:
            self._next_signing = 0.0
            return checkpoint
        self._next_signing = time.monotonic() + RETRY_SECONDS
        self._note_problem(problem)
        return None

    def anchor_outside(self) -> None:
        """Send the endpoint the last checkpoint, if it does not have it. For a thread that may wait for an answer."""
        endpoint = self._anchors.endpoint
        if endpoint is None:
            return
        with self._database.read() as connection:
            current = current_log(connection)
            stored = latest_checkpoint(connection, current.number) if current else None
            known = anchoring.read_anchored(connection).get(anchoring.ENDPOINT)
        if current is None or stored is None:
            return
        if known is not None and known.problem is None and (known.log, known.size) == (current.number, stored.size):
            return
        try:
            endpoint.put(stored.note)
        except AnchorProblem as problem:
            log.warning("checkpoint not anchored outside", problem=str(problem))
            with self._database.write() as connection:
                anchoring.note_problem(connection, anchoring.ENDPOINT, current.number, str(problem))
        else:
            with self._database.write() as connection:
                anchoring.note_success(connection, anchoring.ENDPOINT, current.number, stored.size, self._now())

    def close(self) -> None:
        """The process ends: what waits goes into the log, and a checkpoint covers it. Nothing while the lane rests."""
        if self._glance().rests:
            return
        deadline = time.monotonic() + CLOSING_SECONDS
        while self._turn().is_full and time.monotonic() < deadline:
            pass
        self.sign()

    def _glance(self) -> Glance:
        with self._database.read() as connection:
            seen = glance(connection)
        if seen.rests or self._has_looked_again:
            return seen
        with self._database.write() as connection:
            look_again(connection)
        self._has_looked_again = True
        return self._glance()

    def _turn(self) -> _Turn:
        if time.monotonic() < self._next_turn:
            return _Turn()
        try:
            turn = self._append_batch()
        except (TileMissing, _KeysetStale) as cause:
            problem = str(cause)
        except Exception as error:  # noqa: BLE001 - what is in the log is to be signed; logged with type and place
            problem = f"a turn fails ({_unexpected(error)}); the process's log says where"
        else:
            self._growth_problem = None
            return turn
        self._next_turn = time.monotonic() + RETRY_SECONDS
        self._growth_problem = f"the log cannot grow: {problem}"
        self._note_problem(self._growth_problem)
        return _Turn()

    def _append_batch(self) -> _Turn:
        with self._database.write() as connection:
            held = self._hold_log(connection)
            if held is None:
                return _Turn()
            check_growing(connection, held.number, held.size)
            batch = read_batch(connection, held.number, self._keys.is_authentic, self._batch)
            if any(reason == NOT_OUR_MAC for _, reason in batch.refused):
                self._check_keyset(connection)
            reach(Failpoint.SEQUENCER_AFTER_READ)
            if batch.leaves:
                size = append_leaves(connection, held.number, held.size, batch.leaves)
                reach(Failpoint.SEQUENCER_AFTER_APPEND)
                bulk.execute(connection, _GROW, _GROW_TYPES, [(held.number, size, self._now())])
            take(connection, batch)
            reach(Failpoint.SEQUENCER_BEFORE_COMMIT)
        reach(Failpoint.SEQUENCER_AFTER_COMMIT)
        if batch.refused:
            first, reason = batch.refused[0]
            log.error("records refused by the log", count=len(batch.refused), first=str(first), problem=reason)
        return _Turn(len(batch.leaves), batch.is_full)

    def _check_keyset(self, connection: Connection) -> None:
        """Before a record is called forged. Raises `_KeysetStale`."""
        registered = connection.execute(
            select(KeyFingerprint.fingerprint).where(KeyFingerprint.purpose == KeyPurpose.AUDIT.value)
        ).scalar_one_or_none()
        if registered is not None and registered not in self._keys.record_fingerprints():
            raise _KeysetStale("the audit keyset here is not the database's: put the current audit.json there")

    def _sign_if_due(self, seen: Glance) -> Checkpoint | None:
        if time.monotonic() < self._next_signing or seen.size == 0:
            return None
        if seen.size == seen.signed_size:
            # Nothing to sign; but a problem that is told is to be gone from there once it is gone.
            return self.sign() if seen.has_problem and self._growth_problem is None else None
        # One from the future was signed by a clock that was ahead, and says nothing about how old the leaves are.
        now = self._now()
        if seen.signed_at is not None and seen.signed_at <= now < seen.signed_at + self._sign_after:
            return None
        return self.sign()

    def _hold_log(self, connection: Connection) -> LogRow | None:
        """The log, locked; the first turn of all opens it. None if another process has it."""
        if current_log(connection) is None:
            row = (1, origin_of(self._signer.keys[0].public_key(), 1), 0, self._now(), None)
            bulk.insert(connection, AuditLog.table(), _LOG_COLUMNS, [row], "ON CONFLICT DO NOTHING")
        return lock_log(connection)

    def _sign(self) -> Checkpoint | None:
        """All of it with the log held: one process at a time reads what was signed, and adds to it.

        On SQLite nobody writes meanwhile: for the few milliseconds that the anchor directory takes.
        """
        looked_at = self._now()
        with self._database.write() as connection:
            held = lock_log(connection)
            if held is None or held.size == 0:
                return None
            sound = check_sound(connection, held, self._anchors.directory, self._known_keys)
            if sound.stored is None and not is_opened_on_record(connection, held, self._keys.is_authentic):
                raise SigningRefused(f"no record of ours says that the log {held.origin} was opened")
            checkpoint = Checkpoint(held.origin, held.size, root_of_log(sound.tiles))
            if self._signed_size(connection, held, sound, looked_at) == held.size:
                self._write_anchored(connection, held)
                return None
            self._publish(connection, held, checkpoint, looked_at)
        reach(Failpoint.SIGNING_AFTER_COMMIT)
        return checkpoint

    def _signed_size(self, connection: Connection, held: LogRow, sound: Sound, looked_at: dt.datetime) -> int:
        """What the last checkpoint covers. One that a process anchored, and died before it stored it, is stored."""
        size = 0 if sound.stored is None else sound.stored.size
        if sound.anchored is None or (anchored := read_unverified(sound.anchored).size) == size:
            return size
        store(connection, held.number, Stored(anchored, sound.anchored, looked_at))
        return anchored

    def _publish(self, connection: Connection, held: LogRow, checkpoint: Checkpoint, looked_at: dt.datetime) -> None:
        """The order decides what a crash leaves: never a checkpoint in the database that is not anchored."""
        reach(Failpoint.SIGNING_BEFORE_SIGNATURE)
        note = sign_checkpoint(checkpoint, self._signer.keys)
        reach(Failpoint.SIGNING_BEFORE_ANCHOR)
        self._anchors.directory.put(note)
        reach(Failpoint.SIGNING_AFTER_ANCHOR)
        store(connection, held.number, Stored(held.size, note, looked_at))
        self._write_anchored(connection, held)
        reach(Failpoint.SIGNING_BEFORE_COMMIT)

    def _write_anchored(self, connection: Connection, held: LogRow) -> None:
        """The directory has all of the log. What keeps that from growing is told all the same."""
        anchoring.note_success(connection, anchoring.DIRECTORY, held.number, held.size, self._now())
        if self._growth_problem is not None:
            anchoring.note_problem(connection, anchoring.DIRECTORY, held.number, self._growth_problem)

    def _note_problem(self, problem: str) -> None:
        """Once, however often it is tried again."""
        with self._database.read() as connection:
            known = anchoring.read_anchored(connection).get(anchoring.DIRECTORY)
            current = current_log(connection)
        if known is not None and known.problem == problem:
            return
        log.error("the log is not kept", problem=problem)
        with self._database.write() as connection:
            anchoring.note_problem(connection, anchoring.DIRECTORY, current.number if current else 0, problem)


def open_sequencer(context: Context, signer: LogSigner) -> Sequencer:
    """The one of this process, with the anchors of its settings. Raises `KeyProblem`."""
    return Sequencer(context, signer, anchoring.open_anchors(context.settings))


def _unexpected(error: Exception) -> str:
    """Its type, for the record; raised again if the database only asks to try again."""
    if is_transient(error):
        raise error
    log.error("sequencer failed", **whereabouts(error))
    return type(error).__name__


def _known_keys(signer: LogSigner, folder: Path) -> tuple[Ed25519PublicKey, ...]:
    known = load_public_keys(folder)
    listed = {key.public_bytes_raw() for key in known}
    if any(key.public_bytes_raw() not in listed for key in signer.public_keys):
        raise KeyProblem(f"{folder / PUBLIC_FILE} lacks a key that signs: what it signs could not be checked")
    return known
