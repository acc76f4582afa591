"""Workers as threads of this process; as real processes they are tried in `tests/end_to_end`."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import redis

from config.celeryconfig import DRAIN_TASK, SWEEP_TASK
from config.settings import Settings
from pipeline import ledger
from pipeline.context import Context
from pipeline.engine.drain import Engine
from pipeline.intake.accept import accept
from pipeline.lane_names import LANE_NAMES
from pipeline.lanes import build_lanes
from pipeline.models import Referral
from tasks import worker as tasks_worker
from tasks.app import create_app
from tasks.run import UnknownLane, register, run_worker
from tasks.wake import Waker
from tasks.worker import Worker
from tests.servers.redis import RedisServer
from tests.servers.waiting import eventually
from tests.support.installations import Installation
from tests.support.submissions import arrival, submit
from tests.support.work import expire_leases, expire_referrals, jobs, make_due, statuses, table

NOBODY = "redis://127.0.0.1:1/0"
ALL_LANES = frozenset(LANE_NAMES)
Make = Callable[..., Worker]


@pytest.fixture
def make(postgresql_context: Context) -> Iterator[Make]:
    """Makes workers that are stopped at the end."""
    made: list[tuple[Worker, Waker]] = []

    def make(broker_url: str = NOBODY, serves: frozenset[str] = ALL_LANES) -> Worker:
        app = create_app(postgresql_context.settings, broker_url)
        waker = Waker(app, broker_url)
        worker = Worker(postgresql_context, build_lanes(postgresql_context), serves, waker)
        register(app, worker)
        made.append((worker, waker))
        return worker

    yield make
    for worker, waker in made:
        worker.stop()
        waker.close()
        if worker._poll.ident is not None:
            worker._poll.join(timeout=30)


@pytest.fixture
def postgresql_context(postgresql_installation: Installation) -> Context:
    return postgresql_installation.context(poll_seconds=0.05, sweep_seconds=0.05)


def test_without_any_broker_a_worker_finds_the_work_by_itself(make: Make, postgresql_context: Context) -> None:
    for _ in range(3):
        submit(postgresql_context)
    make().start()
    assert eventually(lambda: statuses(postgresql_context) == {"candidate": 1, "duplicate": 2})
    assert eventually(lambda: not jobs(postgresql_context.database))


def test_it_gives_back_what_a_dead_worker_held_and_refers_on_what_nobody_answered(
    make: Make, postgresql_context: Context
) -> None:
    submit(postgresql_context)
    lanes = build_lanes(postgresql_context)
    with postgresql_context.database.write() as connection:
        assert ledger.claim(connection, "validate", 10, lanes["validate"].lease_seconds)
    expire_leases(postgresql_context.database)
    worker = make()
    worker.start()
    assert eventually(lambda: statuses(postgresql_context) == {"candidate": 1})
    expire_referrals(postgresql_context.database)

    def offers() -> list[str]:
        return sorted(row.status for row in table(postgresql_context.database, Referral.table()))

    assert eventually(lambda: offers() == ["expired"] * 3 + ["offered"] * 2)


def test_it_serves_its_own_lanes_only(make: Make, postgresql_context: Context) -> None:
    submit(postgresql_context)
    worker = make(serves=frozenset({"validate"}))
    worker.drain("validate")
    assert {job.lane for job in jobs(postgresql_context.database)} == {"score", "email"}
    worker.drain("score")
    worker.drain("a lane from the future")
    assert {job.lane for job in jobs(postgresql_context.database)} == {"score", "email"}


def test_a_message_wakes_the_lanes_that_others_serve(
    make: Make, postgresql_context: Context, redis_server: RedisServer
) -> None:
    client = redis.Redis.from_url(redis_server.redis_url)
    first = make(redis_server.celery_url, frozenset({"validate", "score"}))
    accept(postgresql_context, arrival(), first._waker)
    assert eventually(lambda: client.llen("validate") == 1)
    first.drain("validate")
    assert not client.exists("careroute:wake:validate")
    assert statuses(postgresql_context) == {"candidate": 1}  # scored straight on, without a message
    assert client.llen("score") == 0
    assert eventually(lambda: client.llen("email") == 1)
    client.close()


def test_a_turn_that_fails_does_not_end_the_worker(
    make: Make, postgresql_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(postgresql_context)
    with postgresql_context.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE lane_pause RENAME TO elsewhere")
    worker = make()
    worker.drain("validate")  # fails and says so in the log only
    worker.sweep()
    worker.start()
    with postgresql_context.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO lane_pause")
    make_due(postgresql_context.database)
    assert eventually(lambda: statuses(postgresql_context) == {"candidate": 1})


def test_a_lane_that_always_fails_does_not_keep_the_others_from_being_found(
    make: Make, postgresql_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(postgresql_context)
    make(serves=frozenset({"validate"})).drain("validate")
    serve = Engine.drain

    def fails_for_emails(engine: Engine, lane: str) -> int:
        if lane == "email":
            raise ValueError("of its own")
        return serve(engine, lane)

    monkeypatch.setattr(Engine, "drain", fails_for_emails)
    assert {job.lane for job in jobs(postgresql_context.database)} == {"score", "email"}
    make(serves=frozenset({"email", "score"})).start()
    assert eventually(lambda: statuses(postgresql_context) == {"candidate": 1})


@pytest.mark.parametrize(("took", "rest"), [(0.001, 0.05), (2.0, 20.0), (600.0, 30.0)])
def test_looking_for_work_takes_a_small_share_of_the_time(
    make: Make, monkeypatch: pytest.MonkeyPatch, took: float, rest: float
) -> None:
    worker = make()
    clock = iter([0.0, took])
    monkeypatch.setattr(tasks_worker, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    worker._look()
    assert worker._rest_seconds == pytest.approx(rest)


def test_after_stop_it_takes_nothing_more(make: Make, postgresql_context: Context) -> None:
    worker = make()
    worker.stop()
    submit(postgresql_context)
    worker.drain("validate")
    assert len(jobs(postgresql_context.database, "validate")) == 1


def test_the_tasks_of_the_app_are_the_workers(make: Make, postgresql_context: Context) -> None:
    submit(postgresql_context)
    app = create_app(Settings(), NOBODY)
    worker = make()
    register(app, worker)
    app.tasks[DRAIN_TASK]("validate")
    assert statuses(postgresql_context) == {"candidate": 1}
    app.tasks[SWEEP_TASK]()
    assert app.conf.beat_schedule["sweep"]["task"] == SWEEP_TASK
    app.close()


def test_a_lane_that_does_not_exist_is_named_before_anything_starts(postgresql_installation: Installation) -> None:
    with pytest.raises(UnknownLane, match="no such lane: scoring; there are validate, score, refer, email"):
        run_worker(postgresql_installation.settings(), NOBODY, ("scoring", "email"))
