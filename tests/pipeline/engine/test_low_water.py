"""A claim looks where this process last found something, and overlooks nothing for long."""

import datetime as dt
import json
import uuid
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, func, update
from uuid_utils.compat import uuid7

from pipeline import ledger, low_water
from pipeline.db import Database, utc_now
from pipeline.keys import Keys
from pipeline.ledger import ClaimedJob
from pipeline.low_water import LAG, LOOK_BACK_SHARE, LowWater
from pipeline.models import Job
from tests.support.probe import PROBE, Probe

JUST_NOW = dt.timedelta(milliseconds=10)
"""Ago: the clock of SQLite shows milliseconds, so what is due at this very moment may not be due yet."""
HOUR = dt.timedelta(hours=1)
LONG = 600.0
"""Seconds after which any look back is followed by another."""


class Marking(Probe):
    """A process that remembers where it looked."""

    def __init__(self, database: Database, keys: Keys, marks: LowWater) -> None:
        super().__init__(database, keys)
        self.marks = marks

    def enqueue_due(self, since: dt.timedelta, source: str = "") -> uuid.UUID:
        """Ask for work that has been due for so long."""
        target = uuid7()
        self.enqueue(target, source=source)
        with self.database.write() as connection:
            connection.execute(update(Job).where(Job.target_id == target).values(due_at=utc_now() - since))
        return target

    def take(self, limit: int = 1) -> list[uuid.UUID]:
        """Claim by the marks; in order of targets, which is that of asking."""
        with self.database.write() as connection:
            return sorted(job.target_id for job in ledger.claim(connection, PROBE, limit, 60, self.marks))


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds by which marks are reckoned. They stand still, so that every look back was just now."""
    seconds = [1000.0]
    monkeypatch.setattr(low_water, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    return seconds


@pytest.fixture
def marking(database: Database, keys: Keys, monotonic: list[float]) -> Marking:
    """Its mark is a little before an hour ago."""
    process = Marking(database, keys, LowWater())
    first = process.enqueue_due(HOUR)
    assert process.take() == [first]
    assert monotonic == [1000.0]
    return process


def test_what_is_older_than_the_mark_is_taken_when_nothing_else_is_there(marking: Marking) -> None:
    older = marking.enqueue_due(2 * HOUR)
    assert marking.take() == [older]
    of_another_source = marking.enqueue_due(2 * HOUR, "another")
    assert marking.take() == [of_another_source]
    assert marking.take() == []


def test_what_is_older_than_the_mark_waits_only_until_the_next_look_back(
    marking: Marking, monotonic: list[float]
) -> None:
    older, *younger = [marking.enqueue_due(since * HOUR) for since in (2.0, 0.3, 0.2, 0.1)]
    assert [*marking.take(), *marking.take()] == younger[:2]
    monotonic[0] += LONG
    assert marking.take() == [older]
    assert marking.take() == younger[2:]


def test_a_source_that_is_new_waits_only_until_the_next_look_back(marking: Marking, monotonic: list[float]) -> None:
    trickle = marking.enqueue_due(JUST_NOW, "a trickle")
    flood = [marking.enqueue_due(0.5 * HOUR) for _ in range(4)]
    assert marking.take() == flood[:1]
    monotonic[0] += LONG
    assert marking.take(2) == [trickle, flood[1]]
    again = marking.enqueue_due(JUST_NOW, "a trickle")
    assert marking.take(2) == [flood[2], again], "now it is known"


def test_what_is_committed_a_little_late_is_taken_at_once(marking: Marking) -> None:
    late = marking.enqueue_due(HOUR + LAG / 2)
    younger = marking.enqueue_due(HOUR / 2)
    assert marking.take() == [late]
    assert marking.take() == [younger]


def test_a_clock_that_was_set_back_delays_nothing_for_long(marking: Marking, monotonic: list[float]) -> None:
    """What is asked for from now on is due before what was asked for last."""
    before = [marking.enqueue_due(since * HOUR) for since in (9.0, 8.0, 0.5)]
    monotonic[0] += LONG
    assert [*marking.take(), *marking.take()] == before[:2], "its mark went back too"


def test_looking_back_takes_a_small_share_of_the_time(monotonic: list[float]) -> None:
    marks = LowWater()
    assert marks.is_to_look_back()
    for took in (0.001, 3.0):
        marks.looked_back(took)
        pause = took / LOOK_BACK_SHARE
        monotonic[0] += pause * 0.99
        assert not marks.is_to_look_back()
        monotonic[0] += pause * 0.02
        assert marks.is_to_look_back()


@pytest.mark.parametrize("looks_back", [False, True])
def test_a_claim_of_one_job_is_two_statements(marking: Marking, monotonic: list[float], *, looks_back: bool) -> None:
    marking.enqueue_due(HOUR / 2)
    monotonic[0] += LONG * looks_back
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(marking.database.writer, "before_cursor_execute", note)
    assert len(marking.take()) == 1
    assert len(statements) == 2


# --- what it is for ---

JOBS, APART = 6000, dt.timedelta(milliseconds=20)


@pytest.mark.parametrize("sources", [("only",), ("first", "second")])
def test_under_an_old_snapshot_a_claim_reads_hardly_more(
    postgresql_database: Database, keys: Keys, sources: tuple[str, ...]
) -> None:
    probe = Probe(postgresql_database, keys)
    for source in sources:
        probe.enqueue(*(uuid7() for _ in range(JOBS // len(sources))), source=source)
    with postgresql_database.write() as connection:
        since = func.clock_timestamp() - (JOBS + 1) * APART
        connection.execute(update(Job).values(due_at=since + func.random() * JOBS * APART))
    with postgresql_database.read() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE job")
    marks = LowWater(look_back_share=1e-12)
    with postgresql_database.writer.connect() as connection, postgresql_database.snapshot() as old:
        buffers = _heard(connection)
        old.exec_driver_sql("SELECT count(*) FROM job")
        _work_off(connection, 50, marks)  # now the marks are known
        at_first = _read_by_a_claim(connection, buffers, marks)
        for _ in range(JOBS // 250 - 2):
            _work_off(connection, 250, marks)
        later = _read_by_a_claim(connection, buffers, marks)
        without_marks = _read_by_a_claim(connection, buffers, None)
    assert later < 4 * at_first, "it walks over the last batch, what came shortly before it, and pages without room"
    assert without_marks > 10 * at_first, "so there was something to walk over"


def _read_by_a_claim(connection: Connection, buffers: list[int], marks: LowWater | None) -> int:
    """How many buffers a claim of fifty reads."""
    buffers.clear()
    claimed = ledger.claim(connection, PROBE, 50, 60, marks)
    found = sum(buffers)
    _finish(connection, claimed, 50)
    return found


def _work_off(connection: Connection, number: int, marks: LowWater) -> None:
    _finish(connection, ledger.claim(connection, PROBE, number, 60, marks), number)


def _finish(connection: Connection, claimed: list[ClaimedJob], number: int) -> None:
    assert len(claimed) == number
    ledger.finish(connection, claimed, {job.id: job.generation for job in claimed})
    connection.commit()


def _heard(connection: Connection) -> list[int]:
    """The buffers read by each statement from now on, as EXPLAIN (ANALYZE, BUFFERS) tells them."""
    buffers: list[int] = []

    def hear(message: psycopg.errors.Diagnostic) -> None:
        said = message.message_primary or ""
        if "plan:" in said:
            plan: dict[str, Any] = json.loads(said.partition("plan:")[2])["Plan"]
            buffers.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    connection.exec_driver_sql("LOAD 'auto_explain'")
    for setting in ("min_duration = 0", "analyze = on", "buffers = on", "format = json", "level = notice"):
        connection.exec_driver_sql(f"SET auto_explain.log_{setting}")
    driver: Any = connection.connection.driver_connection
    driver.add_notice_handler(hear)
    connection.commit()
    return buffers
