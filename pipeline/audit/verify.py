"""Recompute what was recorded: hash and MAC of every event, and that no number is missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from pipeline.audit.record import MAC_BYTES, leaf_hash
from pipeline.keys import Keys
from pipeline.models import AuditEvent, AuditSeries, Submission


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was recorded."""

    event_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    events: int
    findings: tuple[Finding, ...]


def verify_events(connection: Connection, keys: Keys) -> Verification:
    """Check every event's hash and MAC, and every series' numbers against its head.

    `connection` must read one snapshot: what is written meanwhile would look like a gap.
    """
    count = 0
    findings: list[Finding] = []
    numbered: dict[object, int] = {}
    events = AuditEvent.table()
    rows = connection.execution_options(yield_per=2000).execute(
        select(events).order_by(AuditEvent.submission_id, AuditEvent.seq)
    )
    for row in rows:
        count += 1
        findings.extend(_check_row(dict(row._mapping), keys))  # noqa: SLF001 - SQLAlchemy's documented row interface
        expected = numbered.get(row.submission_id, 0) + 1
        if row.seq != expected:
            findings.append(Finding(str(row.id), f"number {row.seq} where {expected} was due"))
        numbered[row.submission_id] = row.seq
    findings.extend(_check_heads(connection, numbered))
    return Verification(count, tuple(findings))


def _check_row(columns: dict[str, Any], keys: Keys) -> Iterator[Finding]:
    leaf = leaf_hash(columns)
    if leaf != columns["leaf_hash"]:
        yield Finding(str(columns["id"]), "its columns do not match its leaf hash")
    if len(columns["mac"]) != MAC_BYTES or not keys.is_authentic(leaf, columns["mac"]):
        yield Finding(str(columns["id"]), "its MAC is not ours")


def _check_heads(connection: Connection, numbered: dict[object, int]) -> Iterator[Finding]:
    for row in connection.execute(select(Submission.id, Submission.audit_seq)):
        if numbered.get(row.id, 0) != row.audit_seq:
            yield Finding(str(row.id), f"{row.audit_seq} records were written, {numbered.get(row.id, 0)} are here")
    for (seq,) in connection.execute(select(AuditSeries.seq)):
        if numbered.get(None, 0) != seq:
            yield Finding("system", f"{seq} records were written, {numbered.get(None, 0)} are here")
