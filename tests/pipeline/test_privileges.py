"""Each database user can do its own work, and nothing that the matrix does not grant."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.audit import actions
from pipeline.audit.exporting import export_log
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.proving import prove, records_of
from pipeline.audit.verify.log import verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.consent.purposes import ConsentPurpose
from pipeline.consent.withdrawing import HowAsked, TakenBack, take_back_by_staff
from pipeline.context import Context
from pipeline.db import Database
from pipeline.erasure import holds
from pipeline.erasure.erasing import erase_now
from pipeline.erasure.journal import Cause
from pipeline.keys import KeyFolder
from pipeline.models import AuditPending, Base
from pipeline.privileges import PRIVILEGES, Role, missing_roles, things
from pipeline.retention import let_go
from pipeline.rewrapping import rewrap
from pipeline.schema import check_schema, migrate
from pipeline.status import SubmissionStatus
from tests.support.installations import Installation
from tests.support.log import sequence, sequencer
from tests.support.roles import as_role, database_as
from tests.support.submissions import person, submit
from tests.support.work import count, drain, run_sweep, statuses
from tests.web.real_app import RealApp


def granted(database: Database) -> dict[tuple[str, str], set[str]]:
    """(table, grantee) → privileges, as the standard's own views tell them; the owner's are left out.

    The view of columns repeats what is granted on whole tables: of it only what goes beyond that is told.
    """
    ours = "WHERE table_schema = 'public' AND grantee <> 'careroute_migrator'"
    with database.read() as connection:
        whole = connection.execute(
            text(f"SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants {ours}")
        ).all()
        columns = connection.execute(
            text(
                "SELECT table_name, grantee, privilege_type, column_name "
                f"FROM information_schema.role_column_grants {ours}"
            )
        ).all()
    found: dict[tuple[str, str], set[str]] = {}
    for table, grantee, privilege in whole:
        found.setdefault((table, grantee), set()).add(privilege)
    for table, grantee, privilege, column in columns:
        rights = found.setdefault((table, grantee), set())
        if privilege not in rights:
            rights.add(f"{privilege} ({column})")
    return found


def as_in_the_matrix() -> dict[tuple[str, str], set[str]]:
    return {
        (table, str(role)): set(rights)
        for table, by_role in PRIVILEGES.items()
        for role, rights in by_role.items()
        if rights
    }


def test_every_table_is_in_the_matrix_and_a_migrated_database_grants_that_and_no_more(
    postgresql_database: Database,
) -> None:
    assert PRIVILEGES.keys() == Base.metadata.tables.keys() | {"alembic_version"}
    assert granted(postgresql_database) == as_in_the_matrix()
    with postgresql_database.read() as connection:
        owners = connection.execute(text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"))
        assert owners.scalars().all() == [Role.MIGRATOR]
        assert missing_roles(connection) == []


def test_migrating_takes_back_what_was_granted_by_hand_and_grants_what_was_taken(
    postgresql_database: Database,
) -> None:
    with postgresql_database.write() as connection:
        for change in (
            "GRANT DELETE, TRUNCATE ON audit_event TO careroute_worker",
            "GRANT SELECT ON sealed_document TO PUBLIC",
            "REVOKE INSERT ON job FROM careroute_web",
            "REVOKE USAGE ON SEQUENCE job_id_seq FROM careroute_web",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "GRANT INSERT (refused) ON audit_pending TO careroute_web",
            "GRANT SELECT ON submission TO pg_monitor",
            "ALTER TABLE email OWNER TO careroute",
        ):
            connection.execute(text(change))
        assert {thing.name for thing in things(connection) if not thing.as_wanted} == {
            *("audit_event", "audit_pending", "sealed_document", "job", "job_id_seq", "public", "email")
        }
    migrate(postgresql_database)
    assert granted(postgresql_database) == {**as_in_the_matrix(), ("submission", "pg_monitor"): {"SELECT"}}
    with postgresql_database.read() as connection:
        assert [thing.name for thing in things(connection) if not thing.as_wanted] == []


REFUSED = {
    Role.WEB: (
        "UPDATE audit_event SET reason = NULL",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DELETE FROM audit_pending",
        "INSERT INTO audit_pending (event_id, refused) SELECT id, 'x' FROM audit_event",
        "SELECT hashes FROM audit_tile",
        "INSERT INTO audit_checkpoint SELECT * FROM audit_checkpoint",
        "UPDATE audit_log SET size = 0",
        "UPDATE data_key SET wrapped_key = NULL",
        "DELETE FROM data_key",
        "UPDATE sealed_document SET ciphertext = NULL",
        "DELETE FROM consent_entry",
        "UPDATE consent_entry SET decision = 'given'",
        "DELETE FROM submission",
        "INSERT INTO provider_version SELECT * FROM provider_version",
        "INSERT INTO erasure SELECT * FROM erasure",
        "DELETE FROM legal_hold",
        "INSERT INTO key_fingerprint SELECT * FROM key_fingerprint",
        "UPDATE alembic_version SET version_num = '0001'",
    ),
    Role.WORKER: (
        "UPDATE audit_event SET reason = NULL",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DELETE FROM audit_pending",
        "INSERT INTO audit_pending (event_id, refused) SELECT id, 'x' FROM audit_event",
        "UPDATE audit_pending SET refused = 'x'",
        "UPDATE audit_log SET size = 0",
        "INSERT INTO audit_log SELECT * FROM audit_log",
        "UPDATE audit_tile SET hashes = ''",
        "INSERT INTO audit_checkpoint SELECT * FROM audit_checkpoint",
        "INSERT INTO audit_archive SELECT * FROM audit_archive",
        "UPDATE audit_anchoring SET problem = NULL",
        "UPDATE consent_entry SET decision = 'given'",
        "DELETE FROM consent_entry",
        "DELETE FROM erasure",
        "UPDATE activity_review SET finding = 'nothing_unusual'",
        "DELETE FROM submission",
        "TRUNCATE job",
        "DROP TABLE job",
        "ALTER TABLE audit_event DISABLE TRIGGER USER",
        "CREATE TABLE mine (id integer)",
        "UPDATE alembic_version SET version_num = '0001'",
    ),
    Role.SEQUENCER: (
        "INSERT INTO audit_event SELECT * FROM audit_event",
        "UPDATE audit_event SET reason = NULL",
        "DELETE FROM audit_event",
        "INSERT INTO audit_pending SELECT * FROM audit_pending",
        "DELETE FROM audit_tile",
        "DELETE FROM audit_log",
        "UPDATE audit_checkpoint SET note = ''",
        "DELETE FROM audit_checkpoint",
        "SELECT * FROM sealed_document",
        "SELECT * FROM data_key",
        "SELECT * FROM submission",
        "SELECT * FROM email",
        "SELECT * FROM person_index",
        "SELECT * FROM job",
    ),
    Role.AUDITOR: (
        "INSERT INTO audit_event SELECT * FROM audit_event",
        "DELETE FROM audit_event",
        "SELECT * FROM sealed_document",
        "SELECT * FROM data_key",
        "SELECT * FROM person_index",
        "SELECT * FROM job",
        "SELECT * FROM one_time_code",
        "SELECT * FROM secure_session",
        "SELECT * FROM provider_match",
        "UPDATE submission SET status = 'erased'",
        "DELETE FROM audit_anchoring",
    ),
}


@pytest.mark.parametrize("role", REFUSED)
def test_what_a_group_must_never_do_the_server_refuses(postgresql_database: Database, role: Role) -> None:
    database = database_as(postgresql_database.url, role)
    check_schema(database)
    with database.writer.connect() as connection:
        for statement in REFUSED[role]:
            # Not by a trigger, which whoever owns the table can switch off.
            with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                connection.execute(text(statement))
            connection.rollback()


def test_a_worker_and_staff_beside_it_do_all_they_have_to(postgresql_context: Context) -> None:
    """Pages are tested one by one as the web process's user: tests/web/real_app.py."""
    context, staff = as_role(postgresql_context, Role.WORKER), actions.staff("tests")
    first, second = (submit(postgresql_context, person(number)).submission_id for number in (0, 1))
    assert drain(context) > 0
    run_sweep(context)
    assert take_back_by_staff(context, staff, first, TakenBack(ConsentPurpose.SHARE), HowAsked.PHONE)
    drain(context)
    assert holds.place(context.database, context.keys, staff, second, "case-1")
    assert holds.lift(context.database, context.keys, staff, second, "case-1")
    rewrap(context.database, context.keys, staff, KeyFolder(context.settings.effective_keys_dir))
    erase_now(context, staff, [first, second], Cause.REQUEST)
    let_go(context, staff)
    drain(context)
    assert statuses(postgresql_context) == {SubmissionStatus.ERASED: 2}


def test_the_web_process_tells_how_everything_stands(postgresql_installation: Installation) -> None:
    context = postgresql_installation.context(metrics_token="figures")
    submit(context)
    drain(context)
    sequence(context)
    client = RealApp(context).client
    assert client.get("/readyz").status_code == 200
    told = client.get("/metrics", headers={"authorization": "Bearer figures"})
    assert (told.status_code, "careroute_jobs" in told.text) == (200, True)


def test_the_sequencer_works_as_its_own_user(postgresql_context: Context) -> None:
    submit(postgresql_context)
    drain(postgresql_context)
    context = as_role(postgresql_context, Role.SEQUENCER)
    checkpoint = sequence(context)
    assert checkpoint is not None
    assert checkpoint.size > 0
    assert count(postgresql_context.database, AuditPending.table()) == 0
    sequencer(context).close()


def test_an_auditor_verifies_proves_and_exports_without_a_key(postgresql_context: Context, tmp_path: Path) -> None:
    submission_id = submit(postgresql_context).submission_id
    drain(postgresql_context)
    assert sequence(postgresql_context) is not None
    settings, database = postgresql_context.settings, as_role(postgresql_context, Role.AUDITOR).database
    verified = verify_log(database, open_evidence(settings, None))
    assert (verified.findings_count, verified.anchored_size) == (0, verified.size)
    with database.snapshot() as connection:
        log = current_log(connection)
        assert log is not None
        checkpoint = latest_checkpoint(connection, log.number)
        assert checkpoint is not None
        events = records_of(connection, str(submission_id))
        assert prove(connection, log, checkpoint, events[0]).leaf < verified.size
    assert export_log(database, log, checkpoint, tmp_path / "export").records == verified.size
