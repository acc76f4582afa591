import datetime as dt
import random
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from pipeline import ledger
from pipeline.audit.anchors import DIRECTORY, note_problem, open_anchors, read_anchored
from pipeline.audit.checkpoints import Sound, check_sound
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.record import MAC_BYTES
from pipeline.audit.sequencer import Sequencer
from pipeline.audit.signing import LogSigner, load_signer
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.keys import KeyProblem
from pipeline.lane_names import SEQUENCE_LANE
from pipeline.models import AuditCheckpoint, AuditEvent, AuditLog, AuditPending, AuditTile
from tests.support.installations import Installation
from tests.support.log import check_log, record, sequence, sequenced, sequencer
from tests.support.racing import at_once
from tests.support.submissions import person, submit
from tests.support.work import count, drain, table

UNLOCK = {
    "sqlite": [f"DROP TRIGGER audit_event_refuses_{change}" for change in ("update", "delete")]
    + ["DROP TRIGGER audit_tile_only_grows"],
    "postgresql": ["ALTER TABLE audit_event DISABLE TRIGGER USER", "ALTER TABLE audit_tile DISABLE TRIGGER USER"],
}


def problem(context: Context) -> str | None:
    with context.database.read() as connection:
        return read_anchored(connection)[DIRECTORY].problem


def test_every_record_becomes_a_leaf_and_a_checkpoint_covers_it(context: Context) -> None:
    for number in range(2):
        submit(context, person(number))
    drain(context)
    first = sequence(context)
    record(context, None)
    second = sequence(context)
    assert first is not None
    assert second is not None
    assert second.size == first.size + 1
    assert sequence(context) is None
    assert not table(context.database, AuditPending.table())
    check_log(context)


@pytest.mark.parametrize("about_none", [True, False])
def test_numbers_decide_the_order_where_clocks_disagree(
    context: Context, monkeypatch: pytest.MonkeyPatch, *, about_none: bool
) -> None:
    """Machines whose clocks are ahead of each other write one series, and batches end in the middle of it."""
    about = None if about_none else submit(context).submission_id
    ids = [uuid7() for _ in range(12)]
    random.Random(5).shuffle(ids)
    with monkeypatch.context() as patch:
        for event_id in ids:
            patch.setattr("pipeline.unit_of_work.uuid7", lambda event_id=event_id: event_id)
            record(context, about)
    running = sequencer(context)
    running._batch = 3
    sizes = []
    while added := running.turn():
        sizes.append(added)
    assert len(sizes) > 1, "nothing of it would show if one turn took them all"
    running.sign()
    check_log(context)


def test_two_sequencers_and_several_writers_leave_no_gap_and_no_repeat(
    postgresql_installation: Installation,
) -> None:
    contexts = [postgresql_installation.context() for _ in range(4)]
    submissions = [submit(contexts[0], person(number)).submission_id for number in range(5)]

    def act(number: int) -> int:
        context = contexts[number]
        if number < 2:
            chosen = random.Random(number)
            for _ in range(25):
                record(context, *chosen.sample([*submissions, None], 3))
            return 0
        running = sequencer(context)
        running._batch = 7
        return sum(running.turn() for _ in range(40))

    added = at_once(4, act)
    assert all(added[2:]), "each of them had a part in it"
    assert sequence(contexts[0]) is not None
    check_log(contexts[0])


def test_writers_over_overlapping_submissions_never_deadlock(postgresql_installation: Installation) -> None:
    """There is no chain through all records: those of one batch wait for one commit, in one order."""
    context = postgresql_installation.context()
    submissions = [submit(context, person(number)).submission_id for number in range(6)]

    def act(number: int) -> int:
        chosen = random.Random(number)
        for _ in range(20):
            record(context, *chosen.choices([*submissions, None, None], k=5))
        return number

    before = count(context.database, AuditEvent.table())
    assert at_once(6, act) == list(range(6))  # a deadlock would be raised by one of them
    assert count(context.database, AuditEvent.table()) == before + 6 * 20 * 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE audit_event SET actor = 'staff:nobody' WHERE seq = 3", "its columns do not match its leaf hash"),
        ("DELETE FROM audit_event WHERE seq = 3", "the record is not there"),
        ("UPDATE audit_event SET mac = leaf_hash WHERE seq = 3", "its MAC is not ours"),
    ],
)
def test_a_record_that_is_not_as_written_is_refused_and_the_others_go_on(
    context: Context, change: str, reason: str
) -> None:
    sequence(context)
    submission_id = submit(context).submission_id
    record(context, *[submission_id] * 4)
    (bad,) = [
        row.id
        for row in table(context.database, AuditEvent.table())
        if (row.submission_id, row.seq) == (submission_id, 3)
    ]
    with context.database.write() as connection:
        for statement in UNLOCK[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        where = str(bad) if context.database.is_postgresql else bad.hex
        connection.exec_driver_sql(f"{change} AND id = '{where}'")
    checkpoint = sequence(context)
    assert checkpoint is not None
    assert [(row.event_id, row.refused) for row in table(context.database, AuditPending.table())] == [(bad, reason)]
    assert bad not in sequenced(context.database)
    assert sequencer(context).turn() == 0
    record(context, submission_id)
    assert sequencer(context).turn() == 1


def test_what_the_log_has_already_is_not_taken_again(context: Context) -> None:
    submit(context)
    sequence(context)
    with context.database.write() as connection:
        again = connection.exec_driver_sql("INSERT INTO audit_pending (event_id) SELECT id FROM audit_event").rowcount
    record(context, None)
    running = sequencer(context)
    assert running.turn() == 1
    running.sign()
    check_log(context)
    refused = [row.refused for row in table(context.database, AuditPending.table())]
    assert refused == ["it is in the log already"] * again


def test_what_a_keyset_did_not_know_is_taken_by_one_that_does(context: Context) -> None:
    """At the start of each process: the one that refused it may have had an older keyset."""
    sequence(context)
    record(context, None)
    stale = sequencer(context)
    stale._keys = replace(context.keys, is_authentic=lambda *_: False)
    assert stale.turn() == 0
    assert [row.refused for row in table(context.database, AuditPending.table())] == ["its MAC is not ours"]
    assert sequencer(context).turn() == 1
    record(context, None)
    stale._keys = replace(stale._keys, record_fingerprints=lambda: frozenset({"another"}))
    assert stale.turn() == 0
    assert [row.refused for row in table(context.database, AuditPending.table())] == [None], "it cannot tell"
    assert "the audit keyset here is not the database's" in (problem(context) or "")
    assert sequence(context) is not None
    assert problem(context) is None
    check_log(context)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO audit_pending (event_id) VALUES ('zz')",
        "INSERT INTO audit_pending (event_id) SELECT upper(id) FROM audit_event WHERE id <> upper(id) LIMIT 1",
        "INSERT INTO audit_pending (event_id) VALUES (x'ff')",
        f"UPDATE audit_event SET mac = '{'x' * MAC_BYTES}'",
        "UPDATE audit_event SET leaf_hash = 'text of no bytes'",
        "UPDATE audit_event SET details = x'ff', seq = 'text'",
    ],
)
def test_what_sqlite_keeps_in_the_wrong_type_is_refused_and_the_others_go_on(
    sqlite_context: Context, change: str
) -> None:
    bad = ""
    if change.startswith("UPDATE"):
        record(sqlite_context, None)
        sequence(sqlite_context)
        record(sqlite_context, None)
        bad = " WHERE id = (SELECT event_id FROM audit_pending)"
    with sqlite_context.database.write() as connection:
        for statement in UNLOCK["sqlite"]:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(change + bad)
    record(sqlite_context, None)
    assert sequence(sqlite_context) is not None
    with sqlite_context.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(refused), count(*) FROM audit_pending").one() == (1, 1)
    assert problem(sqlite_context) is None


def test_a_turn_that_fails_is_told_and_not_tried_at_once_and_the_rest_is_signed(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(context, None)
    running = sequencer(context)
    assert running.turn()
    record(context, None)
    tries = []

    def fail(*_: object) -> None:
        tries.append(1)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.audit.sequencer.read_batch", fail)
        running.look()
        running.look()
        assert problem(context) == "the log cannot grow: a turn fails (ZeroDivisionError); the process's log says where"
        assert len(tries) == 1
    assert count(context.database, AuditCheckpoint.table()) == 1, "what is in the log"
    sequence(context)
    assert problem(context) is None
    check_log(context)


def test_a_tile_that_is_missing_is_noticed_before_anything_is_read(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(context, None)
    sequence(context)
    with context.database.write() as connection:
        for statement in UNLOCK[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("UPDATE audit_tile SET hashes = event_ids")
    record(context, None)
    monkeypatch.setattr("pipeline.audit.sequencer.read_batch", None)
    sequencer(context).look()
    assert "the log cannot grow: the last tile of level 0 does not have the" in (problem(context) or "")


def test_a_look_asks_for_another_while_batches_are_full(sqlite_context: Context) -> None:
    sequence(sqlite_context)
    record(sqlite_context, *[None] * 5)
    running = sequencer(sqlite_context)
    running._batch = 2
    assert [running.look() for _ in range(4)] == [True, True, False, False]


def test_a_key_that_nobody_could_check_does_not_sign(sqlite_context: Context) -> None:
    sequencer(sqlite_context)
    other = LogSigner([Ed25519PrivateKey.generate()])
    with pytest.raises(KeyProblem, match="lacks a key that signs"):
        Sequencer(sqlite_context, other, open_anchors(sqlite_context.settings))


def test_a_log_that_is_not_what_was_anchored_is_not_signed_and_grows_on(context: Context) -> None:
    submit(context)
    checkpoint = sequence(context)
    assert checkpoint is not None
    with context.database.write() as connection:
        for statement in UNLOCK[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        hashes = bytearray(connection.exec_driver_sql("SELECT hashes FROM audit_tile").scalar_one())
        hashes[40] ^= 1
        connection.execute(AuditTile.table().update().values(hashes=bytes(hashes)))
    record(context, None)
    running = sequencer(context)
    assert running.turn() == 1
    assert running.sign() is None
    told = f"the first {checkpoint.size} leaves are not those of the last checkpoint in the database"
    assert problem(context) == told
    assert count(context.database, AuditCheckpoint.table()) == 1


def test_what_says_in_the_anchors_place_that_it_is_ours_is_not_believed(sqlite_context: Context) -> None:
    submit(sqlite_context)
    checkpoint = sequence(sqlite_context)
    assert checkpoint is not None
    (folder,) = sqlite_context.settings.effective_anchor_dir.iterdir()
    (anchored,) = folder.iterdir()
    note = anchored.read_text("utf-8")
    forged = note.replace(f"\n{checkpoint.size}\n", f"\n{checkpoint.size + 1}\n")
    (folder / f"{checkpoint.size + 1:020}.checkpoint").write_text(forged, "utf-8")
    record(sqlite_context, None)
    record(sqlite_context, None)
    assert sequence(sqlite_context) is None
    assert problem(sqlite_context) == (
        "the highest checkpoint in the anchor directory is not ours: its signature is not by the key it names"
    )


def test_without_its_anchor_nothing_is_signed_and_later_it_is(sqlite_installation: Installation) -> None:
    place = sqlite_installation.folder / "share"
    context = sqlite_installation.context(anchor_dir=place)
    assert sequence(context) is None
    told = f"the anchor directory cannot be used: {place} is not there: is the share mounted?"
    assert problem(context) == told
    place.write_text("not a folder")
    assert sequence(context) is None
    assert problem(context) == "the anchor directory cannot be used: Not a directory"
    assert not count(context.database, AuditCheckpoint.table())
    place.unlink()
    place.mkdir()
    assert sequence(context) is not None
    assert problem(context) is None
    check_log(context)
    away = place.rename(place.with_name("away"))
    record(context, None)
    assert sequence(context) is None
    assert not place.exists(), "a folder where the share is not mounted would be a place to lose checkpoints in"
    assert problem(context) == told
    away.rename(place)
    assert sequence(context) is not None
    assert problem(context) is None
    check_log(context)


def test_while_the_anchor_lacks_what_it_was_given_nothing_is_signed(context: Context) -> None:
    first = sequence(context)
    assert first is not None
    record(context, None)
    folder = context.settings.effective_anchor_dir
    away = folder.rename(folder.with_name("away"))
    for made in (False, True):
        if made:
            folder.mkdir()
        assert sequence(context) is None
        assert (problem(context) or "").startswith(
            f"the anchor directory lacks the checkpoint of {first.size} leaves that it was given: put its files back"
        )
    folder.rmdir()
    away.rename(folder)
    assert sequence(context) is not None
    assert problem(context) is None
    check_log(context)


def test_while_one_signs_the_log_is_nobody_elses(postgresql_context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    record(postgresql_context, None)
    one, other = sequencer(postgresql_context), sequencer(postgresql_context)
    one.turn()
    record(postgresql_context, None)
    meanwhile: list[object] = []

    def check(*of: Any) -> Sound:
        monkeypatch.undo()
        meanwhile.extend([other.turn(), other.sign()])
        return check_sound(*of)

    monkeypatch.setattr("pipeline.audit.sequencer.check_sound", check)
    assert one.sign() is not None
    assert meanwhile == [0, None]
    assert sequence(postgresql_context) is not None
    check_log(postgresql_context)


def test_a_problem_that_is_gone_is_not_told_any_more(sqlite_context: Context) -> None:
    sequence(sqlite_context)
    with sqlite_context.database.write() as connection:
        note_problem(connection, DIRECTORY, 1, "the share was away")
    sequencer(sqlite_context).look()
    assert problem(sqlite_context) is None


def test_news_is_signed_for_in_the_time_that_is_promised_and_not_more_often(installation: Installation) -> None:
    """By a clock of the test's own, looked at every half second as a worker does."""
    seconds = 20
    context = installation.context(checkpoint_seconds=seconds)
    clock = [utc_now()]
    folder = context.settings.effective_keys_dir
    sequencer(context)
    running = Sequencer(context, load_signer(folder), open_anchors(context.settings), lambda: clock[0])
    news = {0, 1, 2, 37, 38, 39, 40, 41, 79, 80, 118, 160, 161}
    waiting: list[dt.datetime] = []
    longest, signed = dt.timedelta(0), 0
    for look in range(210):
        if look in news:
            record(context, None)
            waiting.append(clock[0])
        with context.database.read() as connection:
            before = latest_checkpoint(connection, 1)
        running.look()
        with context.database.read() as connection:
            after = latest_checkpoint(connection, 1)
            current = current_log(connection)
        if after != before:
            assert after is not None
            assert current is not None
            assert after.size == current.size
            longest = max([longest, *(clock[0] - at for at in waiting)])
            waiting.clear()
            signed += 1
        clock[0] += dt.timedelta(seconds=0.5)
    assert not waiting
    assert dt.timedelta(seconds=10) < longest <= dt.timedelta(seconds=seconds)
    assert signed <= 210 * 0.5 / (seconds - 0.5) + 1


def test_a_checkpoint_from_the_future_does_not_put_the_next_one_off(sqlite_context: Context) -> None:
    folder, anchors = sqlite_context.settings.effective_keys_dir, open_anchors(sqlite_context.settings)
    sequencer(sqlite_context)
    ahead = Sequencer(sqlite_context, load_signer(folder), anchors, lambda: utc_now() + dt.timedelta(hours=1))
    ahead.look()
    record(sqlite_context, None)
    right = sequencer(sqlite_context)
    right.look()
    check_log(sqlite_context)


def test_while_the_lane_rests_nothing_is_done(sqlite_context: Context) -> None:
    with sqlite_context.database.write() as connection:
        ledger.pause(connection, SEQUENCE_LANE, "maintenance", None)
    running = sequencer(sqlite_context)
    running.look()
    running.close()
    assert not count(sqlite_context.database, AuditLog.table())
    with sqlite_context.database.write() as connection:
        ledger.resume(connection, SEQUENCE_LANE)
    running.close()
    check_log(sqlite_context)


def test_a_tile_only_grows(context: Context) -> None:
    sequence(context)
    for change in (
        "UPDATE audit_tile SET hashes = event_ids",
        "DELETE FROM audit_tile",
        "UPDATE audit_log SET size = size - 1",
        "UPDATE audit_log SET opened_at = sequenced_at",
        "UPDATE audit_checkpoint SET note = ''",
    ):
        with pytest.raises(DBAPIError, match="append-only"), context.database.write() as connection:
            connection.exec_driver_sql(change)


def test_the_name_is_made_once(sqlite_context: Context) -> None:
    sequence(sqlite_context)
    record(sqlite_context, None)
    sequence(sqlite_context)
    (row,) = table(sqlite_context.database, AuditLog.table())
    assert row.number == 1
    assert row.origin.startswith("careroute-audit-")
    assert row.origin.endswith("/1")
