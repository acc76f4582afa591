"""Somebody with every right to the database: no trigger, reference or index stands in the way. All can be undone."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, delete, event, insert, select, update

from pipeline.audit.record import COLUMNS, MAC_BYTES, leaf_hash
from pipeline.audit.tiles import Leaf, append_leaves, split_event_ids, split_hashes
from pipeline.context import Context
from pipeline.db import Database
from pipeline.models import (
    AuditArchive,
    AuditCheckpoint,
    AuditEvent,
    AuditLog,
    AuditPending,
    AuditSeries,
    AuditTile,
    Submission,
)

TABLES: Sequence[Table] = tuple(
    model.table()
    for model in (
        Submission,
        AuditSeries,
        AuditEvent,
        AuditPending,
        AuditLog,
        AuditTile,
        AuditCheckpoint,
        AuditArchive,
    )
)
"""What the evidence stands in, inside the database."""

Rows = Mapping[Table, Sequence[Mapping[str, Any]]]
UNIQUE = ("uq_audit_event_submission_id_seq", "uq_audit_event_system_seq")


@dataclass(slots=True)
class Attacker:
    """Has the database, and the application's keysets if told to use them. Not the signing key, nor the anchors."""

    context: Context
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = Database(self.context.database.url)
        statement = "PRAGMA foreign_keys = OFF" if self.database.is_sqlite else "SET session_replication_role = replica"

        def unbind(connection: Any, _record: Any) -> None:
            with closing(connection.cursor()) as cursor:
                cursor.execute(statement)
            if self.database.is_postgresql:
                connection.commit()

        event.listen(self.database.writer, "connect", unbind)
        with self.database.write() as connection:
            for name in UNIQUE:
                connection.exec_driver_sql(f"DROP INDEX {name}")
            if self.database.is_sqlite:
                found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
                for (name,) in found:
                    connection.exec_driver_sql(f'DROP TRIGGER "{name}"')

    def copy(self) -> Rows:
        """All the evidence in the database."""
        with self.database.read() as connection:
            return {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in TABLES}

    def restore(self, rows: Rows) -> None:
        """Put a copy in the place of what is there."""
        with self.database.write() as connection:
            for table in reversed(TABLES):
                connection.execute(delete(table))
            for table in TABLES:
                if rows[table]:
                    connection.execute(insert(table), list(rows[table]))

    def records(self) -> list[dict[str, Any]]:
        """Those in the log, in its order."""
        with self.database.read() as connection:
            rows = {row.id: dict(row._mapping) for row in connection.execute(select(AuditEvent.table()))}
            tiles = connection.execute(
                select(AuditTile.event_ids).where(AuditTile.level == 0).order_by(AuditTile.tile_index)
            ).scalars()
            return [rows[event_id] for raw in tiles for event_id in split_event_ids(bytes(raw or b""))]

    def edit(self, record: Mapping[str, Any], *, hashed: bool = False, with_keys: bool = False, **changes: Any) -> None:
        """Change a record; then its leaf hash, and with the application's keys its MAC, to go with it."""
        changed = {**record, **changes}
        if hashed or with_keys:
            changed["leaf_hash"] = leaf_hash({name: changed[name] for name in COLUMNS})
        if with_keys:
            changed["mac"] = self.context.keys.authenticate(changed["leaf_hash"], MAC_BYTES)
        with self.database.write() as connection:
            connection.execute(update(AuditEvent).where(AuditEvent.id == record["id"]).values(changed))

    def remove(self, record: Mapping[str, Any]) -> None:
        with self.database.write() as connection:
            connection.execute(delete(AuditEvent).where(AuditEvent.id == record["id"]))

    def rebuild(self, change: Callable[[list[Leaf]], Iterable[Leaf]]) -> None:
        """Write all tiles anew, consistent with one another, out of the leaves after a `change`."""
        with self.database.write() as connection:
            leaves = list(change(_leaves(connection)))
            connection.execute(delete(AuditTile))
            connection.execute(update(AuditLog).values(size=len(leaves)))
            append_leaves(connection, 1, 0, leaves)

    def rebuild_from_records(self, renamed: Mapping[uuid.UUID, uuid.UUID] | None = None) -> None:
        """Tiles as if the records, as they are now, had been put into the log."""
        names = renamed or {}
        with self.database.read() as connection:
            hashes = {row.id: row.leaf_hash for row in connection.execute(select(AuditEvent.id, AuditEvent.leaf_hash))}

        def change(leaves: list[Leaf]) -> Iterable[Leaf]:
            for leaf in leaves:
                event_id = names.get(leaf.event_id, leaf.event_id)
                if event_id in hashes:
                    yield Leaf(hashes[event_id], event_id)

        self.rebuild(change)

    def execute(self, statement: Any) -> None:
        with self.database.write() as connection:
            connection.execute(statement)


def another(value: Any) -> Any:
    """A value of the same kind that is not this one."""
    match value:
        case None:
            return None
        case uuid.UUID():
            return uuid.UUID(int=value.int ^ 1)
        case dt.datetime():
            return value + dt.timedelta(microseconds=1)
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case int():
            return value + 1000
        case _:
            return f"{value}x"


def _leaves(connection: Connection) -> list[Leaf]:
    tiles = connection.execute(
        select(AuditTile.hashes, AuditTile.event_ids).where(AuditTile.level == 0).order_by(AuditTile.tile_index)
    )
    return [
        Leaf(each, event_id)
        for hashes, event_ids in tiles
        for each, event_id in zip(split_hashes(bytes(hashes)), split_event_ids(bytes(event_ids or b"")), strict=True)
    ]
