import hashlib

import pytest
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from pipeline.audit.record import leaf_hash
from pipeline.audit.verify import Finding, verify_events
from pipeline.context import Context
from pipeline.db import Database
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


@pytest.mark.parametrize(
    "change",
    [
        "occurred_at = '2020-01-01 00:00:00.000000+00'",
        "actor = 'lane:nobody'",
        "action = 'page:opened'",
        "request_id = 'other'",
        "job_id = 999",
        "attempt = 9",
        "reason = 'because'",
        """details = '{"status":"rejected"}'""",
        "canonical_version = 2",
    ],
)
def test_a_changed_column_is_found(recorded: Context, change: str) -> None:
    if recorded.database.is_sqlite:
        change = change.removesuffix("+00'") + ("'" if change.endswith("+00'") else "")
    event = scored(recorded)
    tamper(recorded, f"UPDATE audit_event SET {change} WHERE action = 'submission:scored'")
    assert Finding(str(event.id), NOT_THE_COLUMNS) in findings(recorded)


def test_a_changed_row_with_a_hash_to_match_is_betrayed_by_its_code(recorded: Context) -> None:
    event = scored(recorded)
    forged = leaf_hash({**event._mapping, "actor": "lane:nobody"}).hex()
    literal = f"x'{forged}'" if recorded.database.is_sqlite else f"'\\x{forged}'"
    tamper(recorded, f"UPDATE audit_event SET actor = 'lane:nobody', leaf_hash = {literal} WHERE seq = {event.seq}")
    assert Finding(str(event.id), NOT_OUR_MAC) in findings(recorded)


@pytest.mark.parametrize("which", ["(SELECT min(seq) + 1", "(SELECT max(seq)"])
def test_a_removed_row_leaves_a_hole(recorded: Context, which: str) -> None:
    about_it = "submission_id IS NOT NULL"
    tamper(recorded, f"DELETE FROM audit_event WHERE {about_it} AND seq = {which} FROM audit_event WHERE {about_it})")
    problems = [finding.problem for finding in findings(recorded)]
    assert any("was due" in problem or "records were written" in problem for problem in problems)


def test_closing_the_hole_by_numbering_again_is_found(recorded: Context) -> None:
    event = scored(recorded)
    about_it = "submission_id IS NOT NULL"
    tamper(recorded, f"DELETE FROM audit_event WHERE {about_it} AND seq = {event.seq}")
    for seq in range(event.seq + 1, 1 + max(row.seq for row in table(recorded.database, AuditEvent.table()))):
        tamper(recorded, f"UPDATE audit_event SET seq = {seq - 1} WHERE {about_it} AND seq = {seq}")
    tamper(recorded, "UPDATE submission SET audit_seq = audit_seq - 1")
    assert NOT_THE_COLUMNS in {finding.problem for finding in findings(recorded)}


def test_a_removed_record_about_no_submission_is_missed(recorded: Context) -> None:
    tamper(recorded, "DELETE FROM audit_event WHERE submission_id IS NULL")
    assert findings(recorded) == {Finding("system", "1 records were written, 0 are here")}


CHANGES = [
    "UPDATE audit_event SET actor = 'lane:nobody'",
    "DELETE FROM audit_event",
    "INSERT INTO audit_event SELECT * FROM audit_event",
    "UPDATE provider_version SET version = version + 1",
    "DELETE FROM provider_version",
]
CHANGES_OF_ONE = {
    "postgresql": [
        "TRUNCATE audit_event",
        "TRUNCATE provider_version CASCADE",
        "INSERT INTO audit_event SELECT * FROM audit_event ON CONFLICT (id) DO UPDATE SET actor = 'lane:nobody'",
    ],
    "sqlite": [
        "REPLACE INTO audit_event SELECT * FROM audit_event",
        "UPDATE OR REPLACE audit_event SET actor = 'lane:nobody'",
        "REPLACE INTO provider_version SELECT * FROM provider_version",
    ],
}


def test_the_database_itself_refuses_to_change_what_is_on_record(database: Database) -> None:
    before = hashlib.sha256(repr(table(database, AuditEvent.table())).encode()).digest()
    for statement in CHANGES + CHANGES_OF_ONE["postgresql" if database.is_postgresql else "sqlite"]:
        with pytest.raises(DBAPIError), database.write() as connection:
            connection.exec_driver_sql(statement)
    assert hashlib.sha256(repr(table(database, AuditEvent.table())).encode()).digest() == before
