"""Many rows in one statement, the same statement text on both databases.

The body of a statement reads its rows from a relation called `v`. On PostgreSQL `v` is `unnest` over one binary array
parameter a column, about twice as fast as a VALUES list of the same rows; on SQLite it is one row, executed many times.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

from pipeline.db import sqlite_timestamp

_POSTGRESQL = postgresql.dialect()


def execute(
    connection: Connection,
    body: str,
    types: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Run `body`, which reads relation `v` with the columns of `types` (name → PostgreSQL type), over all `rows`."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        columns = list(zip(*rows, strict=True))
        present = tuple(any(value is not None for value in column) for column in columns)
        statement = _unnest(tuple(types.items()), present) + body
        connection.exec_driver_sql(statement, tuple(list(c) for c, p in zip(columns, present, strict=True) if p))
    else:
        connection.exec_driver_sql(_one_row(tuple(types)) + body, [_sqlite_row(row) for row in rows])


def fetch(
    connection: Connection,
    body: str,
    types: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> list[Any]:
    """As `execute`, for a body with RETURNING; the returned rows of all executions."""
    if not rows:
        return []
    if connection.dialect.name == "postgresql":
        columns = list(zip(*rows, strict=True))
        present = tuple(any(value is not None for value in column) for column in columns)
        statement = _unnest(tuple(types.items()), present) + body
        parameters = tuple(list(c) for c, p in zip(columns, present, strict=True) if p)
        return list(connection.exec_driver_sql(statement, parameters).fetchall())
    statement = _one_row(tuple(types)) + body
    return [found for row in rows for found in connection.exec_driver_sql(statement, _sqlite_row(row)).fetchall()]


def insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]], suffix: str = ""
) -> None:
    """Insert rows given as tuples in the order of `columns`; `suffix` may be an ON CONFLICT clause."""
    names = ", ".join(columns)
    body = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM v WHERE true {suffix}"  # noqa: S608 - names of our own tables
    execute(connection, body, column_types(table, tuple(columns)), list(rows))


@cache
def column_types(table: Table, columns: tuple[str, ...]) -> Mapping[str, str]:
    """PostgreSQL type names of a table's columns, as `execute` wants them."""
    return {name: table.c[name].type.compile(_POSTGRESQL) for name in columns}


@cache
def _unnest(types: tuple[tuple[str, str], ...], present: tuple[bool, ...]) -> str:
    # A column of NULLs only has no element type to send: unnest pads the missing array with NULLs instead.
    arrays = ", ".join(
        f"%b::{kind}[]" if here else f"NULL::{kind}[]" for (_, kind), here in zip(types, present, strict=True)
    )
    names = ", ".join(name for name, _ in types)
    return f"WITH v({names}) AS (SELECT * FROM unnest({arrays})) "  # noqa: S608 - names of our own columns


@cache
def _one_row(names: tuple[str, ...]) -> str:
    return f"WITH v({', '.join(names)}) AS (VALUES ({', '.join('?' for _ in names)})) "


def _sqlite_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_sqlite_value(value) for value in row)


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, dt.datetime):
        return sqlite_timestamp(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value
