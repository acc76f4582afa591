"""A private Redis for tests and benchmarks, on a Unix socket in a temporary directory."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from embedded.valkey import EmbeddedBroker


class RedisServer:
    """The embedded broker with what tests do to it: empty it, take it away, bring it back."""

    def __init__(self, *, server: Path | None = None) -> None:
        """`server` forces a binary, such as `embedded.valkey.bundled_server()`."""
        self._folder = Path(tempfile.mkdtemp(prefix="careroute-redis-"))
        self._broker = EmbeddedBroker(self._folder, server=server)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def celery_url(self) -> str:
        """For Celery; the same before and after `restart`."""
        return self._broker.celery_url

    @property
    def redis_url(self) -> str:
        """For redis-py; the same before and after `restart`."""
        return self._broker.redis_url

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._broker.pid

    def start(self) -> None:
        """Start, with what was there before."""
        self._broker.start()

    def stop(self) -> None:
        """Stop, keeping the data. Idempotent."""
        self._broker.stop()

    def restart(self) -> None:
        """Stop and start with the same data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL: what it had not yet written to its file is lost."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def waiting_for_messages(self) -> int:
        """How many consumers wait for a message."""
        with redis.Redis.from_url(self.redis_url) as client:
            return sum(entry["cmd"] == "brpop" for entry in client.client_list())

    def cut_connections(self) -> None:
        """CLIENT KILL: everyone who is connected has to connect again."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def flushall(self) -> None:
        """Empty it."""
        client = redis.Redis.from_url(self.redis_url)
        try:
            client.flushall()
        finally:
            client.close()
