"""Arrays in PostgreSQL's binary form, made whole: many times faster than a driver's dumper called for each element.

The form is that of PostgreSQL's `array_recv`: dimensions, whether there may be NULLs, the element type, the length and
lower bound of the one dimension, then each element after its length, -1 for NULL. Why: docs/decisions/0029.
"""

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii").pack
_NULL = struct.pack("!i", -1)
_UUID_LENGTH = struct.pack("!i", 16)
_LENGTH = struct.Struct("!i").pack
_BOOLEAN = struct.Struct("!i?").pack
_INTEGER = struct.Struct("!ii").pack
_BIGINT = struct.Struct("!iq").pack
_DOUBLE = struct.Struct("!id").pack
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class BinaryArray:
    """A parameter: the array's bytes and the number of its type."""

    oid: int
    data: bytes


def binary_array(kind: str, values: Sequence[Any]) -> BinaryArray:
    """The array of `values`, None for NULL, whose elements are of the PostgreSQL type named `kind`.

    Raises KeyError for a type that is not here, and what Python raises for a value that does not fit the type.
    """
    element, array, pack = _KINDS[kind]
    if not values:
        return BinaryArray(array, struct.pack("!iiI", 0, 0, element))
    return BinaryArray(array, b"".join([_HEAD(1, 1, element, len(values), 1), *pack(values)]))


def register(connection: Connection[Any]) -> None:
    """Let this connection take `BinaryArray` as a parameter."""
    connection.adapters.register_dumper(BinaryArray, _Dumper)


class _Dumper(Dumper):
    format = Format.BINARY

    def get_key(self, obj: BinaryArray, format: PyFormat) -> tuple[type, int]:  # type: ignore[override]  # noqa: A002, ARG002 - its interface
        return (self.cls, obj.oid)

    def upgrade(self, obj: BinaryArray, format: PyFormat) -> Dumper:  # noqa: A002, ARG002 - its interface
        dumper = type(self)(self.cls)
        dumper.oid = obj.oid
        return dumper

    def dump(self, obj: BinaryArray) -> bytes:
        return obj.data


def _uuids(values: Sequence[uuid.UUID | None]) -> list[bytes]:
    return [_NULL if value is None else _UUID_LENGTH + value.bytes for value in values]


def _texts(values: Sequence[str | None]) -> list[bytes]:
    return _byte_strings([None if value is None else value.encode() for value in values])


def _byte_strings(values: Sequence[bytes | None]) -> list[bytes]:
    return [_NULL if value is None else _LENGTH(len(value)) + value for value in values]


def _integers(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if value is None else _INTEGER(4, value) for value in values]


def _bigints(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if value is None else _BIGINT(8, value) for value in values]


def _doubles(values: Sequence[float | None]) -> list[bytes]:
    return [_NULL if value is None else _DOUBLE(8, value) for value in values]


def _booleans(values: Sequence[bool | None]) -> list[bytes]:
    return [_NULL if value is None else _BOOLEAN(1, value) for value in values]


def _times(values: Sequence[dt.datetime | None]) -> list[bytes]:
    # One unit of work writes one time into all its rows.
    known: dict[dt.datetime | None, bytes] = {None: _NULL}
    for value in values:
        if value not in known:
            since = value - _EPOCH  # type: ignore[operator]  # None is known
            known[value] = _BIGINT(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    return [known[value] for value in values]


_Pack = Callable[[Sequence[Any]], list[bytes]]

# Numbers of the element type and its array type: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_KINDS: dict[str, tuple[int, int, _Pack]] = {
    "boolean": (16, 1000, _booleans),
    "bytea": (17, 1001, _byte_strings),
    "bigint": (20, 1016, _bigints),
    "integer": (23, 1007, _integers),
    "text": (25, 1009, _texts),
    "double precision": (701, 1022, _doubles),
    "timestamptz": (1184, 1185, _times),
    "uuid": (2950, 2951, _uuids),
}
