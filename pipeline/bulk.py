"""Many rows in one statement, the same statement text on both databases.

The body of a statement reads its rows from a relation called `v`. On PostgreSQL `v` is `unnest` over one binary array
parameter a column, about twice as fast as a VALUES list of the same rows; on SQLite it is one row, executed many times.
`is_among` is the same for a statement that only needs to know which rows are meant; `is_one_of` is that for a
statement of the hot path, which is built once for each database.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, bindparam, func, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import NULLTYPE, NullType, TypeDecorator, TypeEngine

from pipeline.binary_arrays import BinaryArray, binary_array
from pipeline.db import sqlite_timestamp

_POSTGRESQL = postgresql.dialect()
_SHORT_NAMES = {"timestamp with time zone": "timestamptz"}


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
        connection.exec_driver_sql(_unnest(tuple(types.items())) + body, _arrays(types, rows))
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
        statement = _unnest(tuple(types.items())) + body
        return list(connection.exec_driver_sql(statement, _arrays(types, rows)).fetchall())
    statement = _one_row(tuple(types)) + body
    return [found for row in rows for found in connection.exec_driver_sql(statement, _sqlite_row(row)).fetchall()]


def insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]], suffix: str = ""
) -> None:
    """Insert rows given as tuples in the order of `columns`; `suffix` may be an ON CONFLICT clause."""
    names = ", ".join(columns)
    body = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM v WHERE true {suffix}"  # noqa: S608 - names of our own tables
    execute(connection, body, column_types(table, tuple(columns)), list(rows))


def is_among(
    connection: Connection, column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """The condition that `column` is one of `values`, for `select(…).where(is_among(connection, Email.id, ids))`.

    On PostgreSQL it is `column = ANY(…)` over one binary array: one statement text however many values there are, so
    it is compiled once and prepared once, which an `IN` list never is. On SQLite it is `IN`. No values, no rows.
    Wants a column of one of the types in `pipeline.binary_arrays`; values are as the column keeps them, not NULL.
    """
    if connection.dialect.name != "postgresql":
        return column.in_(list(values))
    return column == func.any(literal(binary_array(_type_name(column.type), list(values)), NULLTYPE))


def is_one_of(dialect: str, column: ColumnElement[Any] | InstrumentedAttribute[Any], name: str) -> ColumnElement[bool]:
    """As `is_among`, with the list of values given as parameter `name` whenever the statement is executed.

    Building a statement takes longer than PostgreSQL takes to answer it, so those that every batch needs are built by a
    cached function of the dialect's name, and executed with `{name: [...]}`.
    """
    if dialect != "postgresql":
        return column.in_(bindparam(name, expanding=True))
    return column == func.any(bindparam(name, type_=_ListOf(_type_name(column.type))))


class _ListOf(TypeDecorator[Any]):
    """A list as a binary array whose elements are of the PostgreSQL type named `kind`."""

    impl = NullType
    cache_ok = True

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> BinaryArray:  # noqa: ARG002 - its interface
        return binary_array(self.kind, value)


@cache
def column_types(table: Table, columns: tuple[str, ...]) -> Mapping[str, str]:
    """PostgreSQL type names of a table's columns, as `execute` wants them."""
    return {name: _type_name(table.c[name].type) for name in columns}


@cache
def _type_name(kind: TypeEngine[Any]) -> str:
    name = kind.compile(_POSTGRESQL).lower()
    return _SHORT_NAMES.get(name, name)


def _arrays(types: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> tuple[BinaryArray, ...]:
    columns = zip(*rows, strict=True)
    return tuple(binary_array(kind, column) for kind, column in zip(types.values(), columns, strict=True))


@cache
def _unnest(types: tuple[tuple[str, str], ...]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in types)
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
