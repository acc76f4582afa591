"""What auditing costs the pipeline, and how fast the evidence behind it is made, checked, proven and re-keyed.

The pipeline is measured beside itself with the writing of records replaced by nothing (`bench.unaudited`), in turn.
The rest is one process over PostgreSQL; verification takes all cores, as the command does.
"""

import os
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.measure import measure_throughput, warm_up
from bench.sides import Careroute, Side, fresh_side
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.proving import prove
from pipeline.audit.record import DetailValue
from pipeline.audit.sequencer import Sequencer, open_sequencer
from pipeline.audit.signing import load_signer
from pipeline.audit.tiles import Leaf, append_leaves
from pipeline.audit.tree import HASH_BYTES
from pipeline.audit.verify import verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.keys import KeyFolder, KeyPurpose
from pipeline.models import AuditPending, DataKey
from pipeline.rewrapping import rewrap
from pipeline.submission import new_reference
from pipeline.unit_of_work import UnitOfWork, begin
from tasks.sequencing import YIELD_SECONDS

AUDITED, UNAUDITED = "with records and the sequencer", "with neither"
_RECORDS_EACH = 10
_AT_ONCE = 2000
_LEAVES_AT_ONCE = 65_536


class Audited(Careroute):
    """Both workers serve every lane; whichever locks the log sequences."""

    name = AUDITED


class Unaudited(Careroute):
    """The same, and nothing is put on record."""

    name = UNAUDITED
    worker = ("bench.unaudited",)


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    submissions: int = 2000
    rounds: int = 5
    records: int = 400_000
    leaves: int = 10_000_000
    proofs: int = 200
    data_keys: int = 100_000


QUICK_EVIDENCE_PLAN = EvidencePlan(submissions=300, rounds=1, records=4000, leaves=200_000, proofs=20, data_keys=2000)


@dataclass(frozen=True, slots=True)
class Proofs:
    """Of one record among many: `size_bytes` without the record itself, seconds of each proof."""

    leaves: int
    size_bytes: int
    seconds: tuple[float, ...]

    @property
    def slowest(self) -> float:
        return max(self.seconds)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`throughput` in submissions a second by side; `waiting` are records not in the log when the last email was out.

    `sequencing` and `verifying` in records a second, `rewrapping` in seconds for `plan.data_keys`.
    """

    plan: EvidencePlan
    throughput: dict[str, list[float]]
    waiting: list[int]
    sequencing: float
    verifying: float
    proofs: Proofs
    rewrapping: float

    @property
    def ratio(self) -> float:
        """The audited pipeline's throughput as a part of the other's: the median of each round's."""
        pairs = zip(self.throughput[AUDITED], self.throughput[UNAUDITED], strict=True)
        return statistics.median(audited / bare for audited, bare in pairs)


def measure_evidence(laboratory: Laboratory, plan: EvidencePlan) -> Evidence:
    """Raises `BenchFailed`."""
    throughput: dict[str, list[float]] = {AUDITED: [], UNAUDITED: []}
    waiting: list[int] = []
    for number in range(plan.rounds):
        # In turn, and each first every other time: a machine that slows down meanwhile favours none.
        kinds: tuple[type[Side], ...] = (Audited, Unaudited) if number % 2 else (Unaudited, Audited)
        for kind in kinds:
            with fresh_side(kind, laboratory) as side, side.workers() as workers:
                warm_up(side, workers, 6)
                throughput[kind.name].append(measure_throughput(side, workers, plan.submissions))
                if kind is Audited:
                    waiting.append(_waiting(side.context))
    with laboratory.fresh("evidence") as (context, _):
        sequencing = _sequence(context, plan)
        verifying = _verify(context, plan)
    with laboratory.fresh("proofs") as (context, _):
        proofs = _prove(context, plan)
    with laboratory.fresh("keys") as (context, _):
        rewrapping = _rewrap(context, plan)
    return Evidence(plan, throughput, waiting, sequencing, verifying, proofs, rewrapping)


def _waiting(context: Context) -> int:
    with context.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM audit_pending").scalar_one())


def _sequence(context: Context, plan: EvidencePlan) -> float:
    """Records a second from `audit_pending` into tiles, as a worker does it: with its pauses and checkpoints."""
    _write_records(context, plan.records)
    sequencer = _sequencer(context)
    sequencer.look()  # opens the log, and warms up
    before = _waiting(context)
    started = time.perf_counter()
    while sequencer.look():
        time.sleep(YIELD_SECONDS)
    seconds = time.perf_counter() - started
    if _waiting(context):
        raise BenchFailed("the sequencer left records")
    sequencer.sign()  # what came after the last checkpoint that was due
    return before / seconds


def _verify(context: Context, plan: EvidencePlan) -> float:
    """Records a second of `careroute audit verify`, with the start of its processes."""
    evidence = open_evidence(context.settings, context.keys)
    started = time.perf_counter()
    found = verify_log(context.database, evidence)
    seconds = time.perf_counter() - started
    if found.findings_count or found.size < plan.records or found.anchored_size != found.size:
        raise BenchFailed(f"the log does not verify: {found.findings[:3]}")
    return found.events / seconds


def _prove(context: Context, plan: EvidencePlan) -> Proofs:
    """Prove records that lie in the middle of millions of others."""
    sequencer = _sequencer(context)
    sequencer.turn()
    _fill_log(context, plan.leaves // 2)
    _write_records(context, plan.proofs)
    with context.database.read() as connection:
        event_ids = list(connection.execute(AuditPending.table().select()).scalars())
    sequencer.turn()
    size = _fill_log(context, plan.leaves)
    if sequencer.sign() is None:
        raise BenchFailed("a log of made-up leaves was not signed")
    seconds, size_bytes = [], 0
    for event_id in event_ids[: plan.proofs]:
        started = time.perf_counter()
        with context.database.snapshot() as connection:
            log = current_log(connection)
            proof = prove(connection, log, latest_checkpoint(connection, 1), event_id)
        seconds.append(time.perf_counter() - started)
        size_bytes = max(size_bytes, len(proof.text.encode()))
    return Proofs(size, size_bytes, tuple(seconds))


def _rewrap(context: Context, plan: EvidencePlan) -> float:
    """Seconds to wrap every data key by a new primary key."""
    for ids in _ids(plan.data_keys):
        with begin(context.database, context.keys, actions.source("bench")) as unit:
            for submission_id in ids:
                _add_submission(unit, submission_id)
                wrapped = context.vault.new_data_key(submission_id)[1]
                unit.insert(DataKey.table(), submission_id=submission_id, wrapped_key=wrapped)
    folder = KeyFolder(context.settings.effective_keys_dir)
    with folder.file(KeyPurpose.VAULT).open(encoding="utf-8") as file:
        before = file.read()
    try:
        staged = folder.read(KeyPurpose.VAULT).with_new_key()
        rewritten = staged.with_primary(staged.keys[-1]).text()
        folder.file(KeyPurpose.VAULT).write_text(rewritten, encoding="utf-8")
        started = time.perf_counter()
        result = rewrap(context.database, context.keys, actions.staff("bench"), folder)
        seconds = time.perf_counter() - started
    finally:
        folder.file(KeyPurpose.VAULT).write_text(before, encoding="utf-8")
    if result.left or result.done != plan.data_keys:
        raise BenchFailed(f"{result.done} data keys were wrapped anew, {result.left} are left")
    return seconds


def _write_records(context: Context, count: int) -> None:
    """Records as the stages write them, ten about each submission."""
    for ids in _ids(-(-count // _RECORDS_EACH)):
        with begin(context.database, context.keys, actions.lane("bench")) as unit:
            for submission_id in ids:
                _add_submission(unit, submission_id)
                for number in range(_RECORDS_EACH):
                    details: dict[Detail, DetailValue] = {
                        Detail.EMAIL: str(uuid.uuid4()),
                        Detail.KIND: "referral",
                        Detail.RECIPIENT: "provider:willow-creek-regenerative",
                        Detail.CAUSE: f"referral:{uuid.uuid4()}",
                        Detail.RANK: number,
                    }
                    unit.record(submission_id, Action.EMAIL_QUEUED, details)


def _add_submission(unit: UnitOfWork, submission_id: uuid.UUID) -> None:
    unit.add_submission(
        id=submission_id,
        reference=new_reference(),
        source="bench",
        received_at=unit.now,
        screening_version="bench",
        revision_of=None,
    )


def _fill_log(context: Context, leaves: int) -> int:
    """Make the log as long as `leaves`, with made-up hashes and ids by time as all are; its size."""
    with context.database.read() as connection:
        log = current_log(connection)
    if log is None:
        raise BenchFailed("the sequencer opened no log")
    size = log.size
    while size < leaves:
        count = min(_LEAVES_AT_ONCE, leaves - size)
        hashes = os.urandom(HASH_BYTES * count)
        made_up = [Leaf(hashes[n * HASH_BYTES : (n + 1) * HASH_BYTES], uuid7()) for n in range(count)]
        with context.database.write() as connection:
            size = append_leaves(connection, log.number, size, made_up)
            connection.exec_driver_sql("UPDATE audit_log SET size = %s, sequenced_at = %s", (size, utc_now()))
    return size


def _sequencer(context: Context) -> Sequencer:
    return open_sequencer(context, load_signer(context.settings.effective_keys_dir))


def _ids(count: int) -> Iterator[list[uuid.UUID]]:
    for first in range(0, count, _AT_ONCE):
        yield [uuid.uuid4() for _ in range(min(_AT_ONCE, count - first))]
