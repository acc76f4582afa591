"""What was done, read from the database: the two sides must have done the same, completely."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from bench import people
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.models import AuditEvent, Base, Email, ProviderLoad, Referral, Submission

_ENGINE_TABLES = frozenset({"job", "dead_job", "lane_pause", "heartbeat", "key_fingerprint"})
"""What Careroute's queue keeps in the database; the textbook's is in the broker."""

_LOG_TABLES = frozenset({"audit_pending", "audit_log", "audit_tile", "audit_checkpoint", "audit_anchoring"})
"""What the sequencer keeps, which the textbook has none of."""


@dataclass(frozen=True, slots=True)
class Work:
    """Rows by table, and how many of each status and action. `findings` are of the audit's verification."""

    rows: Mapping[str, int]
    submissions: Mapping[str, int]
    emails: Mapping[tuple[str, str], int]
    referrals: Mapping[str, int]
    actions: Mapping[str, int]
    capacity_taken: int
    findings: int

    def faults(self, people_count: int) -> Iterator[str]:
        """What is missing or too much after `people_count` submissions."""
        if self.submissions != {"candidate": people_count}:
            yield f"submissions by status: {dict(self.submissions)}"
        if self.referrals != {"offered": people_count * people.OFFERS_PER_PERSON}:
            yield f"referrals by status: {dict(self.referrals)}"
        expected = {
            ("confirmation", "handed_over"): people_count,
            ("recommendation", "handed_over"): people_count,
            ("referral", "handed_over"): people_count * people.OFFERS_PER_PERSON,
        }
        if self.emails != expected:
            yield f"emails by kind and status: {dict(self.emails)}"
        about_people = sum(count for action, count in self.actions.items() if not action.startswith("providers:"))
        if about_people != people_count * people.RECORDS_PER_PERSON:
            yield f"audit records by action: {dict(self.actions)}"
        if self.findings:
            yield f"{self.findings} audit records do not verify"


def read_work(context: Context) -> Work:
    """Count it all, and verify every audit record."""
    with context.database.snapshot() as connection:
        taken = select(func.coalesce(func.sum(ProviderLoad.open_referrals), 0))
        return Work(
            rows={
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in Base.metadata.sorted_tables
                if table.name not in _ENGINE_TABLES | _LOG_TABLES
            },
            submissions=_by(connection, Submission.status),
            emails=_by_two(connection, Email.kind, Email.status),
            referrals=_by(connection, Referral.status),
            actions=_by(connection, AuditEvent.action),
            capacity_taken=connection.execute(taken).scalar_one(),
            findings=len(verify_events(connection, context.keys).findings),
        )


def _by(connection: Connection, column: object) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).group_by(column))  # type: ignore[call-overload]
    return {row[0]: row[1] for row in rows}


def _by_two(connection: Connection, first: object, second: object) -> dict[tuple[str, str], int]:
    rows = connection.execute(select(first, second, func.count()).group_by(first, second))  # type: ignore[call-overload]
    return {(row[0], row[1]): row[2] for row in rows}
