"""Audit records as they stand in the database, read in bulk and without the ORM, for those who recompute them all.

What the driver gives is brought to plain text and integers by the database or by a slice of a string: parsing times and
ids only to write them out again would cost more than the hashing. `record.canonical_form` says what the result must be.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from pipeline.audit.record import LEAF_PREFIX

READ_AT_ONCE = 4096


class StoredRecord(NamedTuple):
    """One row of `audit_event`, its columns as they enter the canonical form, then its leaf hash and MAC.

    Whoever can write to the database can put any type into a column of SQLite; such a record has no canonical form.
    """

    id: str
    occurred_at: str
    actor: str
    action: str
    submission_id: str | None
    seq: int
    request_id: str | None
    job_id: int | None
    attempt: int | None
    reason: str | None
    details: str
    health_ciphertext: str | None
    health_commitment: str | None
    canonical_version: int
    leaf_hash: bytes
    mac: bytes

    @property
    def form(self) -> bytes:
        """What `record.canonical_form` makes of the same columns. Raises `TypeError` (also of orjson's own kind)."""
        return orjson.dumps(
            {
                "action": self.action,
                "actor": self.actor,
                "attempt": self.attempt,
                "canonical_version": self.canonical_version,
                "details": self.details,
                "health_ciphertext": self.health_ciphertext,
                "health_commitment": self.health_commitment,
                "id": self.id,
                "job_id": self.job_id,
                "occurred_at": self.occurred_at,
                "reason": self.reason,
                "request_id": self.request_id,
                "seq": self.seq,
                "submission_id": self.submission_id,
            }
        )

    @property
    def computed_leaf(self) -> bytes | None:
        """The leaf hash of its columns, whatever is stored as such; `None` if they have no canonical form."""
        try:
            return hashlib.sha256(LEAF_PREFIX + self.form).digest()
        except TypeError:
            return None


_COLUMNS = {
    "postgresql": (
        "id::text, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor, action, "
        "submission_id::text, seq, request_id, job_id, attempt, reason, details, encode(health_ciphertext, 'hex'), "
        "encode(health_commitment, 'hex'), canonical_version, leaf_hash, mac"
    ),
    "sqlite": (
        "id, occurred_at, actor, action, submission_id, seq, request_id, job_id, attempt, reason, details, "
        "health_ciphertext, health_commitment, canonical_version, leaf_hash, mac"
    ),
}
_NAMED = {
    "postgresql": "id = ANY(%s::uuid[])",
    "sqlite": "id IN (SELECT value FROM json_each(?))",
}


def read_records(connection: Connection, event_ids: Sequence[str]) -> dict[str, StoredRecord]:
    """The records of these ids (32 hex digits each) that are there, by those digits."""
    if not event_ids:
        return {}
    dialect = connection.dialect.name
    # One text for all: the driver would look at each id for what needs quoting.
    named = f"{{{','.join(event_ids)}}}" if dialect == "postgresql" else orjson.dumps(event_ids).decode()
    statement = f"SELECT {_COLUMNS[dialect]} FROM audit_event WHERE {_NAMED[dialect]}"  # noqa: S608 - ours
    found = _fetch(connection, statement, named)
    if dialect == "postgresql":
        return {row[0].replace("-", ""): StoredRecord._make(row) for row in found}
    return {row[0]: _from_sqlite(row) for row in found}


def read_all_records(connection: Connection) -> Iterator[StoredRecord]:
    """Every record, in no order, as a stream."""
    dialect = connection.dialect.name
    statement = f"SELECT {_COLUMNS[dialect]} FROM audit_event"  # noqa: S608 - our own columns
    rows = connection.exec_driver_sql(statement, execution_options={"yield_per": READ_AT_ONCE})
    for row in rows:
        yield StoredRecord._make(row) if dialect == "postgresql" else _from_sqlite(tuple(row))


def is_not_text(error: BaseException) -> bool:
    """Whether SQLite has bytes for text that are none: it is not SQLite's error, which would have a code."""
    return (
        isinstance(error, OperationalError)
        and isinstance(error.orig, sqlite3.Error)
        and not hasattr(error.orig, "sqlite_errorcode")
    )


def _fetch(connection: Connection, statement: str, named: str) -> Sequence[tuple[Any, ...]]:
    try:
        return _rows(connection, statement, named)
    except OperationalError as error:
        if not is_not_text(error):
            raise
    driver: Any = connection.connection.driver_connection
    usual = driver.text_factory
    # Such text has no canonical form: nothing but its own record is to be the worse for it.
    driver.text_factory = lambda raw: raw.decode(errors="surrogateescape")
    try:
        return _rows(connection, statement, named)
    finally:
        driver.text_factory = usual


def _rows(connection: Connection, statement: str, named: str) -> Sequence[tuple[Any, ...]]:
    result = connection.exec_driver_sql(statement, (named,))
    if connection.dialect.name == "sqlite" or result.cursor is None:
        return [tuple(row) for row in result]  # SQLite reads only now, and its errors are to come as SQLAlchemy's
    # As the driver has them: to make SQLAlchemy's rows of them, and never use their names, takes a tenth of it all.
    rows: Sequence[tuple[Any, ...]] = result.cursor.fetchall()
    result.close()
    return rows


def _from_sqlite(row: tuple[Any, ...]) -> StoredRecord:
    values = list(row)
    values[0], values[1], values[4] = _dashed(row[0]), _rfc3339(row[1]), _dashed(row[4])
    values[11], values[12] = _hex(row[11]), _hex(row[12])
    return StoredRecord._make(values)


def _dashed(digits: Any) -> Any:
    if not isinstance(digits, str):
        return digits
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _rfc3339(at: Any) -> Any:
    return f"{at[:10]}T{at[11:]}Z" if isinstance(at, str) and at[10:11] == " " else at


def _hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    # Text there, even of the right digits, is not what was written: as bytes it has no canonical form.
    return value.encode() if isinstance(value, str) else value
