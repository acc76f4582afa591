import asyncio
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


def test_those_who_wait_in_an_event_loop_are_told_each_what_came_of_its_own(
    database: Database, commits: GroupCommit
) -> None:
    async def run() -> list[Outcome | BaseException]:
        first = asyncio.ensure_future(commits.kept(Arrival("source", b"1")))
        assert await asyncio.to_thread(database.begun.wait, 30)
        others = [asyncio.ensure_future(commits.kept(Arrival("source", body))) for body in (b"2", b"bad", b"3")]
        await asyncio.sleep(0)
        assert not any(each.done() for each in (first, *others))
        database.may_commit.set()
        return list(await asyncio.wait_for(asyncio.gather(first, *others, return_exceptions=True), 30))

    found = asyncio.run(run())
    assert [each for each in found if not isinstance(each, BaseException)] == [KeyReused(each) for each in "123"]
    assert isinstance(found[2], ValueError)
    assert database.batches == [[b"1"], [b"2", b"bad", b"3"]]


def test_who_has_gone_from_an_event_loop_before_the_commit_began_is_not_kept(
    database: Database, commits: GroupCommit
) -> None:
    async def run() -> Outcome:
        first = asyncio.ensure_future(commits.kept(Arrival("source", b"1")))
        assert await asyncio.to_thread(database.begun.wait, 30)
        gone, last = (asyncio.ensure_future(commits.kept(Arrival("source", body))) for body in (b"gone", b"last"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        database.may_commit.set()
        await asyncio.wait_for(first, 30)
        return await asyncio.wait_for(last, 30)

    assert asyncio.run(run()) == KeyReused("last")
    assert database.batches == [[b"1"], [b"last"]]


def test_who_goes_during_the_commit_hinders_nobody() -> None:
    async def run() -> Outcome:
        loop = asyncio.get_running_loop()
        may_commit = threading.Event()

        def keep(arrivals: Sequence[Arrival]) -> list[Outcome | Exception]:
            assert may_commit.wait(30)
            if len(arrivals) > 1:
                loop.call_soon_threadsafe(goes.cancel)
            return [KeyReused(arrival.body.decode()) for arrival in arrivals]

        commits = GroupCommit(keep)
        first, goes, stays = (
            asyncio.ensure_future(commits.kept(Arrival("source", body))) for body in (b"1", b"2", b"3")
        )
        await asyncio.sleep(0)
        may_commit.set()
        await asyncio.wait_for(first, 30)
        found = await asyncio.wait_for(stays, 30)
        assert goes.cancelled()
        await asyncio.to_thread(commits.close)
        return found

    assert asyncio.run(run()) == KeyReused("3")


def test_the_end_of_an_event_loop_does_not_end_the_writer(database: Database, commits: GroupCommit) -> None:
    async def leave() -> None:
        waiting = asyncio.ensure_future(commits.kept(Arrival("source", b"1")))
        assert await asyncio.to_thread(database.begun.wait, 30)
        assert not waiting.done()

    asyncio.run(leave())
    database.may_commit.set()
    assert put(commits, b"after")[0].result(30) == KeyReused("after")
