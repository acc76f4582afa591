import json
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from config.settings import Settings
from tasks.app import create_app
from tasks.wake import KEY_SECONDS, Waker, broker_answers, redis_client
from tests.servers.redis import RedisServer
from tests.servers.waiting import eventually


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_server.redis_url)
    yield client
    client.close()


@pytest.fixture
def app(redis_server: RedisServer) -> Iterator[Celery]:
    app = create_app(Settings(), redis_server.celery_url)
    yield app
    app.close()


@pytest.fixture
def waker(app: Celery, redis_server: RedisServer) -> Iterator[Waker]:
    waker = Waker(app, redis_server.celery_url)
    yield waker
    waker.close()


def test_however_often_and_by_whomever_a_lane_is_woken_one_message_is_under_way(
    app: Celery, client: redis.Redis, redis_server: RedisServer
) -> None:
    for _process in range(3):
        waker = Waker(app, redis_server.celery_url)
        for _ in range(50):
            waker("score")
            waker("email")
        waker.close()
    assert (client.llen("score"), client.llen("email")) == (1, 1)
    (message,) = client.lrange("score", 0, -1)
    assert json.loads(message)["headers"]["task"] == "careroute.drain"
    assert 0 < client.ttl("careroute:wake:score") <= KEY_SECONDS


def test_under_load_the_broker_is_asked_seldom_and_the_last_wake_up_is_not_forgotten(
    app: Celery, client: redis.Redis, redis_server: RedisServer
) -> None:
    waker = Waker(app, redis_server.celery_url)
    client.config_resetstat()
    for _ in range(200):
        waker("score")
        time.sleep(0.001)
    waker.woken("score")
    waker("score")
    waker.close()
    assert client.info("commandstats")["cmdstat_set"]["calls"] < 100
    assert client.llen("score") == 2


def test_once_the_message_has_arrived_the_next_one_is_sent(
    waker: Waker, app: Celery, client: redis.Redis, redis_server: RedisServer
) -> None:
    waker("score")
    assert eventually(lambda: client.llen("score") == 1)
    waker.woken("score")
    assert not client.exists("careroute:wake:score")
    waker("score")
    assert eventually(lambda: client.llen("score") == 2)


def test_a_key_whose_message_was_lost_stands_in_the_way_for_a_few_seconds_only(
    waker: Waker, client: redis.Redis
) -> None:
    waker("score")
    assert eventually(lambda: client.llen("score") == 1)
    client.delete("score")
    waker("score")
    waker("email")  # later in the same queue: when it is there, the other one was dealt with
    assert eventually(lambda: client.llen("email") == 1)
    assert client.llen("score") == 0
    client.delete("careroute:wake:score")  # as if it had expired
    waker("score")
    assert eventually(lambda: client.llen("score") == 1)


def test_a_broker_that_is_away_neither_raises_nor_holds_anyone_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()
    answer = threading.Event()

    def hang(*_arguments: object, **_options: object) -> None:
        asked.set()
        answer.wait(timeout=60)
        raise redis.ConnectionError("nobody there")

    monkeypatch.setattr(redis.Redis, "set", hang)
    url = "redis://127.0.0.1:1/0"
    app = create_app(Settings(), url)
    waker = Waker(app, url)
    waker("score")
    assert asked.wait(timeout=20)
    for _ in range(1000):  # returns although the one before still waits for an answer
        waker("score")
        waker("email")
    answer.set()
    waker.woken("score")
    waker.close()
    app.close()


def test_after_a_failure_the_broker_is_left_in_peace_for_a_moment(
    waker: Waker, client: redis.Redis, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waker, "_failed_at", time.monotonic())
    waker("score")
    waker.woken("score")
    waker.close()
    assert client.llen("score") == 0


@pytest.mark.parametrize(("url", "answers"), [("redis://127.0.0.1:1/0", False), ("amqp://nobody:1//", True)])
def test_only_a_redis_broker_is_asked_whether_it_is_there(url: str, *, answers: bool) -> None:
    assert broker_answers(url) == answers
    assert (redis_client(url) is None) == answers


def test_a_running_broker_answers(redis_server: RedisServer) -> None:
    assert broker_answers(redis_server.celery_url)
    assert broker_answers(redis_server.redis_url)
