import shutil
import sqlite3
from pathlib import Path

from pipeline.audit.anchors import DIRECTORY, read_anchored
from pipeline.audit.log_state import current_log
from pipeline.context import Context
from pipeline.models import AuditCheckpoint, AuditEvent, AuditPending, AuditTile
from tests.cli.conftest import Careroute, _logging, careroute  # noqa: F401 - fixtures
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.log import check_log, record, sequence
from tests.support.submissions import submit
from tests.support.work import count, table


def back_up(context: Context, to: Path) -> None:
    with sqlite3.connect(context.settings.data_dir / SQLITE_FILE) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()


def restore(context: Context, backup: Path) -> None:
    """As an operator does: everything is stopped, and the file put in its place."""
    context.database.dispose()
    for path in context.settings.data_dir.glob(f"{SQLITE_FILE}*"):
        path.unlink()
    (context.settings.data_dir / SQLITE_FILE).write_bytes(backup.read_bytes())


def number(context: Context) -> int:
    with context.database.read() as connection:
        current = current_log(connection)
    assert current is not None
    return current.number


def problem(context: Context) -> str:
    with context.database.read() as connection:
        return read_anchored(connection)[DIRECTORY].problem or ""


def test_a_restored_backup_is_not_signed_until_a_new_log_is_opened(
    careroute: Careroute,  # noqa: F811 - a fixture
    sqlite_installation: Installation,
    tmp_path: Path,
) -> None:
    context = sqlite_installation.context()
    submission_id = submit(context).submission_id
    first = sequence(context)
    assert first is not None
    refused = careroute("audit", "reopen", "--reason", "to see what happens")
    assert refused.exit_code == 1
    assert "follows what is anchored" in refused.stderr

    back_up(context, tmp_path / "backup")
    record(context, submission_id, None)
    second = sequence(context)
    assert second is not None
    restore(context, tmp_path / "backup")
    record(context, submission_id)
    assert sequence(context) is None
    assert problem(context).startswith(
        f"the log has {first.size + 1} leaves, fewer than the {second.size} of the highest checkpoint in the anchor"
    )
    assert careroute("doctor", "--json").exit_code == 1
    tiles = count(context.database, AuditTile.table())

    assert careroute("audit", "reopen", "--reason", " ").exit_code == 2
    done = careroute("audit", "reopen", "--reason", "the disk was lost, backup of last night")
    assert done.exit_code == 0, done.stderr
    (opened,) = [row for row in table(context.database, AuditEvent.table()) if row.action == "log:opened"]
    assert (opened.actor.split(":")[0], opened.reason) == ("staff", "the disk was lost, backup of last night")
    assert f'"previous_origin":"{first.origin}"' in opened.details
    third = sequence(context)
    assert third is not None
    assert third.origin == first.origin.removesuffix("1") + "2"
    assert third.size == count(context.database, AuditEvent.table())
    check_log(context, 2)
    assert count(context.database, AuditTile.table()) == tiles + 1, "the old log is still there"
    assert [row.log for row in table(context.database, AuditCheckpoint.table())] == [1, 2]

    # The same backup again: it has never heard of log 2, which the anchors know.
    restore(context, tmp_path / "backup")
    record(context, submission_id)
    assert sequence(context) is None
    assert "log 2 was opened and anchored" in problem(context)
    assert careroute("audit", "reopen", "--reason", "the disk was lost again").exit_code == 0
    assert sequence(context) is not None
    assert number(context) == 3
    check_log(context, 3)


def test_a_new_log_is_opened_where_the_anchor_lost_what_it_had_and_takes_what_the_old_one_refused(
    careroute: Careroute,  # noqa: F811 - a fixture
    sqlite_installation: Installation,
) -> None:
    context = sqlite_installation.context()
    sequence(context)
    with context.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO audit_pending (event_id) SELECT id FROM audit_event LIMIT 1")
    sequence(context)
    assert [row.refused for row in table(context.database, AuditPending.table())] == ["it is in the log already"]
    shutil.rmtree(context.settings.effective_anchor_dir)
    assert careroute("audit", "reopen", "--reason", "the share was lost, and its backup").exit_code == 0
    assert sequence(context) is not None
    check_log(context, 2)


def test_before_the_first_record_is_in_a_log_there_is_none_to_open_again(
    careroute: Careroute,  # noqa: F811 - a fixture
    sqlite_installation: Installation,
) -> None:
    context = sqlite_installation.context()
    sequence_keys = careroute("audit", "reopen", "--reason", "a try")
    assert sequence_keys.exit_code == 1
    assert "log:opened" not in {row.action for row in table(context.database, AuditEvent.table())}
