"""Records read in bulk come to the same canonical form as `record.canonical_form` defines."""

import datetime as dt
import uuid
from typing import Any

import pytest
from hypothesis import given
from sqlalchemy import insert

from pipeline.audit.record import COLUMNS, canonical_form, leaf_hash
from pipeline.audit.stored import _from_sqlite, read_all_records, read_records
from pipeline.db import Database, sqlite_timestamp
from pipeline.models import AuditEvent
from tests.pipeline.audit.test_record import rows

TIMES = [
    dt.datetime(2026, 11, 22, 10, 4, 5, microsecond, tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    for microsecond, hours in ((0, 0), (1, 1), (120_000, -7), (999_999, 5))
]


def sqlite_value(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return value.hex
    return sqlite_timestamp(value) if isinstance(value, dt.datetime) else value


@given(rows)
def test_a_row_of_sqlite_has_the_form_of_its_columns(columns: dict[str, Any]) -> None:
    raw = (*(sqlite_value(columns[name]) for name in COLUMNS), b"", b"")
    assert _from_sqlite(raw).form == canonical_form(columns)


@pytest.mark.parametrize("name", ["id", "occurred_at", "details", "health_ciphertext", "actor"])
def test_what_was_not_written_in_its_type_has_another_form_or_none(name: str) -> None:
    """A column of SQLite takes any type: text in place of the bytes that it spells, and the other way round."""
    written = {"id": uuid.UUID(int=5).hex, "occurred_at": "2026-11-22 09:04:05.000000", "details": "{}"}
    plain = {**dict.fromkeys(COLUMNS), **written, "health_ciphertext": b"\xab", "actor": "lane:score", "seq": 1}
    value: Any = plain[name]
    others: list[Any] = [value.hex()] if isinstance(value, bytes) else [value.encode(), f" {value}"]
    if " " in str(value):
        others.append(value.replace(" ", "T"))
    right = _from_sqlite((*plain.values(), b"", b"")).computed_leaf
    assert right is not None
    for other in others:
        assert _from_sqlite((*{**plain, name: other}.values(), b"", b"")).computed_leaf != right


def test_both_databases_give_the_form_of_what_was_written(database: Database) -> None:
    written: list[dict[str, Any]] = [
        {
            "id": uuid.UUID(int=number + 1),
            "occurred_at": at,
            "actor": 'lane:"ñ"\n',
            "action": "page:opened",
            "submission_id": uuid.UUID(int=99) if number else None,
            "seq": number + 1000,
            "request_id": None if number else "r",
            "job_id": 2**40 if number else None,
            "attempt": number or None,
            "reason": "\u2028 \\" if number else None,
            "details": '{"score":1}',
            "health_ciphertext": b"\x00\xff" if number else None,
            "health_commitment": bytes(32) if number else None,
            "canonical_version": 1,
        }
        for number, at in enumerate(TIMES)
    ]
    for row in written:
        row["leaf_hash"], row["mac"] = leaf_hash(row), b"\x01" * 32
    with database.write() as connection:
        connection.execute(insert(AuditEvent), written)
    with database.snapshot() as connection:
        found = read_records(connection, [row["id"].hex for row in written])
        streamed = {record.id: record for record in read_all_records(connection)}
    for row in written:
        record = found[row["id"].hex]
        assert record == streamed[str(row["id"])]
        assert record.form == canonical_form(row)
        assert (record.computed_leaf, record.leaf_hash, record.mac) == (row["leaf_hash"], row["leaf_hash"], row["mac"])
