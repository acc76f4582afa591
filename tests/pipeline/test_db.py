import datetime as dt
import uuid
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from pipeline import bulk
from pipeline.db import Database, clock, clock_after, is_transient
from pipeline.models import Heartbeat, LanePause, Submission
from tests.support.work import table


def test_times_come_back_aware_in_utc_and_sort_alike_everywhere(database: Database) -> None:
    zone = dt.timezone(dt.timedelta(hours=-7))
    moments = [dt.datetime(2026, 11, 22, 1, 2, 3, micro, tzinfo=zone) for micro in (0, 5, 999_999)]
    with database.write() as connection:
        for place, moment in enumerate(moments):
            bulk.insert(connection, Heartbeat.table(), ("name", "at"), [(str(place), moment)])
        connection.execute(Heartbeat.table().insert().values(name="core", at=moments[1]))
    with database.read() as connection:
        found = [row.at for row in connection.execute(select(Heartbeat.table()).order_by(Heartbeat.at, Heartbeat.name))]
        later = connection.execute(select(Heartbeat.name).where(Heartbeat.at > moments[1])).scalars().all()
    assert found == [moments[0], moments[1], moments[1], moments[2]]
    assert {moment.tzinfo for moment in found} == {dt.UTC}
    assert later == ["2"]


def test_the_databases_clock_reads_as_its_own_columns_do(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO lane_pause (lane, reason, since, until) "
            f"VALUES ('probe', '', {clock(connection)}, {clock_after(connection, '90.5')})"
        )
    (row,) = table(database, LanePause.table())
    assert dt.timedelta(seconds=90.4) < row.until - row.since < dt.timedelta(seconds=91)
    assert abs(dt.datetime.now(dt.UTC) - row.since) < dt.timedelta(minutes=1)


def test_readers_cannot_write_where_the_database_can_tell(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection, pytest.raises(DBAPIError, match="readonly"):
        connection.execute(Heartbeat.table().insert().values(name="x", at=dt.datetime.now(dt.UTC)))


def test_a_write_is_whole_or_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            bulk.insert(connection, Heartbeat.table(), ("name", "at"), [("x", dt.datetime.now(dt.UTC))])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert table(database, Heartbeat.table()) == []


def test_bad_data_is_not_a_reason_to_try_again_and_a_lost_connection_is(postgresql_database: Database) -> None:
    with postgresql_database.write() as connection, pytest.raises(IntegrityError) as refused:
        bulk.insert(connection, Heartbeat.table(), ("name", "at"), [("x", None)])
    assert not is_transient(refused.value)
    assert not is_transient(ValueError("no database error at all"))
    with postgresql_database.reader.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(postgresql_database.url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(DBAPIError) as lost:
            connection.execute(text("SELECT 1"))
    assert is_transient(lost.value)


def test_waiting_in_a_circle_is_a_reason_to_try_again(postgresql_database: Database) -> None:
    moment = dt.datetime.now(dt.UTC)
    with postgresql_database.write() as connection:
        bulk.insert(connection, Heartbeat.table(), ("name", "at"), [("a", moment), ("b", moment)])
    touch = "UPDATE heartbeat SET at = now() WHERE name = '{}'"
    with postgresql_database.writer.connect() as one, postgresql_database.writer.connect() as other:
        one.exec_driver_sql(touch.format("a"))
        other.exec_driver_sql("SET lock_timeout = '100ms'")
        other.exec_driver_sql(touch.format("b"))
        with pytest.raises(DBAPIError) as stuck:
            other.exec_driver_sql(touch.format("a"))
    assert is_transient(stuck.value)


OFFSETS = st.integers(-14, 14).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
FIRST, LAST = dt.datetime(1900, 1, 2), dt.datetime(2200, 1, 1)  # noqa: DTZ001 - bounds, given their zones below
values = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "reference": st.uuids().map(str),
        "source": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        "status": st.just("received"),
        "status_changed_at": st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC)),
        "audit_seq": st.integers(0, 2**31 - 1),
        "received_at": st.datetimes(FIRST, LAST, timezones=OFFSETS),
        "screening_version": st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=5),
        "revision_of": st.none() | st.uuids(),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=1, max_size=4, unique_by=lambda row: row["id"]))
def test_rows_written_in_bulk_come_back_as_they_went_in(database: Database, rows: list[dict[str, Any]]) -> None:
    columns = tuple(rows[0])
    with database.writer.connect() as connection:
        bulk.insert(connection, Submission.table(), columns, [tuple(row[name] for name in columns) for row in rows])
        found = {row.id: row._asdict() for row in connection.execute(select(Submission.table()))}
        connection.rollback()
    assert found == {row["id"]: row for row in rows}


def test_a_bulk_statement_returns_a_row_for_each_that_it_touched(database: Database) -> None:
    ids = [uuid.uuid4() for _ in range(3)]
    with database.write() as connection:
        bulk.execute(connection, "DELETE FROM job WHERE id IN (SELECT id FROM v)", {"id": "bigint"}, [])
        found = bulk.fetch(connection, "SELECT v.id FROM v", {"id": "uuid"}, [(each,) for each in ids])
        assert bulk.fetch(connection, "SELECT v.id FROM v", {"id": "uuid"}, []) == []
    assert [str(row[0]).replace("-", "") for row in found] == [each.hex for each in ids]
