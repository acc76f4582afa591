"""Records checked one by one, as before the first checkpoint; with a log, test_tampering.py."""

import pytest
from sqlalchemy import Row

from pipeline.audit.record import leaf_hash
from pipeline.audit.verify import Finding, verify_events
from pipeline.context import Context
from pipeline.models import AuditEvent
from tests.support.submissions import submit
from tests.support.work import drain, table

UNLOCK = {
    "sqlite": ["DROP TRIGGER audit_event_refuses_update", "DROP TRIGGER audit_event_refuses_delete"],
    "postgresql": ["ALTER TABLE audit_event DISABLE TRIGGER USER"],
}
NOT_THE_COLUMNS = "its columns do not match its leaf hash"
NOT_OUR_MAC = "its MAC is not ours"


@pytest.fixture
def recorded(context: Context) -> Context:
    """A submission that went all the way, and an audit table that an attacker has unlocked."""
    submit(context)
    drain(context)
    with context.database.write() as connection:
        for statement in UNLOCK[connection.dialect.name]:
            connection.exec_driver_sql(statement)
    return context


def findings(context: Context) -> set[Finding]:
    with context.database.snapshot() as connection:
        return set(verify_events(connection, context.keys).findings)


def tamper(context: Context, statement: str) -> None:
    with context.database.write() as connection:
        assert connection.exec_driver_sql(statement).rowcount >= 1


def scored(context: Context) -> Row[tuple[object, ...]]:
    (event,) = [row for row in table(context.database, AuditEvent.table()) if row.action == "submission:scored"]
    return event


def test_what_nobody_touched_is_in_order(recorded: Context) -> None:
    with recorded.database.snapshot() as connection:
        verification = verify_events(connection, recorded.keys)
    assert verification.findings == ()
    assert verification.events == len(table(recorded.database, AuditEvent.table())) > 15


def test_a_changed_row_is_betrayed_by_its_hash_and_with_a_hash_to_match_by_its_code(recorded: Context) -> None:
    event = scored(recorded)
    tamper(recorded, f"UPDATE audit_event SET actor = 'lane:nobody' WHERE seq = {event.seq}")
    assert Finding(str(event.id), NOT_THE_COLUMNS) in findings(recorded)
    forged = leaf_hash({**event._mapping, "actor": "lane:nobody"}).hex()
    literal = f"x'{forged}'" if recorded.database.is_sqlite else f"'\\x{forged}'"
    tamper(recorded, f"UPDATE audit_event SET leaf_hash = {literal} WHERE seq = {event.seq}")
    assert Finding(str(event.id), NOT_OUR_MAC) in findings(recorded)


def test_before_there_is_a_log_a_removed_row_leaves_a_hole(recorded: Context) -> None:
    about_it = "submission_id IS NOT NULL"
    last = max(row.seq for row in table(recorded.database, AuditEvent.table()) if row.submission_id)
    tamper(recorded, f"DELETE FROM audit_event WHERE {about_it} AND seq = 2")
    assert any("was due" in finding.problem for finding in findings(recorded))
    tamper(recorded, f"DELETE FROM audit_event WHERE {about_it} AND seq = {last}")
    assert any("records were written" in finding.problem for finding in findings(recorded))


def test_a_removed_record_about_no_submission_is_missed(recorded: Context) -> None:
    tamper(recorded, "DELETE FROM audit_event WHERE submission_id IS NULL")
    assert findings(recorded) == {Finding("system", "1 records were written, 0 are here")}
