"""The Merkle log, brought up to date in this process, and held against what it is the log of."""

import uuid
from collections import Counter

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.anchors import open_anchors
from pipeline.audit.log_state import current_log, find_leaf
from pipeline.audit.notes import Checkpoint, open_checkpoint
from pipeline.audit.sequencer import Sequencer, open_sequencer
from pipeline.audit.signing import create_signing_key, load_public_keys, load_signer
from pipeline.audit.tiles import split_event_ids, stored_tiles
from pipeline.context import Context
from pipeline.db import Database
from pipeline.models import AuditCheckpoint, AuditEvent, AuditTile
from pipeline.unit_of_work import begin
from tests.support.work import table


def sequencer(context: Context) -> Sequencer:
    """A sequencer as a worker has one; its keys are made in the installation's folder if they are not there."""
    folder = context.settings.effective_keys_dir
    create_signing_key(folder)
    return open_sequencer(context, load_signer(folder))


def sequence(context: Context) -> Checkpoint | None:
    """Put every record that waits into the log, then sign; the checkpoint, or None if nothing was new."""
    running = sequencer(context)
    while running.turn():
        pass
    return running.sign()


def record(context: Context, *about: uuid.UUID | None) -> None:
    """A transaction with one record about each."""
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        for submission_id in about:
            unit.record(submission_id, Action.LANE_RESUMED, {Detail.LANE: "email"})


def sequenced(database: Database, log: int = 1) -> list[uuid.UUID]:
    """The events of a log, leaf by leaf."""
    rows = [row for row in table(database, AuditTile.table()) if (row.log, row.level) == (log, 0)]
    return [event_id for row in rows for event_id in split_event_ids(row.event_ids)]


def check_log(context: Context, log: int = 1) -> None:
    """Every record is in the log exactly once, those of a series by number, and every checkpoint is true of it."""
    events = {row.id: row for row in table(context.database, AuditEvent.table())}
    ids = sequenced(context.database, log)
    assert Counter(ids) == Counter(list(events))
    series: dict[uuid.UUID | None, list[int]] = {}
    for event_id in ids:
        series.setdefault(events[event_id].submission_id, []).append(events[event_id].seq)
    assert {about: numbers for about, numbers in series.items() if numbers != sorted(numbers)} == {}
    public = load_public_keys(context.settings.effective_keys_dir)
    with context.database.read() as connection:
        current = current_log(connection)
        assert current is not None
        assert (current.number, current.size) == (log, len(ids))
        tiles = stored_tiles(connection, log, current.size)
        hashes = [each for index in range(-(-len(ids) // 256)) for each in tiles.hashes(0, index)]
        assert hashes == [events[event_id].leaf_hash for event_id in ids]
        notes = [row.note for row in table(context.database, AuditCheckpoint.table()) if row.log == log]
        for note in notes:
            checkpoint = open_checkpoint(note, current.origin, public)
            assert checkpoint.root == tiles.root(checkpoint.size)
        assert checkpoint.size == current.size
        assert open_anchors(context.settings).directory.all(current.origin) == notes
        assert [find_leaf(connection, log, event_id) for event_id in ids[:3]] == list(range(len(ids)))[:3]
