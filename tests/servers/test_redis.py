import redis

from embedded.valkey import bundled_server
from tests.servers.redis import RedisServer


def test_it_is_emptied_and_restarted_at_the_same_address() -> None:
    with RedisServer(server=bundled_server()) as server:
        client = redis.Redis.from_url(server.redis_url)
        client.set("wake:score", "1")
        server.restart()
        assert client.get("wake:score") == b"1"
        server.flushall()
        assert client.get("wake:score") is None
