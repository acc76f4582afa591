"""Data keys wrapped anew, after the vault keyset got another primary key.

What is left to do is what the rows themselves say: each wrapped key begins with the id of the key it is wrapped by. So
it may be stopped at any time, and continued. Only rows that are there are updated: an erasure, which deletes its row,
is never undone, whichever of the two comes first.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, func, select
from tink import TinkError

from pipeline import bulk
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.failpoints import Failpoint, reach
from pipeline.key_files import locked
from pipeline.keys import KeyFolder, KeyPurpose, Keys, KeysetKey
from pipeline.keys.keyset import PREFIX_BYTES
from pipeline.keys.reloading import WrappingKeys
from pipeline.models import DataKey
from pipeline.unit_of_work import UnitOfWork, begin

BATCH = 2000
"""Data keys in one transaction: some 20 ms, for which an erasure of one of them waits, and on SQLite every writer."""

_TYPES = {"submission_id": "uuid", "wrapped_key": "bytea"}


@dataclass(slots=True)
class Rewrapped:
    """What a run came to. `left` are wrapped by another key still; `unreadable` of them belong to no key of ours."""

    done: int = 0
    left: int = 0
    unreadable: list[uuid.UUID] = field(default_factory=list)


def count_by_prefix(connection: Connection) -> dict[bytes, int]:
    """How many data keys are wrapped by which key, by what their wrapped form begins with."""
    prefix = _prefix()
    found = connection.execute(select(prefix, func.count()).group_by(prefix))
    return {bytes(row[0]): row[1] for row in found}


def left_to_rewrap(connection: Connection, primary: KeysetKey) -> int:
    """How many data keys are wrapped by another key than the primary one."""
    return sum(rows for prefix, rows in count_by_prefix(connection).items() if prefix != primary.prefix)


def rewrap(
    database: Database,
    keys: Keys,
    actor: Actor,
    folder: KeyFolder,
    told: Callable[[int], None] = lambda _done: None,
) -> Rewrapped:
    """Wrap every data key by the vault's primary key. Each batch is a transaction and a record of its own.

    Rows that somebody else has locked at the moment are passed over, and come in the next round. `told` is given the
    number done after each batch. Raises `KeyProblem`.
    """
    with locked(folder.path):
        vault, result = WrappingKeys(folder), Rewrapped()
        while True:
            before, result.unreadable = result.done, []
            _one_round(database, keys, actor, vault, result, told)
            with database.read() as connection:
                result.left = left_to_rewrap(connection, vault.keyset.primary)
            if result.left <= len(result.unreadable) or result.done == before:
                return result


def _one_round(
    database: Database,
    keys: Keys,
    actor: Actor,
    vault: WrappingKeys,
    result: Rewrapped,
    told: Callable[[int], None],
) -> None:
    after = uuid.UUID(int=0)
    primary = vault.keyset.primary
    while True:
        with begin(database, keys, actor) as unit:
            rows = _lock_some(unit.connection, primary, after)
            result.done += _rewrap_batch(unit, vault, primary, rows, result.unreadable)
        reach(Failpoint.REWRAP_AFTER_BATCH)
        if rows:
            after = rows[-1].submission_id
            told(result.done)
        if len(rows) < BATCH:
            return


def _lock_some(connection: Connection, primary: KeysetKey, after: uuid.UUID) -> Sequence[Row[uuid.UUID, bytes]]:
    statement = (
        select(DataKey.submission_id, DataKey.wrapped_key)
        .where(DataKey.submission_id > after, _prefix() != primary.prefix)
        .order_by(DataKey.submission_id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(statement).all()


def _rewrap_batch(
    unit: UnitOfWork,
    vault: WrappingKeys,
    primary: KeysetKey,
    rows: Sequence[Row[uuid.UUID, bytes]],
    unreadable: list[uuid.UUID],
) -> int:
    fresh = []
    for row in rows:
        binding = row.submission_id.bytes
        try:
            key = vault.decrypt(bytes(row.wrapped_key), binding)
        except TinkError:
            unreadable.append(row.submission_id)
        else:
            fresh.append((row.submission_id, vault.encrypt(key, binding)))
    if fresh:
        bulk.execute(
            unit.connection,
            "UPDATE data_key SET wrapped_key = v.wrapped_key FROM v WHERE data_key.submission_id = v.submission_id",
            _TYPES,
            fresh,
        )
        unit.record(
            None,
            Action.KEY_REWRAPPED,
            {Detail.KEYSET: KeyPurpose.VAULT, Detail.KEY: primary.fingerprint, Detail.COUNT: len(fresh)},
        )
    return len(fresh)


def _prefix() -> ColumnElement[bytes]:
    return func.substr(DataKey.wrapped_key, 1, PREFIX_BYTES, type_=LargeBinary)
