"""Keep submissions: one durable transaction with submission, job and record, before anyone is told 2xx."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from uuid_utils.compat import uuid7

from pipeline import bulk
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.db import is_transient, was_undone
from pipeline.erasure.journal import Cause
from pipeline.failpoints import Failpoint, reach
from pipeline.models import AuditEvent, DataKey, Erasure, IntakeKey, Quarantine, SealedDocument, Submission
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, new_reference
from pipeline.unit_of_work import UnitOfWork, begin

VALIDATE_LANE = "validate"
CHANGED_REVISION = "changed_revision"
"""Why a second body under a known vendor id is in quarantine: a person must say which of the two counts."""

_TRIES = 3
_TOLD_EVERY = dt.timedelta(days=1)
"""So often a source that sends what was erased again and again makes a record of it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came in from an authenticated source. `body` is kept as it is, whatever it says."""

    source: str
    body: bytes
    vendor_id: str | None = None
    idempotency_key: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The submission that stands for the arrival: a new one, or (`repeated`) the one that an earlier arrival made."""

    submission_id: uuid.UUID
    reference: str
    status: SubmissionStatus
    """As it was when it was kept: a repeat is answered as the first was."""
    repeated: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key came with another body before; that one was kept under `reference`."""

    reference: str


Outcome = Kept | KeyReused


class _ErasedMeanwhile(Exception):
    """What the arrival is a revision of was erased while it came in."""


@dataclass(frozen=True, slots=True)
class _Earlier:
    kind: str
    same_body: bool
    submission_id: uuid.UUID
    reference: str
    first_status: SubmissionStatus
    is_erased: bool
    erased_since: Cause | None
    """Why it was erased."""

    @property
    def is_over(self) -> bool:
        """Whether it was erased only since its time was over: nobody asked that it be gone."""
        return self.is_erased and self.erased_since is Cause.RETENTION

    @property
    def again(self) -> Kept:
        return Kept(self.submission_id, self.reference, self.first_status, repeated=True)


def accept(context: Context, arrival: Arrival, wake: Callable[[str], None]) -> Outcome:
    """Keep the arrival, or recognise it as a repeat. `wake` is told the fed lanes after the commit.

    A repeat (same vendor id or key, same body) answers as the first did and changes nothing. The same key with another
    body is `KeyReused`. The same vendor id with another body is kept as a revision, in quarantine.

    Of what was erased only the keys are left. Whatever comes under one of them is answered as a repeat, and not stored:
    a vendor that sends again must not bring back what a person had erased. That it came is on record, once a day. Where
    only its time was over, what comes is new, and kept.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return _accept_once(context, arrival, wake)
        except (DBAPIError, _ErasedMeanwhile) as error:
            # Another request with the same key, a reference drawn twice, or an erasure won the race: look again.
            lost = isinstance(error, IntegrityError | _ErasedMeanwhile) or was_undone(error)
            if not lost or attempt == _TRIES:
                raise
    raise AssertionError("unreachable")


def recall(context: Context, arrival: Arrival) -> Outcome | None:
    """What `accept` would answer to a repeat; None for what it would keep. Changes nothing."""
    body_index = context.vault.blind_index("body", arrival.body)
    _, earlier = _look_up(context, arrival.source, _keys(context, arrival), body_index)
    for known in earlier:
        if known.is_erased or known.same_body:
            return known.again
        if known.kind == "idempotency_key":
            return KeyReused(known.reference)
    return None


def accept_many(
    context: Context, arrivals: Sequence[Arrival], wake: Callable[[str], None]
) -> Sequence[Outcome | Exception]:
    """What `accept` gives, or raises, for each in turn; but all that is plainly new is kept in one transaction.

    What comes under a key that is known, or that another of them has, is looked at by itself afterwards. So is each of
    them where they cannot be kept together: one's failure is not the others'. Only that of the database is everyone's.
    """
    try:
        together, fed_lanes = _accept_new(context, arrivals)
    except Exception as error:  # noqa: BLE001 - whatever it was, it may be one arrival's
        if _is_everyones(error):
            return [error] * len(arrivals)
        together, fed_lanes = {}, frozenset()
    for lane in fed_lanes:
        wake(lane)
    outcomes: list[Outcome | Exception] = []
    for place, arrival in enumerate(arrivals):
        try:
            outcomes.append(together.get(place) or accept(context, arrival, wake))
        except Exception as error:  # noqa: BLE001 - the next one's fate is its own
            if _is_everyones(error):
                return [*outcomes, *(together.get(other, error) for other in range(place, len(arrivals)))]
            outcomes.append(error)
    return outcomes


def _is_everyones(error: Exception) -> bool:
    """Whether the database is what failed, and not the arrival: then the others need not wait for it one by one."""
    return isinstance(error, PoolTimeoutError) or (is_transient(error) and not was_undone(error))


def _accept_new(context: Context, arrivals: Sequence[Arrival]) -> tuple[dict[int, Kept], frozenset[str]]:
    """Keep, in one transaction, those whose keys nobody had before: by place among the arrivals. And the lanes fed."""
    keys = _keys_of_their_own(context, arrivals)
    kept: dict[int, Kept] = {}
    with begin(context.database, context.keys, actions.source(arrivals[0].source)) as unit:
        taken = _taken(unit.connection, ((arrivals[place].source, own) for place, own in keys.items()))
        for place, own in keys.items():
            arrival = arrivals[place]
            if taken.isdisjoint((arrival.source, *key) for key in own.items()):
                # Each record names its own source and request.
                unit.actor, unit.request_id = actions.source(arrival.source), arrival.request_id
                kept[place] = _keep(context, unit, arrival, own, context.vault.blind_index("body", arrival.body), None)
        unit.flush()
        reach(Failpoint.INTAKE_BEFORE_COMMIT)
    reach(Failpoint.INTAKE_AFTER_COMMIT)
    return kept, frozenset(unit.fed_lanes)


def _keys_of_their_own(context: Context, arrivals: Sequence[Arrival]) -> dict[int, dict[str, bytes]]:
    """The keys of the arrivals by place, without those that have one in common with an earlier one."""
    found: dict[int, dict[str, bytes]] = {}
    seen: set[tuple[str, str, bytes]] = set()
    for place, arrival in enumerate(arrivals):
        keys = _keys(context, arrival)
        named = {(arrival.source, *key) for key in keys.items()}
        if seen.isdisjoint(named):
            found[place] = keys
        seen |= named
    return found


def _taken(connection: Connection, keys: Iterable[tuple[str, Mapping[str, bytes]]]) -> set[tuple[str, str, bytes]]:
    """Which of the keys by source stand for an arrival already."""
    rows = bulk.fetch(
        connection,
        "SELECT intake_key.source, intake_key.kind, intake_key.key_index FROM intake_key JOIN v "
        "ON intake_key.source = v.source AND intake_key.kind = v.kind AND intake_key.key_index = v.key_index",
        {"source": "text", "kind": "text", "key_index": "bytea"},
        [(source, kind, index) for source, each in keys for kind, index in each.items()],
    )
    return {(source, kind, bytes(index)) for source, kind, index in rows}


def _accept_once(context: Context, arrival: Arrival, wake: Callable[[str], None]) -> Outcome:
    body_index = context.vault.blind_index("body", arrival.body)
    keys, earlier = _look_up(context, arrival.source, _keys(context, arrival), body_index)
    original = None
    for known in earlier:
        if known.is_erased:
            return _not_stored(context, arrival, known)
        if known.same_body:
            return known.again
        if known.kind == "idempotency_key":
            return KeyReused(known.reference)
        original = known
    if original is not None:
        # The revision's own name, so that its repeats are recognised too.
        keys = {"revision": context.vault.blind_index("revision", f"{arrival.vendor_id}\0".encode() + body_index)}
        keys, earlier = _look_up(context, arrival.source, keys, body_index)
        for known in earlier:
            return _not_stored(context, arrival, known) if known.is_erased else known.again
    with begin(context.database, context.keys, actions.source(arrival.source), arrival.request_id) as unit:
        if original is not None and _erased_meanwhile(unit, original.submission_id):
            raise _ErasedMeanwhile
        kept = _keep(context, unit, arrival, keys, body_index, original.submission_id if original else None)
        unit.flush()
        reach(Failpoint.INTAKE_BEFORE_COMMIT)
    reach(Failpoint.INTAKE_AFTER_COMMIT)
    for lane in unit.fed_lanes:
        wake(lane)
    return kept


def _keep(
    context: Context,
    unit: UnitOfWork,
    arrival: Arrival,
    keys: dict[str, bytes],
    body_index: bytes,
    revision_of: uuid.UUID | None,
) -> Kept:
    submission_id, reference = uuid7(), new_reference()
    key, wrapped = context.vault.new_data_key(submission_id)
    unit.add_submission(
        id=submission_id,
        reference=reference,
        source=arrival.source,
        received_at=unit.now,
        screening_version=context.screening.version,
        revision_of=revision_of,
    )
    unit.insert(DataKey.table(), submission_id=submission_id, wrapped_key=wrapped)
    unit.insert(
        SealedDocument.table(),
        submission_id=submission_id,
        part=Part.BODY.value,
        ciphertext=key.seal(Part.BODY, arrival.body),
    )
    for kind, key_index in keys.items():
        unit.insert(
            IntakeKey.table(),
            source=arrival.source,
            kind=kind,
            key_index=key_index,
            body_index=body_index,
            submission_id=submission_id,
        )
    unit.record(submission_id, Action.SUBMISSION_RECEIVED, {Detail.SOURCE: arrival.source})
    if revision_of is None:
        unit.enqueue(VALIDATE_LANE, submission_id, submission_id)
        return Kept(submission_id, reference, SubmissionStatus.RECEIVED, repeated=False)
    unit.transition(
        submission_id,
        SubmissionStatus.QUARANTINED,
        Action.SUBMISSION_QUARANTINED,
        {Detail.REVISION_OF: str(revision_of)},
        reason=CHANGED_REVISION,
    )
    unit.insert(
        Quarantine.table(),
        submission_id=submission_id,
        source=arrival.source,
        reason=CHANGED_REVISION,
        quarantined_at=unit.now,
    )
    return Kept(submission_id, reference, SubmissionStatus.QUARANTINED, repeated=False)


def _erased_meanwhile(unit: UnitOfWork, submission_id: uuid.UUID) -> bool:
    """Asked under its lock: an erasure takes the revisions that it finds with it."""
    return unit.lock([submission_id])[submission_id].status is SubmissionStatus.ERASED


def _not_stored(context: Context, arrival: Arrival, known: _Earlier) -> Kept:
    """Answer what was erased and came again, and put it on record unless that was done within a day."""
    with begin(context.database, context.keys, actions.source(arrival.source), arrival.request_id) as unit:
        unit.lock([known.submission_id])
        told = select(AuditEvent.id).where(
            AuditEvent.submission_id == known.submission_id,
            AuditEvent.action == Action.SUBMISSION_NOT_STORED.value,
            AuditEvent.occurred_at > unit.now - _TOLD_EVERY,
        )
        if unit.connection.execute(told.limit(1)).first() is None:
            unit.record(known.submission_id, Action.SUBMISSION_NOT_STORED, {Detail.SOURCE: arrival.source})
    return known.again


def _keys(context: Context, arrival: Arrival) -> dict[str, bytes]:
    given = {"idempotency_key": arrival.idempotency_key, "vendor_id": arrival.vendor_id}
    index = context.vault.blind_index
    return {kind: index(kind, f"{arrival.source}\0{value}") for kind, value in given.items() if value is not None}


def _look_up(
    context: Context, source: str, keys: dict[str, bytes], body_index: bytes
) -> tuple[dict[str, bytes], list[_Earlier]]:
    """What earlier arrivals under these keys made, and the keys for a new one.

    The keys of what is over stay taken: the next under the same gets one made from it and from what it stood for, so
    that repeats of that one are recognised in turn.
    """
    while True:
        earlier = _earlier(context, source, keys, body_index)
        over = [known for known in earlier if known.is_over]
        if not over:
            return keys, earlier
        again = {
            known.kind: context.vault.blind_index("again", keys[known.kind] + known.submission_id.bytes)
            for known in over
        }
        keys = {**keys, **again}


def _earlier(context: Context, source: str, keys: dict[str, bytes], body_index: bytes) -> list[_Earlier]:
    """What earlier arrivals under the same keys made, the idempotency key's first."""
    if not keys:
        return []
    statement = (
        select(
            IntakeKey.kind,
            IntakeKey.body_index,
            Submission.id,
            Submission.reference,
            Submission.revision_of,
            Submission.status,
            Erasure.cause,
        )
        .join(Submission, Submission.id == IntakeKey.submission_id)
        .outerjoin(Erasure, Erasure.submission_id == Submission.id)
        .where(IntakeKey.source == source, IntakeKey.kind.in_(keys), IntakeKey.key_index.in_(list(keys.values())))
        .order_by(IntakeKey.kind)
    )
    with context.database.read() as connection:
        return [
            _Earlier(
                row.kind,
                bytes(row.body_index) == body_index,
                row.id,
                row.reference,
                SubmissionStatus.RECEIVED if row.revision_of is None else SubmissionStatus.QUARANTINED,
                row.status == SubmissionStatus.ERASED,
                Cause(row.cause) if row.cause is not None else None,
            )
            for row in connection.execute(statement)
        ]
