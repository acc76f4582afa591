import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from pipeline.intake.accept import Arrival, KeyReused, Outcome
from pipeline.intake.group_commit import MOST_TOGETHER, GroupCommit


class Database:
    """Keeps what it is given once it is let; a body `bad` fails by itself, `all` fails the whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.begun, self.may_commit = threading.Event(), threading.Event()

    def keep(self, arrivals: Sequence[Arrival]) -> list[Outcome | Exception]:
        self.batches.append([arrival.body for arrival in arrivals])
        self.begun.set()
        assert self.may_commit.wait(30)
        if any(arrival.body == b"all" for arrival in arrivals):
            raise OSError
        return [ValueError() if arrival.body == b"bad" else KeyReused(arrival.body.decode()) for arrival in arrivals]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def commits(database: Database) -> Iterator[GroupCommit]:
    found = GroupCommit(database.keep)
    yield found
    database.may_commit.set()
    found.close()


def put(commits: GroupCommit, *bodies: bytes) -> list[Future[Outcome]]:
    return [commits.submit(Arrival("source", body)) for body in bodies]


def test_what_comes_during_a_commit_is_kept_by_the_next_one_and_nobody_is_told_before(
    database: Database, commits: GroupCommit
) -> None:
    (first,) = put(commits, b"1")
    assert database.begun.wait(30)
    bodies = [str(number).encode() for number in range(2, MOST_TOGETHER + 10)]
    others = put(commits, *bodies)
    assert not first.done()
    database.may_commit.set()
    assert [future.result(30) for future in (first, *others)] == [KeyReused(each.decode()) for each in (b"1", *bodies)]
    assert database.batches == [[b"1"], bodies[:MOST_TOGETHER], bodies[MOST_TOGETHER:]]


def test_one_may_fail_by_itself_and_all_together_and_the_next_ones_are_kept(
    database: Database, commits: GroupCommit
) -> None:
    (first,) = put(commits, b"1")
    assert database.begun.wait(30)
    good, bad = put(commits, b"good", b"bad")
    database.may_commit.set()
    assert first.result(30) == KeyReused("1")
    assert good.result(30) == KeyReused("good")
    assert isinstance(bad.exception(30), ValueError)
    assert isinstance(put(commits, b"all")[0].exception(30), OSError)
    assert put(commits, b"after")[0].result(30) == KeyReused("after")


def test_what_waits_at_the_end_is_kept_and_who_has_gone_is_not(database: Database) -> None:
    commits = GroupCommit(database.keep)
    put(commits, b"1")
    assert database.begun.wait(30)
    gone, last = put(commits, b"gone", b"last")
    assert gone.cancel()
    database.may_commit.set()
    commits.close()
    assert last.result(0) == KeyReused("last")
    assert database.batches == [[b"1"], [b"last"]]
