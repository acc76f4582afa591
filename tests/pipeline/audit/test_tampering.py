"""What somebody with every right to the database can do, and that it is found: from each column to the whole database.

The honest window is tested from both sides: after the last anchored checkpoint, who also has the application's keysets
is not found out. Everything before it is safe from them too.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, insert, select, update

from pipeline.audit.anchors import open_anchors
from pipeline.audit.notes import Checkpoint, sign_checkpoint
from pipeline.audit.record import COLUMNS
from pipeline.audit.sequencer import Sequencer
from pipeline.audit.signing import load_signer
from pipeline.audit.tiles import Leaf, stored_tiles
from pipeline.audit.verify import Verification, verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.db import utc_now
from pipeline.models import (
    AuditCheckpoint,
    AuditEvent,
    AuditLog,
    AuditPending,
    AuditSeries,
    AuditTile,
    Submission,
)
from tests.pipeline.audit.attacker import Attacker, another
from tests.pipeline.audit.conftest import Evidence
from tests.support.log import sequencer

VICTIM = 10
"""A leaf that both checkpoints cover. Its record is about a submission, done by a lane, with a job."""

CANONICAL = sorted(set(COLUMNS) - {"id"})


def verified(evidence: Evidence) -> Verification:
    return verify_log(evidence.context.database, open_evidence(evidence.context.settings, evidence.context.keys))


def victim(evidence: Evidence, leaf: int = VICTIM) -> dict[str, Any]:
    return evidence.attacker.records()[leaf]


def forged_column(record: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Another value for a column; one that is empty gets a value."""
    empty = {"request_id": "x", "reason": "x", "health_ciphertext": b"x", "health_commitment": b"x"}
    return {column: empty.get(column, 1) if record[column] is None else another(record[column])}


def test_what_nobody_touched_is_in_order(evidence: Evidence) -> None:
    found = verified(evidence)
    assert found.findings == ()
    assert (found.signed_size, found.anchored_size, found.checkpoints) == (evidence.anchored_size,) * 2 + (2,)
    assert (found.size, found.pending) == (evidence.anchored_size + 3, 1)
    assert found.events == found.size + 1


@pytest.mark.parametrize("column", [*CANONICAL, "leaf_hash", "mac"])
def test_a_changed_column_is_found_and_the_record_is_named(evidence: Evidence, column: str) -> None:
    record = victim(evidence)
    evidence.attacker.edit(record, **forged_column(record, column))
    first = verified(evidence).findings[0]
    assert (first.leaf, first.about) == (VICTIM, str(record["id"]))


@pytest.mark.parametrize("evidence", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", CANONICAL)
def test_with_leaf_hash_and_code_made_anew_the_log_still_has_what_was_written(evidence: Evidence, column: str) -> None:
    record = victim(evidence)
    evidence.attacker.edit(record, with_keys=True, **forged_column(record, column))
    first = verified(evidence).findings[0]
    assert (first.leaf, first.about) == (VICTIM, str(record["id"]))


@pytest.mark.parametrize("column", ["actor", "occurred_at", "details"])
def test_with_all_tiles_made_anew_as_well_the_signature_is_against_it(evidence: Evidence, column: str) -> None:
    """Nothing in the database disagrees any more. The first checkpoint that covers the record says between which."""
    record = victim(evidence)
    evidence.attacker.edit(record, with_keys=True, **forged_column(record, column))
    evidence.attacker.rebuild_from_records()
    found = verified(evidence)
    assert found.findings[0].leaf == 0
    assert f"one of the leaves 0 (record {victim(evidence, 0)['id']}) to {evidence.first_size - 1}" in str(
        found.findings
    )
    assert (found.signed_size, found.anchored_size) == (0, 0)


def test_a_later_record_is_narrowed_down_to_what_came_after_the_checkpoint_before(evidence: Evidence) -> None:
    later = evidence.first_size + 5
    evidence.attacker.edit(victim(evidence, later), with_keys=True, actor="staff:nobody")
    evidence.attacker.rebuild_from_records()
    found = verified(evidence)
    assert found.findings[0].leaf == evidence.first_size
    assert (found.signed_size, found.anchored_size) == (evidence.first_size, evidence.first_size)


def test_a_changed_id_is_found(evidence: Evidence) -> None:
    record = victim(evidence)
    other = another(record["id"])
    evidence.attacker.edit(record, with_keys=True, id=other)
    found = verified(evidence)
    assert (found.findings[0].leaf, found.findings[0].about) == (VICTIM, str(record["id"]))
    assert str(other) in {finding.about for finding in found.findings}


def remove(attacker: Attacker) -> None:
    attacker.remove(attacker.records()[VICTIM])


def swap(attacker: Attacker) -> None:
    """Each says what the other said, under its own id."""
    one, other = attacker.records()[VICTIM : VICTIM + 2]
    for record, words in ((one, other), (other, one)):
        attacker.edit(record, with_keys=True, **{name: words[name] for name in COLUMNS if name not in {"id", "seq"}})


def swap_leaves(attacker: Attacker) -> None:
    def swapped(leaves: list[Leaf]) -> list[Leaf]:
        return [*leaves[:VICTIM], leaves[VICTIM + 1], leaves[VICTIM], *leaves[VICTIM + 2 :]]

    attacker.rebuild(swapped)


def swap_names(attacker: Attacker) -> None:
    """Two leaves name one another's records."""

    def swapped(leaves: list[Leaf]) -> list[Leaf]:
        one, other = leaves[VICTIM : VICTIM + 2]
        return [*leaves[:VICTIM], Leaf(one.hash, other.event_id), Leaf(other.hash, one.event_id), *leaves[VICTIM + 2 :]]

    attacker.rebuild(swapped)


def insert_one(attacker: Attacker) -> None:
    """With the keys, and its number as if it were the last of its submission: only the log does not have it."""
    record = attacker.records()[VICTIM]
    about = Submission.id == record["submission_id"]
    with attacker.database.read() as connection:
        seq = connection.execute(select(Submission.audit_seq).where(about)).scalar_one() + 1
    added = {**record, "id": another(record["id"])}
    attacker.execute(insert(AuditEvent).values(added))
    attacker.edit(added, with_keys=True, seq=seq)
    attacker.execute(update(Submission).where(about).values(audit_seq=seq))


def insert_into_log(attacker: Attacker) -> None:
    """The same, and put among the leaves."""
    before = {record["id"] for record in attacker.records()}
    insert_one(attacker)
    with attacker.database.read() as connection:
        rows = connection.execute(select(AuditEvent.id, AuditEvent.leaf_hash))
        waiting = set(connection.execute(select(AuditPending.event_id)).scalars())
        (new,) = [row for row in rows if row.id not in before | waiting]
    attacker.rebuild(lambda leaves: [*leaves[:VICTIM], Leaf(new.leaf_hash, new.id), *leaves[VICTIM:]])


def cut_off(attacker: Attacker) -> None:
    """Everything after leaf 30 goes, with the numbers that remember it."""
    kept = {record["id"] for record in attacker.records()[:30]}
    attacker.execute(delete(AuditEvent).where(AuditEvent.id.not_in(kept)))
    attacker.execute(delete(AuditPending))
    attacker.rebuild(lambda leaves: leaves[:30])
    for series in {record["submission_id"] for record in attacker.records()} | {None}:
        last = sum(record["submission_id"] == series for record in attacker.records())
        if series is None:
            attacker.execute(update(AuditSeries).values(seq=last))
        attacker.execute(update(Submission).where(Submission.id == series).values(audit_seq=last))
    attacker.execute(delete(AuditCheckpoint))


def truncate(attacker: Attacker) -> None:
    attacker.execute(delete(AuditEvent))


def truncate_everything(attacker: Attacker) -> None:
    for model in (AuditEvent, AuditPending, AuditTile, AuditCheckpoint, AuditLog, AuditSeries, Submission):
        attacker.execute(delete(model))


def remove_a_submission(attacker: Attacker) -> None:
    """With all its records: no number is missing, for there is nothing left to count."""
    about = attacker.records()[VICTIM]["submission_id"]
    attacker.execute(delete(AuditEvent).where(AuditEvent.submission_id == about))
    attacker.execute(delete(Submission).where(Submission.id == about))


def remove_a_submission_from_the_log(attacker: Attacker) -> None:
    remove_a_submission(attacker)
    attacker.rebuild_from_records()


@pytest.mark.parametrize(
    ("attack", "leaf"),
    [
        (remove, VICTIM),
        (swap, VICTIM),
        (swap_leaves, 0),  # consistent in itself: known from the signature only, which is over leaves from 0 on
        (swap_names, VICTIM),
        (insert_into_log, 0),
        (cut_off, 30),  # where the log ends now
        (truncate, 0),
        (remove_a_submission_from_the_log, 0),
    ],
)
def test_records_taken_away_put_in_or_moved_are_found(
    evidence: Evidence, attack: Callable[[Attacker], None], leaf: int
) -> None:
    attack(evidence.attacker)
    found = verified(evidence)
    assert found.findings[0].leaf == leaf


def test_a_removed_submission_is_named_by_its_first_record(evidence: Evidence) -> None:
    about = victim(evidence)["submission_id"]
    first = next(n for n, record in enumerate(evidence.attacker.records()) if record["submission_id"] == about)
    remove_a_submission(evidence.attacker)
    assert verified(evidence).findings[0].leaf == first


def test_a_record_beside_the_log_is_found(evidence: Evidence) -> None:
    insert_one(evidence.attacker)
    (finding,) = verified(evidence).findings
    assert finding.problem == "it is neither in the log nor waiting to be"


def test_that_everything_is_gone_shows_outside_the_database(evidence: Evidence) -> None:
    truncate_everything(evidence.attacker)
    (finding,) = verified(evidence).findings
    assert f"a checkpoint of size {evidence.anchored_size} was anchored of it" in finding.problem


def test_the_whole_database_rolled_back_to_a_copy_is_found(evidence: Evidence) -> None:
    """The copy is sound in itself, signatures and all."""
    evidence.attacker.restore(evidence.at_first)
    (finding,) = verified(evidence).findings
    assert (finding.leaf, finding.problem) == (
        evidence.first_size,
        f"the database was rolled back: its log has {evidence.first_size} leaves",
    )


def old_in_place_of_newer(attacker: Attacker) -> None:
    with attacker.database.read() as connection:
        old = connection.execute(select(AuditCheckpoint.note).order_by(AuditCheckpoint.size)).scalars().first()
    attacker.execute(update(AuditCheckpoint).values(note=old))


def newer_deleted(attacker: Attacker) -> None:
    """And the log cut to what the old one says."""
    with attacker.database.read() as connection:
        first, last = connection.execute(select(AuditCheckpoint.size).order_by(AuditCheckpoint.size)).scalars().all()
    attacker.execute(delete(AuditCheckpoint).where(AuditCheckpoint.size == last))
    attacker.rebuild(lambda leaves: leaves[:first])


def signed_by_another_key(attacker: Attacker) -> None:
    """A forged log, with a checkpoint that fits it."""
    attacker.edit(attacker.records()[VICTIM], with_keys=True, actor="staff:nobody")
    attacker.rebuild_from_records()
    with attacker.database.write() as connection:
        log = connection.execute(select(AuditLog.origin, AuditLog.size)).one()
        root = stored_tiles(connection, 1, log.size).root()
        note = sign_checkpoint(Checkpoint(log.origin, log.size, root), [Ed25519PrivateKey.generate()])
        connection.execute(delete(AuditCheckpoint))
        connection.execute(insert(AuditCheckpoint).values(log=1, size=log.size, note=note, signed_at=utc_now()))


@pytest.mark.parametrize(
    ("attack", "problem"),
    [
        (old_in_place_of_newer, "another one stands in its place"),
        (newer_deleted, "the database was rolled back"),
        (signed_by_another_key, "it is not signed as it should be: no key that is known signed it"),
    ],
)
def test_replayed_and_forged_checkpoints_are_found(
    evidence: Evidence, attack: Callable[[Attacker], None], problem: str
) -> None:
    attack(evidence.attacker)
    assert problem in str(verified(evidence).findings)


def break_a_tile(attacker: Attacker) -> None:
    with attacker.database.write() as connection:
        raw = bytearray(connection.execute(select(AuditTile.hashes).where(AuditTile.level == 1)).scalar_one())
        raw[0] ^= 1
        connection.execute(update(AuditTile).where(AuditTile.level == 1).values(hashes=bytes(raw)))


def lose_a_tile(attacker: Attacker) -> None:
    attacker.execute(delete(AuditTile).where(AuditTile.level == 0, AuditTile.tile_index == 1))


def misplace_a_tile(attacker: Attacker) -> None:
    """So that a record is not found by its id any more."""
    attacker.execute(update(AuditTile).where(AuditTile.level == 0, AuditTile.tile_index == 0).values(lowest_event=None))


def shorten_the_log(attacker: Attacker) -> None:
    attacker.execute(update(AuditLog).values(size=AuditLog.size - 2))


def forget_the_series(attacker: Attacker) -> None:
    attacker.execute(delete(AuditSeries))


def forget_a_submission(attacker: Attacker) -> None:
    attacker.execute(delete(Submission))


def unlist_what_waits(attacker: Attacker) -> None:
    attacker.execute(delete(AuditPending))


def list_again(attacker: Attacker) -> None:
    attacker.execute(insert(AuditPending).values(event_id=attacker.records()[VICTIM]["id"]))


def refuse_what_waits(attacker: Attacker) -> None:
    attacker.execute(update(AuditPending).values(refused="because"))


@pytest.mark.parametrize(
    ("attack", "problem"),
    [
        (break_a_tile, "the level above has another hash of it"),
        (lose_a_tile, "it is not there"),
        (misplace_a_tile, "its lowest and highest event are not those of its leaves"),
        (shorten_the_log, "it does not have the"),
        (forget_the_series, "0 records were written"),
        (forget_a_submission, "there are records about this submission, and it is not there itself"),
        (unlist_what_waits, "it is neither in the log nor waiting to be"),
        (list_again, "it is in the log, and waits to be put there again"),
        (refuse_what_waits, "the log refused it: because"),
    ],
)
def test_the_rows_that_hold_the_log_together_are_checked_too(
    evidence: Evidence, attack: Callable[[Attacker], None], problem: str
) -> None:
    attack(evidence.attacker)
    assert problem in str(verified(evidence).findings)


def test_an_anchor_that_lost_checkpoints_is_told(evidence: Evidence) -> None:
    for path in evidence.context.settings.effective_anchor_dir.rglob("*.checkpoint"):
        path.unlink()
    (finding,) = verified(evidence).findings
    assert "the anchor directory does not have it" in finding.problem


def forge_in_the_window(evidence: Evidence) -> None:
    """A record after the last anchored checkpoint, changed with the application's keysets, and the tiles to match."""
    evidence.attacker.edit(victim(evidence, evidence.anchored_size + 1), with_keys=True, actor="staff:nobody")
    evidence.attacker.rebuild_from_records()


def test_in_the_window_the_applications_keys_are_enough_to_rewrite(evidence: Evidence) -> None:
    """Not found, neither now nor when it is signed: docs/audit.md says so."""
    forge_in_the_window(evidence)
    assert verified(evidence).findings == ()
    sequencer(evidence.context).sign()
    found = verified(evidence)
    assert (found.findings, found.anchored_size) == ((), evidence.anchored_size + 3)


def test_in_the_window_without_the_keys_only_the_newest_can_go(evidence: Evidence) -> None:
    attacker = evidence.attacker
    attacker.edit(victim(evidence, evidence.anchored_size + 1), hashed=True, actor="staff:nobody")
    attacker.rebuild_from_records()
    assert verified(evidence).findings[0].problem == "its MAC is not ours"
    attacker.restore(evidence.whole)
    attacker.execute(delete(AuditEvent).where(AuditEvent.id.in_(select(AuditPending.event_id))))
    attacker.execute(delete(AuditPending))
    attacker.execute(update(AuditSeries).values(seq=AuditSeries.seq - 1))
    assert verified(evidence).findings == ()


def test_the_window_is_closed_by_the_signature_that_is_due_after_a_minute(evidence: Evidence) -> None:
    context = evidence.context
    later = utc_now() + dt.timedelta(seconds=60)
    signer = load_signer(context.settings.effective_keys_dir)
    signed = Sequencer(context, signer, open_anchors(context.settings), lambda: later).sign_if_due()
    assert signed is not None
    forge_in_the_window(evidence)
    assert verified(evidence).findings[0].leaf == evidence.anchored_size
