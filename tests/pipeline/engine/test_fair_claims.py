"""What one source sends in a flood leaves room for what trickles in from another."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from uuid_utils.compat import uuid7

from pipeline import ledger
from pipeline.context import Context
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.ledger import NewJob
from pipeline.models import Job
from pipeline.schema import migrate
from tests.support.probe import PROBE, Probe
from tests.support.submissions import SOURCE, submit
from tests.support.work import drain, jobs


def test_a_trickle_is_claimed_at_once_though_a_flood_came_before_it(database: Database, keys: Keys) -> None:
    probe = Probe(database, keys)
    probe.enqueue(*(uuid7() for _ in range(2000)), source="flood")
    trickle = [uuid7() for _ in range(5)]
    probe.enqueue(*trickle, source="trickle")
    first = probe.claim(limit=250)
    assert {job.target_id for job in first} >= set(trickle)
    assert len(first) == 250
    # With one source left, a claim is as large as it was, and takes the oldest.
    second = probe.claim(limit=250)
    assert len(second) == 250
    flood = [row for row in jobs(database) if row.source == "flood"]
    taken = [row.due_at for row in flood if row.lease_token]
    assert max(taken) <= min(row.due_at for row in flood if row.lease_token is None)


def test_two_floods_are_served_alike(database: Database, keys: Keys) -> None:
    probe = Probe(database, keys)
    for source in ("first", "second"):
        probe.enqueue(*(uuid7() for _ in range(30)), source=source)
    probe.claim(limit=20)
    assert Counter(row.source for row in jobs(database) if row.lease_token) == {"first": 10, "second": 10}


def test_at_most_one_isolated_job_is_claimed_whatever_the_number_of_sources(database: Database, keys: Keys) -> None:
    probe = Probe(database, keys)
    for source in ("a", "b", "c"):
        probe.enqueue(uuid7(), uuid7(), source=source)
    with database.write() as connection:
        connection.execute(update(Job).values(isolated=True))
    assert [len(probe.claim()) for _ in range(3)] == [1, 1, 1]


def test_every_job_of_a_submission_is_of_its_source(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    rows = jobs(context.database)
    assert {row.lane for row in rows} >= {"email", "score"}
    assert {row.source for row in rows if row.submission_id == kept.submission_id} == {SOURCE}


@pytest.fixture(scope="module")
def shared_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('fair') / 'fair.db'}")
    migrate(database)
    yield database
    database.dispose()


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 8), max_size=6), st.integers(2, 12))
def test_claims_are_full_and_even_and_leave_nobody_out(
    shared_database: Database, waiting: dict[str, int], limit: int
) -> None:
    with shared_database.writer.connect() as connection:
        for source, number in waiting.items():
            ledger.enqueue(connection, [NewJob(PROBE, uuid7(), None, source=source) for _ in range(number)])
        sources = {row.id: row.source for row in connection.execute(Job.table().select())}
        left = Counter(waiting)
        while left:
            taken = Counter(sources[job.id] for job in ledger.claim(connection, PROBE, limit, 60))
            assert taken.total() == min(limit, left.total())
            for source in taken:
                # Whoever got less than another by more than the odd one has nothing more to give.
                assert all(taken[other] >= taken[source] - 1 or taken[other] == left[other] for other in left)
            left -= taken
        connection.rollback()
