"""Old records go to a verified file by whole tiles of the log, which verifies as before."""

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.archiving import ArchiveRefused, Stop, archive, drop, note, plan, write, youngest_allowed
from pipeline.audit.exporting import RecordDiffers
from pipeline.audit.record import LEAF_PREFIX
from pipeline.audit.verify import Resume, verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.erasure.holds import lift, place
from pipeline.models import AuditEvent
from pipeline.unit_of_work import begin
from tests.support.log import sequence, sequencer
from tests.support.submissions import submit
from tests.support.work import actions_about, count, table

STAFF = actions.staff("tests")
TILE = 256


def write_records(context: Context, number: int) -> dt.datetime:
    """Records about no submission; the moment after the last of them."""
    with begin(context.database, context.keys, STAFF) as unit:
        for _ in range(number):
            unit.record(None, Action.LANE_RESUMED, {Detail.LANE: "email"})
    return utc_now()


def findings(context: Context) -> list[str]:
    found = verify_log(
        context.database, open_evidence(context.settings, context.keys), Resume(context.settings.data_dir, False)
    )
    return [f"{each.about}: {each.problem}" for each in found.findings]


def test_whole_tiles_go_up_to_what_must_stay_and_the_log_still_verifies(context: Context, tmp_path: Path) -> None:
    then = write_records(context, 2 * TILE)
    held = submit(context)
    write_records(context, 3 * TILE)
    sequence(context)
    everything = count(context.database, AuditEvent.table())
    folder = tmp_path / "archive"

    def run(before: dt.datetime) -> tuple[int, int, Stop]:
        done = archive(context.database, context.keys, STAFF, before, folder)
        return done.first_leaf, done.end_leaf, done.stop

    assert run(then) == (0, 2 * TILE, Stop.TOO_YOUNG)
    (file,) = folder.iterdir()
    lines = file.read_bytes().splitlines()
    kept = {bytes(row.leaf_hash) for row in table(context.database, AuditEvent.table())}
    archived = {hashlib.sha256(LEAF_PREFIX + line).digest() for line in lines}
    assert (len(archived), archived & kept, file.stat().st_mode & 0o777) == (2 * TILE, set(), 0o600)
    assert count(context.database, AuditEvent.table()) == everything - 2 * TILE + 1
    assert findings(context) == []

    place(context.database, context.keys, STAFF, held.submission_id, "case-2026-14")
    assert run(utc_now()) == (2 * TILE, 2 * TILE, Stop.HELD)
    lift(context.database, context.keys, STAFF, held.submission_id, "case-2026-14")
    write_records(context, TILE)
    running = sequencer(context)
    while running.turn():
        pass
    first, end, stop = run(utc_now())
    assert (first, end % TILE, stop) == (2 * TILE, 0, Stop.NOT_ANCHORED)
    sequence(context)
    assert findings(context) == []
    assert actions_about(context, None).count("log:archived") == 2
    assert actions_about(context, held.submission_id) == ["hold:placed", "hold:lifted"], "the first went with its tile"


def test_an_archive_that_was_cut_off_is_finished_with_its_file_and_not_without(
    context: Context, tmp_path: Path
) -> None:
    write_records(context, 2 * TILE)
    sequence(context)
    with context.database.snapshot() as connection:
        found = plan(connection, utc_now())
    for _ in range(2):  # cut off before the note, it is written again
        path, digest = write(context.database, found, tmp_path)
    note(context.database, context.keys, STAFF, found, path, digest)
    elsewhere = path.rename(tmp_path / "elsewhere")
    with pytest.raises(ArchiveRefused, match="not there as it was written"):
        archive(context.database, context.keys, STAFF, utc_now(), tmp_path)
    elsewhere.rename(path)
    drop(context.database, found.log.number, 0, TILE)
    done = archive(context.database, context.keys, STAFF, utc_now(), tmp_path)
    assert (done.finished, done.file) == (found.end_leaf - TILE, None)
    sequence(context)
    assert findings(context) == []


def test_a_record_that_is_not_as_it_was_is_not_archived_and_a_younger_one_cannot_be_dropped(
    sqlite_context: Context, tmp_path: Path
) -> None:
    context = sqlite_context
    write_records(context, TILE)
    sequence(context)
    archive(context.database, context.keys, STAFF, utc_now(), tmp_path)
    write_records(context, 2 * TILE)
    sequence(context)
    with pytest.raises(DBAPIError, match="append-only"), context.database.write() as connection:
        connection.execute(delete(AuditEvent))
    with context.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_event_refuses_update")
        connection.exec_driver_sql("UPDATE audit_event SET reason = 'x' WHERE action = 'lane:resumed'")
    before = count(context.database, AuditEvent.table())
    with pytest.raises(RecordDiffers):
        archive(context.database, context.keys, STAFF, utc_now(), tmp_path)
    assert count(context.database, AuditEvent.table()) == before


def test_years_are_counted_by_the_calendar() -> None:
    day = dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC)
    assert youngest_allowed(day, 6) == dt.datetime(2022, 2, 28, 12, tzinfo=dt.UTC)
    assert youngest_allowed(day, 8) == dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)
