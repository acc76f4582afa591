"""The run of a verification: while work goes on, on all cores, interrupted, resumed. For findings: `test_tampering`."""

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.anchors import open_anchors
from pipeline.audit.checkpoints import next_origin
from pipeline.audit.notes import Checkpoint, sign_checkpoint
from pipeline.audit.signing import load_signer
from pipeline.audit.tiles import TILE_WIDTH
from pipeline.audit.verify import Resume, Verification, log, processes, verify_log
from pipeline.audit.verify.findings import ResumedFrom
from pipeline.audit.verify.logs import read_logs
from pipeline.audit.verify.opening import open_evidence
from pipeline.audit.verify.resuming import FILE_NAME, write_reached
from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.models import AuditArchive, AuditEvent
from pipeline.unit_of_work import begin
from tests.pipeline.audit.conftest import Evidence, record
from tests.support.log import sequence

SQLITE_ONLY = pytest.mark.parametrize("evidence", ["sqlite"], indirect=True)


def verified(evidence: Evidence, *, macs: bool = True, resume: Resume | None = None) -> Verification:
    context = evidence.context
    return verify_log(context.database, open_evidence(context.settings, context.keys if macs else None), resume)


def test_what_is_signed_and_anchored_meanwhile_is_no_finding(evidence: Evidence) -> None:
    context, seen = evidence.context, []

    def work(done: int, total: int) -> None:
        seen.append((done, total))
        record(context, 2)
        assert sequence(context) is not None

    found = verify_log(context.database, open_evidence(context.settings, context.keys), progress=work)
    assert seen == [(found.size, found.size)]
    assert found.findings == ()
    assert verified(evidence).anchored_size > found.size


class Busy(Database):
    """Before each look at it, records are written, and those that wait go into the log, signed and anchored."""

    looks = 0
    context: Context

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        self.looks += 1
        record(self.context, 2)
        if self.looks % 2:
            assert sequence(self.context) is not None
        with super().snapshot() as connection:
            yield connection


def test_records_that_move_between_the_steps_are_no_findings(evidence: Evidence) -> None:
    busy = Busy(evidence.context.database.url)
    busy.context = evidence.context
    found = verify_log(busy, open_evidence(evidence.context.settings, evidence.context.keys))
    busy.dispose()
    assert busy.looks > 6
    assert found.findings == ()
    assert found.events > found.size


@SQLITE_ONLY
def test_logs_that_were_anchored_are_looked_for_where_they_are(evidence: Evidence) -> None:
    """Not by counting up to the highest number, which would not end."""
    settings = evidence.context.settings
    signer = load_signer(settings.effective_keys_dir)
    origin = next_origin(verified(evidence).origin or "", 999_999_999)
    directory = open_anchors(settings).directory
    directory.put(sign_checkpoint(Checkpoint(origin, 7, bytes(32)), signer.keys))
    try:
        (finding,) = verified(evidence).findings
    finally:
        shutil.rmtree(settings.effective_anchor_dir / origin.replace("/", "_"))
    assert finding.about == f"the log {origin}"
    assert finding.problem.startswith("a checkpoint of size 7 was anchored of it")


@SQLITE_ONLY
def test_without_keys_all_but_the_codes_is_checked(evidence: Evidence) -> None:
    victim = evidence.attacker.records()[3]
    evidence.attacker.edit(victim, mac=bytes(32))
    assert verified(evidence, macs=False).findings == ()
    evidence.attacker.edit(victim, actor="staff:nobody")
    assert [finding.leaf for finding in verified(evidence, macs=False).findings] == [3]


@SQLITE_ONLY
def test_processes_find_what_one_finds(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence.attacker.edit(evidence.attacker.records()[3], actor="staff:nobody")
    evidence.attacker.edit(evidence.attacker.records()[TILE_WIDTH + 3], mac=bytes(32))
    alone = verified(evidence)
    monkeypatch.setattr(log, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(processes, "TILES_IN_A_RANGE", 1)
    assert verified(evidence) == alone
    assert [finding.leaf for finding in alone.findings] == [3, TILE_WIDTH + 3]


def interrupted(evidence: Evidence, folder: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        if (folder / FILE_NAME).exists():
            raise KeyboardInterrupt

    context = evidence.context
    with pytest.raises(KeyboardInterrupt):
        verify_log(context.database, open_evidence(context.settings, context.keys), Resume(folder), stop)


@SQLITE_ONLY
def test_an_interrupted_run_is_resumed_only_over_leaves_that_are_still_the_same(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(log, "_REMEMBERED_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "TILES_IN_A_RANGE", 1)
    interrupted(evidence, tmp_path)
    reached = json.loads((tmp_path / FILE_NAME).read_text("utf-8"))
    assert reached["leaf"] == TILE_WIDTH

    # What was verified is not looked at again, and that is told …
    evidence.attacker.edit(evidence.attacker.records()[3], actor="staff:nobody")
    resumed = verified(evidence, resume=Resume(tmp_path, go_on=True))
    assert (resumed.findings, resumed.begun_anew) == ((), None)
    assert resumed.resumed_from == ResumedFrom(TILE_WIDTH, dt.datetime.fromisoformat(reached["began_at"]))
    assert not (tmp_path / FILE_NAME).exists()
    # … but without asking for it, and if the log is not the same any more, everything is.
    interrupted_text = json.dumps(reached)
    (tmp_path / FILE_NAME).write_text(interrupted_text, "utf-8")
    assert [each.leaf for each in verified(evidence, resume=Resume(tmp_path)).findings] == [3]
    evidence.attacker.rebuild(lambda leaves: [leaves[1], leaves[0], *leaves[2:]])
    (tmp_path / FILE_NAME).write_text(interrupted_text, "utf-8")
    assert 3 in {each.leaf for each in verified(evidence, resume=Resume(tmp_path, go_on=True)).findings}


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("hours", "origin", "reason"),
    [(25, None, "more than a day ago"), (-1, None, "more than a day ago"), (1, "another/1", "about another log")],
)
def test_an_old_run_or_one_of_another_log_is_not_gone_on_with(
    evidence: Evidence, hours: int, origin: str | None, reason: str, tmp_path: Path
) -> None:
    with evidence.context.database.snapshot() as connection:
        log_now = read_logs(connection)[-1]
        began_at = utc_now() - dt.timedelta(hours=hours)
        named = replace(log_now, origin=origin or log_now.origin)
        write_reached(tmp_path, connection, named, TILE_WIDTH, began_at, macs=True)
    evidence.attacker.edit(evidence.attacker.records()[3], actor="staff:nobody")
    found = verified(evidence, resume=Resume(tmp_path, go_on=True))
    assert [each.leaf for each in found.findings] == [3]
    assert found.resumed_from is None
    assert reason in str(found.begun_anew)


@SQLITE_ONLY
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"origin": 1, "leaf": "x", "root": 2, "macs": true}'])
def test_a_state_file_that_says_nothing_is_not_used(evidence: Evidence, text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text, "utf-8")
    evidence.attacker.edit(evidence.attacker.records()[3], actor="staff:nobody")
    assert len(verified(evidence, resume=Resume(tmp_path, go_on=True)).findings) == 1


def archive(evidence: Evidence, end: int) -> None:
    """As if the first records had been archived: but for the record that says so."""
    gone = [each["id"] for each in evidence.attacker.records()[:end]]
    row = {"log": 1, "first_leaf": 0, "end_leaf": end, "before": utc_now(), "file_name": "a.jsonl", "digest": "ab"}
    evidence.attacker.execute(insert(AuditArchive).values(**row, archived_at=utc_now()))
    evidence.attacker.execute(delete(AuditEvent).where(AuditEvent.id.in_(gone)))


def test_archived_records_are_missed_only_if_no_record_says_that_they_were_archived(evidence: Evidence) -> None:
    archive(evidence, 5)
    (finding,) = verified(evidence).findings
    assert finding.problem == "no record says that it was made"
    with begin(evidence.context.database, evidence.context.keys, actions.staff("tests")) as unit:
        unit.record(None, Action.LOG_ARCHIVED, {Detail.FIRST_LEAF: 0, Detail.END_LEAF: 5, Detail.DIGEST: "ab"})
    found = verified(evidence)
    assert (found.findings, found.archived) == ((), 5)
