"""Every test here starts processes of its own, over an installation and a broker of its own."""

from collections.abc import Iterator

import pytest

from embedded.valkey import bundled_server
from tests.servers.redis import RedisServer
from tests.servers.sendgrid import SendGridStandIn


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """What the installation's database goes with: Redis with PostgreSQL, the bundled Valkey with SQLite."""
    chosen = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    on_postgresql = "postgresql" in chosen or ("postgresql_installation" in request.fixturenames and not chosen)
    with RedisServer(server=None if on_postgresql else bundled_server()) as server:
        yield server


@pytest.fixture
def sendgrid() -> Iterator[SendGridStandIn]:
    """In the test's own process, so that it outlives the workers; slow enough for one to be stopped in a call."""
    with SendGridStandIn(delay_seconds=0.05) as server:
        yield server
