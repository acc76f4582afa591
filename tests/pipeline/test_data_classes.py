"""The classes of data: every column has one, and keeps what it says, of people whose every answer can be recognised."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from config.screening import DataClass
from pipeline.audit.actions import staff
from pipeline.context import Context
from pipeline.data_classes import TABLES, Fate, Kept, columns
from pipeline.db import utc_now
from pipeline.erasure.erasing import erase_now
from pipeline.erasure.journal import Cause
from pipeline.models import Base, DataKey, SealedDocument
from pipeline.outreach import TO_PERSON
from pipeline.retention import let_go
from pipeline.submission import Part
from tests.end_to_end.haystacks import Hay, find, in_database
from tests.pipeline.stages.every_kind import ADDRESSES, HEALTH, IDENTITY, MARKER, every_kind
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, table

PROVIDERS = "provider_version"
"""What providers publish names such facts, too."""
HASHES = frozenset({Kept.KEYED_HASH, Kept.COMMITMENT, Kept.UNGUESSABLE})
HASH_BYTES = 32


def test_every_column_of_every_table_has_a_class_and_nothing_else_has() -> None:
    there = {(name, column.name) for name, table in Base.metadata.tables.items() for column in table.columns}
    assert {(name, column) for name, column, _ in columns()} == there


def test_what_is_about_a_person_is_readable_in_no_column() -> None:
    assert [
        f"{name}.{column}"
        for name, column, held in columns()
        if held.data_class is not DataClass.PUBLIC and held.kept is Kept.PLAIN
    ] == []


def test_every_column_keeps_what_its_class_says(sqlite_context: Context) -> None:
    """Whoever has the database finds nothing of what was said; whoever has the keysets as well finds it where told."""
    context = sqlite_context
    every_kind(context)
    drain(context)
    stored = [item for item in in_database(context.database) if not item.where.startswith(PROVIDERS)]
    assert find([*IDENTITY, *HEALTH, *ADDRESSES], stored) == []

    opened = find([MARKER], sealed_documents(context))
    assert {"body", "answers"} <= {part for _, part in opened}

    hashed = {f"{name}.{column}": len(value) for name, column, value in values(context, HASHES)}
    assert {"person_index.person", "person_index.email", "recent_request.fingerprint"} <= hashed.keys()
    assert set(hashed.values()) == {HASH_BYTES}


def test_an_erasure_leaves_what_its_classes_say(sqlite_context: Context) -> None:
    context = sqlite_context
    every_kind(context)
    drain(context, transport=ScriptedTransport())
    before = everything(context)
    erase_now(context, staff("tests"), [row["id"] for row in before["submission"]], Cause.REQUEST)
    drain(context, transport=ScriptedTransport())  # providers are told
    after = everything(context)

    about_somebody = {name for name, rows in before.items() if rows and TABLES[name].fate is not Fate.NOBODY}
    assert {"data_key", "sealed_document", "person_index", "email_attempt", "consent_entry"} <= about_somebody
    left = {name for name in about_somebody if after[name]}
    assert left == {name for name in about_somebody if TABLES[name].fate is not Fate.GOES}
    to_providers = {row["id"] for row in after["email"] if row["recipient"] != TO_PERSON}
    let_go(context, staff("tests"), now=utc_now() + dt.timedelta(days=31))
    much_later = everything(context)
    for name, column, held in columns():
        if held.fate in {Fate.EMPTIED, Fate.EMPTIED_LATER}:
            rows = (after if held.fate is Fate.EMPTIED else much_later)[name]
            kept = [row for row in rows if row[column]]
            assert [row for row in kept if row.get("email_id") not in to_providers] == [], (name, column)


def everything(context: Context) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table."""
    return {
        name: [dict(row._mapping) for row in table(context.database, of)] for name, of in Base.metadata.tables.items()
    }


def values(context: Context, kept: frozenset[Kept]) -> Iterator[tuple[str, str, Any]]:
    """What is stored in the columns of these forms, but nothing."""
    with context.database.read() as connection:
        for name, column, held in columns():
            if held.kept in kept:
                stored = Base.metadata.tables[name].columns[column]
                for value in connection.execute(select(stored).where(stored.is_not(None))).scalars():
                    yield name, column, bytes(value)


def sealed_documents(context: Context) -> Iterator[Hay]:
    """Every sealed document, opened by its own key."""
    joined = select(SealedDocument.table(), DataKey.wrapped_key).join(
        DataKey, DataKey.submission_id == SealedDocument.submission_id
    )
    with context.database.read() as connection:
        for row in connection.execute(joined):
            key = context.vault.data_key(row.submission_id, bytes(row.wrapped_key))
            ciphertext = bytes(row.ciphertext)
            if row.part == Part.BODY:
                yield Hay("sealed", row.part, key.open(row.part, ciphertext))
            else:
                yield Hay("sealed", row.part, repr(key.open_json(row.part, ciphertext)).encode())
