"""What only grows refuses to shrink or change, even for the owner of the tables."""

import datetime as dt
import uuid
from typing import Any

import pytest
from sqlalchemy import Column, Table, text
from sqlalchemy.exc import DBAPIError

from pipeline.db import Database, UtcDateTime, utc_now
from pipeline.models import (
    ActivityReview,
    AuditArchive,
    AuditCheckpoint,
    AuditEvent,
    AuditLog,
    AuditTile,
    ConsentEntry,
    Erasure,
    ProviderVersion,
)
from tests.support.work import table

KEPT = {
    model.table(): column
    for model, column in (
        (ActivityReview, "finding"),
        (AuditArchive, "digest"),
        (AuditCheckpoint, "note"),
        (AuditEvent, "reason"),
        (AuditLog, "origin"),
        (AuditTile, "hashes"),
        (ConsentEntry, "decision"),
        (Erasure, "cause"),
        (ProviderVersion, "digest"),
    )
}
"""The tables, and a column of each that somebody might want to change."""

EVADING = {
    "postgresql": [
        "INSERT INTO audit_event SELECT * FROM audit_event ON CONFLICT (id) DO UPDATE SET actor = 'lane:nobody'",
    ],
    "sqlite": [
        "REPLACE INTO audit_event SELECT * FROM audit_event",
        "UPDATE OR REPLACE audit_event SET actor = 'lane:nobody'",
        "REPLACE INTO provider_version SELECT * FROM provider_version",
    ],
}
"""Statements that change a row, or put another in its place, under another name."""

LONG = dt.timedelta(days=9)
"""An archive of what is older lets nothing go that is here."""


def value(column: Column[Any]) -> Any:
    if isinstance(column.type, UtcDateTime):
        return utc_now() - (LONG if column.name == "before" else dt.timedelta())
    return {int: 1, str: "x", bytes: bytes(32), uuid.UUID: uuid.uuid4()}[column.type.python_type]


def keep_a_row(database: Database, of: Table) -> None:
    with database.write() as connection:
        connection.execute(
            of.insert().values({column.name: value(column) for column in of.columns if not column.nullable})
        )


def test_nothing_of_it_is_changed_or_removed_whoever_tries(database: Database) -> None:
    for of, column in KEPT.items():
        if not table(database, of):
            keep_a_row(database, of)
        before = table(database, of)
        attempts = [f"UPDATE {of.name} SET {column} = 'other'", f"DELETE FROM {of.name}"]
        if database.is_postgresql:
            attempts.append(f"TRUNCATE {of.name} CASCADE")
        for attempt in attempts:
            with pytest.raises(DBAPIError, match=f"{of.name} is append-only"), database.write() as connection:
                connection.execute(text(attempt))
        assert table(database, of) == before


def test_no_statement_that_replaces_a_row_gets_around_it(database: Database) -> None:
    kept = [AuditEvent.table(), ProviderVersion.table()]
    before = [table(database, of) for of in kept]
    for attempt in EVADING["postgresql" if database.is_postgresql else "sqlite"]:
        with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
            connection.execute(text(attempt))
    assert [table(database, of) for of in kept] == before
