"""The whole log: every record, every tile, every signature, and what was anchored outside the database.

No snapshot is held for longer than one step takes: the database could clean up nothing meanwhile. Records move on
between the steps; each step sees them all, where they are then.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from pipeline.audit.anchors import DirectoryAnchor
from pipeline.audit.checkpoints import origin_of
from pipeline.audit.notes import read_unverified
from pipeline.audit.tiles import TILE_WIDTH, TileMissing
from pipeline.audit.verify.findings import Finding, Findings, ResumedFrom, Verification
from pipeline.audit.verify.leaves import CheckedRange, TileRange
from pipeline.audit.verify.levels import check_levels
from pipeline.audit.verify.logs import LogSize, check_sizes, read_log, read_logs
from pipeline.audit.verify.numbering import check_numbers
from pipeline.audit.verify.processes import WORTH_PROCESSES, Opening, check_here, check_on_all_cores, ranges_of
from pipeline.audit.verify.records import IsAuthentic
from pipeline.audit.verify.reopened import check_openings
from pipeline.audit.verify.resuming import NotResumed, forget_reached, read_reached, write_reached
from pipeline.audit.verify.signatures import SignedLog, read_since
from pipeline.audit.verify.values import unreadable
from pipeline.audit.verify.whereabouts import Whereabouts, archived_records, check_archives, check_pending
from pipeline.db import Database, utc_now
from pipeline.keys import Keys
from pipeline.models import AuditCheckpoint, AuditLog, AuditTile

_REMEMBERED_EVERY_SECONDS = 1.0

Progress = Callable[[int, int], None]
"""Told how many leaves are verified, of how many."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the database is held against. Without `keys` no MAC is looked at: hashes and signatures are.

    `keys_dir` is where processes load the keysets from.
    """

    public_keys: Sequence[Ed25519PublicKey]
    anchor: DirectoryAnchor
    keys: Keys | None = None
    keys_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Where to remember how far verification came, and whether to go on from there."""

    folder: Path
    go_on: bool = False


def verify_log(
    database: Database, evidence: Evidence, resume: Resume | None = None, progress: Progress | None = None
) -> Verification:
    """Verify everything: what is on record in this database is what was written, signed and anchored, and complete.

    Work goes on meanwhile: it is the log, and what waits for it, of the moment when this begins that is verified. What
    cannot be read is a finding, and the rest is verified; a database that is gone raises. After an interruption
    (KeyboardInterrupt, a kill) the file of `resume` remembers how far it came.
    """
    run = _Run(database, evidence)
    # First what waits, then the log: a record that goes from one to the other between is in the log by then.
    run.step("the records that wait", lambda connection: check_pending(connection, run.is_authentic))
    run.step("the list of logs", run.read_logs)
    current = run.logs[-1] if run.logs else None
    if current is not None:
        run.check_leaves(current, resume, progress)
        run.step("the tiles", lambda connection: _check_levels(connection, current))
        run.check_signed(current)
    for log in run.logs[:-1]:
        run.check_earlier(log)
    run.step("the logs that are not there", run.check_unknown_logs)
    with database.snapshot() as connection:
        run.check_completeness(connection)
    run.step("the openings of logs", lambda connection: check_openings(connection, run.logs, run.is_authentic))
    if resume is not None:
        forget_reached(resume.folder)
    return run.outcome(current)


@dataclass(slots=True)
class _Run:
    """One verification: its steps, and what they found. An error in one is a finding, and the others go on."""

    database: Database
    evidence: Evidence
    logs: Sequence[LogSize] = ()
    findings: Findings = field(default_factory=Findings)
    lost: list[str] = field(default_factory=list)
    resumed_from: ResumedFrom | None = None
    begun_anew: str | None = None
    signed: SignedLog | None = None
    events: int = 0
    pending: int = 0
    archived: int = 0

    @property
    def is_authentic(self) -> IsAuthentic | None:
        return self.evidence.keys.is_authentic if self.evidence.keys else None

    def step(self, about: str, check: Callable[[Connection], Iterable[Finding]]) -> None:
        """In a snapshot of its own."""
        with self.database.snapshot() as connection:
            self.part(about, lambda: check(connection))

    def part(self, about: str, check: Callable[[], Iterable[Finding]]) -> None:
        try:
            self.findings.add(check())
        except Exception as error:  # noqa: BLE001 - whatever somebody wrote into the database
            self.findings.add([unreadable(about, error)])

    def read_logs(self, connection: Connection) -> Iterator[Finding]:
        self.logs = read_logs(connection)
        yield from check_sizes(connection, self.logs)

    def check_leaves(self, log: LogSize, resume: Resume | None, progress: Progress | None) -> None:
        macs = self.evidence.keys is not None
        began_at = utc_now()
        if resume is not None and resume.go_on:
            self._go_on_from(resume.folder, log)
        if self.resumed_from is not None:
            began_at = self.resumed_from.verified_at
        remembered_at = time.monotonic()
        for tiles, checked in self._checked(log, self.resumed_from.leaf if self.resumed_from else 0):
            self.findings.merge(checked.findings)
            if progress is not None:
                progress(tiles.end_leaf, log.size)
            well = self.findings.count == 0 and tiles.end * TILE_WIDTH <= log.size
            if resume is not None and well and time.monotonic() - remembered_at >= _REMEMBERED_EVERY_SECONDS:
                self._remember(resume.folder, log, tiles.end * TILE_WIDTH, began_at, macs=macs)
                remembered_at = time.monotonic()

    def check_signed(self, log: LogSize) -> None:
        """The checkpoints of the current log, here and where they are anchored."""

        def check(connection: Connection) -> Iterator[Finding]:
            self.signed = signed = _signed(connection, log, self.evidence)
            yield from signed.check_stored()
            yield from _check_anchored(self.database, signed, self.evidence.anchor, may_be_longer=False)

        self.step("the checkpoints", check)

    def check_earlier(self, log: LogSize) -> None:
        """One that was given up when a backup was restored: its tiles and signatures, as far as the backup had them."""

        def check(connection: Connection) -> Iterator[Finding]:
            signed = _signed(connection, log, self.evidence)
            for finding in (
                *_check_levels(connection, log),
                *signed.check_stored(),
                *_check_anchored(self.database, signed, self.evidence.anchor, may_be_longer=True),
            ):
                yield Finding(f"log {log.number}: {finding.about}", finding.problem)
            if signed.beyond:
                told = f"was anchored with {signed.beyond} leaves, and the database has {log.size} of them"
                self.lost.append(f"{log.origin} {told}")

        self.step(f"log {log.number}", check)

    def check_unknown_logs(self, connection: Connection) -> Iterator[Finding]:
        """Checkpoints and tiles belong to a log of the database, and so does everything that was anchored of ours."""
        for table, what in ((AuditCheckpoint, "checkpoints"), (AuditTile, "tiles")):
            stray = select(table.log).where(table.log.not_in(select(AuditLog.number))).distinct()
            for (number,) in connection.execute(stray):
                yield Finding(f"log {number}", f"the database has {what} of it, and not the log")
        try:
            anchored = list(_anchored_logs(self.evidence))
        except OSError as error:
            yield _unreadable_anchor(error)
            return
        with self.database.read() as later:  # one that was opened meanwhile is known by now
            logs = read_logs(later)
        known, highest = {log.origin for log in logs}, max((log.number for log in logs), default=0)
        for origin, number, size in anchored:
            told = f"a checkpoint of size {size} was anchored of it"
            if origin in known:
                continue
            if number > highest:
                yield Finding(f"the log {origin}", f"{told}: the database was rolled back to before it began")
            else:
                self.lost.append(f"{origin} is not in the database, and {told}")

    def check_completeness(self, connection: Connection) -> None:
        """Every record in its place, and every number. All as of one moment: what is counted moves."""
        whereabouts = Whereabouts(connection, None)

        def check() -> Iterator[Finding]:
            logs = read_logs(connection)
            whereabouts.log = logs[-1] if logs else None
            yield from whereabouts.check()

        def check_series() -> Iterator[Finding]:
            log = whereabouts.log
            self.archived = archived_records(connection, log.number) if log else 0
            # What is archived may not all be dropped yet.
            dropped = archived_records(connection) - self.archived + min(self.archived, whereabouts.absent)
            yield from check_numbers(connection, dropped)

        self.part("where the records are", check)
        self.part("the archives", lambda: check_archives(connection))
        self.part("the numbers of the records", check_series)
        self.events, self.pending = whereabouts.events, whereabouts.pending

    def outcome(self, current: LogSize | None) -> Verification:
        return Verification(
            events=self.events,
            findings=self.findings.first(),
            findings_count=self.findings.count,
            origin=current.origin if current else None,
            size=current.size if current else 0,
            archived=self.archived,
            pending=self.pending,
            checkpoints=self.signed.checkpoints if self.signed else 0,
            signed_size=self.signed.signed_size if self.signed else 0,
            anchored_size=self.signed.anchored_size if self.signed else 0,
            lost=tuple(self.lost),
            resumed_from=self.resumed_from,
            begun_anew=self.begun_anew,
        )

    def _go_on_from(self, folder: Path, log: LogSize) -> None:
        try:
            with self.database.snapshot() as connection:
                self.resumed_from = read_reached(folder, connection, log, macs=self.evidence.keys is not None)
        except NotResumed as reason:
            self.begun_anew = str(reason)

    def _remember(self, folder: Path, log: LogSize, leaf: int, began_at: dt.datetime, *, macs: bool) -> None:
        with contextlib.suppress(TileMissing, OSError), self.database.snapshot() as connection:
            write_reached(folder, connection, log, leaf, began_at, macs=macs)

    def _checked(self, log: LogSize, first: int) -> Iterator[tuple[TileRange, CheckedRange]]:
        ranges = ranges_of(log.number, log.size, first)
        evidence = self.evidence
        if log.size - first >= WORTH_PROCESSES and (evidence.keys is None or evidence.keys_dir is not None):
            opening = Opening(self.database.url, evidence.keys_dir if evidence.keys else None)
            return check_on_all_cores(opening, ranges)
        return check_here(self.database, self.is_authentic, ranges)


def _check_levels(connection: Connection, log: LogSize) -> Iterator[Finding]:
    """As of this snapshot, in which the log may be longer than when verification began."""
    now = read_log(connection, log.number)
    if now is None or now.size < log.size:
        size = 0 if now is None else now.size
        yield Finding(f"log {log.number}", f"it had {log.size} leaves, and has {size} since", size)
    yield from check_levels(connection, log.number, now.size if now else 0)


def _signed(connection: Connection, log: LogSize, evidence: Evidence) -> SignedLog:
    now = read_log(connection, log.number)
    return SignedLog(connection, log, now.size if now else 0, evidence.public_keys)


def _check_anchored(
    database: Database, signed: SignedLog, anchor: DirectoryAnchor, *, may_be_longer: bool
) -> Iterator[Finding]:
    try:
        notes = anchor.each(signed.log.origin)
        with database.read() as connection:
            since = read_since(connection, signed.log, signed.stored_size)
        yield from signed.check_anchored(notes, since, may_be_longer=may_be_longer)
    except OSError as error:
        yield _unreadable_anchor(error)


def _anchored_logs(evidence: Evidence) -> Iterator[tuple[str, int, int]]:
    """Origin, number and size of each log of ours that something was anchored of. Raises OSError."""
    for key in evidence.public_keys:
        name = origin_of(key, 1).removesuffix("/1")
        for number in evidence.anchor.numbers(name):
            note = evidence.anchor.latest(f"{name}/{number}")
            if note is not None:
                yield f"{name}/{number}", number, read_unverified(note).size


def _unreadable_anchor(error: OSError) -> Finding:
    return Finding("the anchor directory", f"it cannot be read: {error.strerror or type(error).__name__}")
