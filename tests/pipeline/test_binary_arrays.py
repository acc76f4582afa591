"""What goes to PostgreSQL in a binary array comes back the same."""

import datetime as dt
import struct
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from pipeline import bulk
from pipeline.binary_arrays import binary_array
from pipeline.db import Database
from pipeline.models import Submission
from tests.servers.postgres import PostgresServer

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30) | st.just("ñ" * 70_000),
    "bytea": st.binary(max_size=30) | st.just(b"\x00" * 70_000),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "timestamptz": st.datetimes(
        min_value=dt.datetime(1, 1, 2),  # noqa: DTZ001 - a bound
        max_value=dt.datetime(9999, 12, 30),  # noqa: DTZ001 - a bound
        timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-7, minutes=-30))]),
    ),
}


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer) -> Iterator[Connection]:
    database = Database(postgres.create_database("binary-arrays"))
    with database.read() as opened:
        yield opened
    database.dispose()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(KINDS)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(st.none() | KINDS[kind], max_size=8))
    )
)
def test_every_value_comes_back_as_it_was(connection: Connection, given_array: tuple[str, list[Any]]) -> None:
    kind, values = given_array
    statement = f"SELECT value FROM unnest(%b::{kind}[]) WITH ORDINALITY AS a(value, place) ORDER BY place"
    found = [row[0] for row in connection.exec_driver_sql(statement, (binary_array(kind, values),))]
    assert found == values


@pytest.mark.parametrize(("kind", "value"), [("integer", 2**31), ("timestamptz", dt.datetime(2026, 1, 1))])  # noqa: DTZ001 - that is the mistake
def test_what_does_not_fit_is_refused_before_it_is_sent(kind: str, value: object) -> None:
    with pytest.raises((TypeError, struct.error)):
        binary_array(kind, [value])


def test_the_same_text_asks_for_any_number_of_rows(database: Database) -> None:
    ids = [uuid.uuid4() for _ in range(3)]
    texts = set()
    with database.read() as opened:
        for number in range(4):
            statement = select(Submission.id).where(bulk.is_among(opened, Submission.id, ids[:number]))
            assert opened.execute(statement).all() == []
            texts.add(str(statement.compile(opened)))
    if database.is_postgresql:
        assert len(texts) == 1
