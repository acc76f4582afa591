"""Many rows in one statement, the same statement text on both databases.

The body of a statement reads its rows from a relation called `v`. On PostgreSQL `v` is `unnest` over one binary array
parameter a column, about twice as fast as a VALUES list of the same rows. On SQLite it is one row, executed many times;
where rows come back, it is as many as fit into one statement.
`is_among` is the same for a statement that only needs to know which rows are meant; `is_one_of` is that for a
statement of the hot path, which is built once for each database.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, bindparam, func, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import NULLTYPE, NullType, TypeDecorator, TypeEngine

from pipeline.binary_arrays import BinaryArray, binary_array
from pipeline.db import sqlite_timestamp

_POSTGRESQL = postgresql.dialect()
_SQLITE_PARAMETERS = 30_000
"""For one statement, somewhat fewer than it takes (https://www.sqlite.org/limits.html#max_variable_number)."""
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
        connection.exec_driver_sql(_values(tuple(types), 1) + body, _sqlite_rows(types, rows))


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
    found: list[Any] = []
    known, names = _sqlite_rows(types, rows), tuple(types)
    at_once = _SQLITE_PARAMETERS // len(names)
    for start in range(0, len(known), at_once):
        some = known[start : start + at_once]
        statement = _values(names, len(some)) + body
        found += connection.exec_driver_sql(statement, tuple(chain.from_iterable(some))).fetchall()
    return found


def insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]], suffix: str = ""
) -> None:
    """Insert rows given as tuples in the order of `columns`; `suffix` may be an ON CONFLICT clause."""
    change = insertion(table, tuple(columns), list(rows))
    execute(connection, f"{change.body.format(v='v')} {suffix}", change.types, change.rows)


@dataclass(frozen=True, slots=True)
class Change:
    """Of one table, by `body`, which reads its rows from relation `{v}` with the columns of `types`."""

    body: str
    types: Mapping[str, str]
    rows: Sequence[tuple[Any, ...]]


def insertion(table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Change:
    """Rows as they are, in the order of `columns`."""
    return Change(_insert_as_they_are(table, columns), column_types(table, columns), rows)


def write_all(connection: Connection, changes: Iterable[Change]) -> None:
    """Change several tables, given in such an order that each comes after those it refers to.

    On PostgreSQL by one statement, since the way there and back costs more than the few rows of a request: references
    between its tables are checked at its end.
    """
    wanted = [each for each in changes if each.rows]
    if not wanted:
        return
    if connection.dialect.name == "postgresql":
        statement = _write_into_all(tuple((each.body, tuple(each.types.items())) for each in wanted))
        arrays = [array for each in wanted for array in _arrays(each.types, each.rows)]
        connection.exec_driver_sql(statement, tuple(arrays))
        return
    for each in wanted:
        execute(connection, each.body.format(v="v"), each.types, each.rows)


@cache
def _insert_as_they_are(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {{v}} WHERE true"  # noqa: S608 - names of our own tables


@cache
def _write_into_all(changes: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> str:
    relations = [_relation(f"v{place}", types) for place, (_, types) in enumerate(changes)]
    *others, last = (body.format(v=f"v{place}") for place, (body, _) in enumerate(changes))
    return f"WITH {', '.join([*relations, *(f'w{place} AS ({each})' for place, each in enumerate(others))])} {last}"


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
    return f"WITH {_relation('v', types)} "


def _relation(name: str, types: tuple[tuple[str, str], ...]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in types)
    names = ", ".join(column for column, _ in types)
    return f"{name}({names}) AS (SELECT * FROM unnest({arrays}))"  # noqa: S608 - names of our own columns


@lru_cache(maxsize=128)
def _values(names: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' for _ in names)})"
    return f"WITH v({', '.join(names)}) AS (VALUES {', '.join([row] * rows)}) "


def _sqlite_rows(types: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows as SQLite keeps them."""
    columns = zip(*rows, strict=True)
    as_kept = [_as_sqlite_keeps(kind, column) for kind, column in zip(types.values(), columns, strict=True)]
    return list(zip(*as_kept, strict=True))


def _as_sqlite_keeps(kind: str, column: Sequence[Any]) -> Sequence[Any]:
    match kind:
        case "uuid":  # what is refused for not being one is named as it was found
            return [value.hex if isinstance(value, uuid.UUID) else value for value in column]
        case "timestamptz":  # one unit of work writes one time into all its rows
            known = {value: None if value is None else sqlite_timestamp(value) for value in set(column)}
            return [known[value] for value in column]
        case "date":
            return [None if value is None else value.isoformat() for value in column]
    return column
