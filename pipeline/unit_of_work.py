"""One step, one transaction: status, audit records, rows and jobs, written together or not at all.

Everything a step wants written is collected and flushed by a few bulk statements just before the commit. Submissions
are locked first, in id order, so that steps over overlapping batches wait for one another instead of deadlocking.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, select
from uuid_utils.compat import uuid7

from pipeline import bulk, ledger
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import COLUMNS, DetailValue, Entry, row
from pipeline.db import Database, utc_now
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from pipeline.models import AuditEvent, AuditPending, Submission
from pipeline.status import SubmissionStatus, check_submission

SYSTEM_SERIES = "system"
_EVENT_COLUMNS = (*COLUMNS, "leaf_hash", "mac")
_CHANGE_HEADS = (
    "UPDATE submission SET audit_seq = {v}.audit_seq, status = {v}.status, status_changed_at = "
    "CASE WHEN submission.status = {v}.status THEN submission.status_changed_at ELSE {v}.changed_at END "
    "FROM {v} WHERE submission.id = {v}.id"
)
_HEAD_TYPES = {"id": "uuid", "status": "text", "audit_seq": "integer", "changed_at": "timestamptz"}


@dataclass(slots=True)
class Head:
    """A locked submission: what it is now, within this transaction."""

    submission_id: uuid.UUID
    status: SubmissionStatus
    audit_seq: int
    received_at: dt.datetime
    source: str
    changed: bool = False


@dataclass(slots=True)
class UnitOfWork:
    """What one step collects. Made by `begin`; never commits by itself."""

    connection: Connection
    actor: Actor
    keys: Keys
    request_id: str | None = None
    now: dt.datetime = field(default_factory=utc_now)
    heads: dict[uuid.UUID, Head] = field(default_factory=dict)
    fed_lanes: set[str] = field(default_factory=set)
    _rows: dict[tuple[Table, tuple[str, ...]], list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    _entries: list[Entry] = field(default_factory=list)
    _jobs: list[ledger.NewJob] = field(default_factory=list)

    def lock(self, submission_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, Head]:
        """Lock submissions until the commit, in id order, and return the heads of those that exist."""
        wanted = set(submission_ids) - self.heads.keys()
        if wanted:
            locking = _locking(self.connection.dialect.name)
            found = self.connection.execute(locking, {"ids": list(wanted)}).all()
            for id_, status, audit_seq, received_at, source in found:
                self.heads[id_] = Head(id_, SubmissionStatus(status), audit_seq, received_at, source)
        return self.heads

    def insert(self, table: Table, **columns: Any) -> None:
        """Collect a row. Rows of one table should name their columns alike: each set of names is one statement."""
        self._rows[(table, tuple(columns))].append(tuple(columns.values()))

    def add_submission(self, **columns: Any) -> Head:
        """Collect a new submission in status `received`; its first audit record must follow in this transaction."""
        head = Head(columns["id"], SubmissionStatus.RECEIVED, 0, columns["received_at"], columns["source"])
        self.heads[head.submission_id] = head
        self.insert(
            Submission.table(),
            **columns,
            status=SubmissionStatus.RECEIVED.value,
            status_changed_at=self.now,
            audit_seq=0,
        )
        return head

    def transition(
        self,
        submission_id: uuid.UUID,
        after: SubmissionStatus,
        action: Action,
        details: Mapping[Detail, DetailValue] | None = None,
        *,
        job: ClaimedJob | None = None,
        reason: str | None = None,
        health: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Change a locked submission's status and record it. Raises `TransitionNotAllowed`."""
        head = self.heads[submission_id]
        check_submission(head.status, after)
        told: dict[Detail, DetailValue] = {Detail.PREVIOUS_STATUS: head.status.value, Detail.STATUS: after.value}
        head.status = after
        self.record(submission_id, action, {**told, **(details or {})}, job=job, reason=reason, health=health)

    def record(
        self,
        submission_id: uuid.UUID | None,
        action: Action,
        details: Mapping[Detail, DetailValue] | None = None,
        *,
        job: ClaimedJob | None = None,
        reason: str | None = None,
        health: tuple[bytes, bytes] | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Collect an audit record. `health` is a ciphertext under the submission's key and a commitment to it."""
        self._entries.append(
            Entry(
                actor=actor or self.actor,
                action=action,
                submission_id=submission_id,
                occurred_at=self.now,
                request_id=self.request_id,
                job_id=job.id if job else None,
                attempt=job.attempts if job else None,
                reason=reason,
                details=details,
                health_ciphertext=health[0] if health else None,
                health_commitment=health[1] if health else None,
            )
        )

    def enqueue(
        self, lane: str, target_id: uuid.UUID, submission_id: uuid.UUID | None, delay_seconds: float = 0.0
    ) -> None:
        """Ask for work. Asking for what is already there makes sure that it is done again after now."""
        head = self.heads.get(submission_id) if submission_id else None
        self._jobs.append(
            ledger.NewJob(lane, target_id, submission_id, delay_seconds, source=head.source if head else "")
        )

    def flush(self) -> None:
        """Write all that was collected so far."""
        numbered = self._number_entries()
        heads = self._change_of_heads()
        jobs = ledger.merged(self._jobs)
        asking = ledger.asking(self.connection, jobs)
        bulk.write_all(self.connection, [heads, *self._in_dependency_order(), *_records(numbered), asking])
        self.fed_lanes |= ledger.fed(jobs)
        self._rows.clear()
        self._jobs.clear()

    def discard(self) -> None:
        """Forget what was collected and locked, after the transaction (or savepoint) was rolled back."""
        self._rows.clear()
        self._entries.clear()
        self._jobs.clear()
        self.heads.clear()

    def _number_entries(self) -> list[tuple[Any, ...]]:
        self.lock(entry.submission_id for entry in self._entries if entry.submission_id is not None)
        system = [entry for entry in self._entries if entry.submission_id is None]
        system_seq = self._advance_system_series(len(system)) if system else 0
        numbered = []
        for entry in self._entries:
            if entry.submission_id is None:
                system_seq += 1
                seq = system_seq
            else:
                head = self.heads[entry.submission_id]
                head.audit_seq += 1
                head.changed = True
                seq = head.audit_seq
            numbered.append(row(entry, uuid7(), seq, self.keys.authenticate))
        self._entries.clear()
        return numbered

    def _advance_system_series(self, by: int) -> int:
        """Take `by` numbers of the series of records about no submission; the number before the first of them."""
        found = bulk.fetch(
            self.connection,
            "INSERT INTO audit_series (name, seq) SELECT name, step FROM v WHERE true "
            "ON CONFLICT (name) DO UPDATE SET seq = audit_series.seq + excluded.seq RETURNING seq",
            {"name": "text", "step": "integer"},
            [(SYSTEM_SERIES, by)],
        )
        last: int = found[0][0]
        return last - by

    def _change_of_heads(self) -> bulk.Change:
        new = self._new_heads()
        changed = [
            (head.submission_id, head.status.value, head.audit_seq, self.now)
            for head in self.heads.values()
            if head.changed and head.submission_id not in new
        ]
        for head in self.heads.values():
            head.changed = False
        return bulk.Change(_CHANGE_HEADS, _HEAD_TYPES, changed)

    def _new_heads(self) -> set[uuid.UUID]:
        """Finish the collected rows of new submissions, which carry their numbers from the start."""
        new = set()
        for (table, columns), rows in self._rows.items():
            if table is Submission.table():
                places = {name: columns.index(name) for name in ("id", "status", "audit_seq")}
                for index, values in enumerate(rows):
                    head = self.heads[values[places["id"]]]
                    changed = list(values)
                    changed[places["status"]], changed[places["audit_seq"]] = head.status.value, head.audit_seq
                    rows[index] = tuple(changed)
                    new.add(head.submission_id)
        return new

    def _in_dependency_order(self) -> Iterator[bulk.Change]:
        order = _places_of_tables()
        for table, columns in sorted(self._rows, key=lambda key: order[key[0]]):
            yield bulk.insertion(table, columns, self._rows[table, columns])


@cache
def _locking(dialect: str) -> Select[uuid.UUID, str, int, dt.datetime, str]:
    return (
        select(Submission.id, Submission.status, Submission.audit_seq, Submission.received_at, Submission.source)
        .where(bulk.is_one_of(dialect, Submission.id, "ids"))
        .order_by(Submission.id)
        .with_for_update(key_share=True)
    )


@cache
def _places_of_tables() -> Mapping[Table, int]:
    """Each table after those that it refers to."""
    return {table: place for place, table in enumerate(Submission.metadata.sorted_tables)}


def _records(rows: Sequence[tuple[Any, ...]]) -> Sequence[bulk.Change]:
    """Audit records, each of which waits for the sequencer from now on."""
    waiting = [row[:1] for row in rows]
    return [
        bulk.insertion(AuditEvent.table(), _EVENT_COLUMNS, rows),
        bulk.insertion(AuditPending.table(), ("event_id",), waiting),
    ]


@contextmanager
def begin(database: Database, keys: Keys, actor: Actor, request_id: str | None = None) -> Iterator[UnitOfWork]:
    """A transaction that flushes and commits when the block ends well, and leaves nothing when it does not.

    `fed_lanes` of the yielded unit of work says afterwards which lanes have new work to be woken for.
    """
    with database.write() as connection:
        unit = UnitOfWork(connection, actor, keys, request_id)
        yield unit
        unit.flush()
