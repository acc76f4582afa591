"""A broker that speaks TLS: whose certificate is good is worked with, any other is not spoken to."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from config.settings import Settings
from embedded import processes
from embedded.valkey import find_server
from tasks.app import create_app
from tasks.wake import broker_answers
from tests.support.certificates import Certificates, make_certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, "localhost")


@pytest.fixture
def port(certificates: Certificates, tmp_path: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = {
        "port": "0",
        "tls-port": str(port),
        "bind": "127.0.0.1",
        "tls-cert-file": str(certificates.server),
        "tls-key-file": str(certificates.server_key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": "no",
        "save": "",
        "dir": str(tmp_path),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    server = processes.spawn((str(find_server()), *arguments), log=tmp_path / "log")
    deadline = time.monotonic() + 10
    while not listens(port):
        if server.poll() is not None:
            pytest.skip("this server was built without TLS")
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield port
    processes.stop(server, grace=5)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_publish(url: str) -> bool:
    with create_app(Settings(broker_url=url), url).connection_for_write() as connection:
        try:
            return bool(connection.channel().client.ping())
        except RedisError:
            return False


def test_only_a_certificate_that_bears_the_brokers_name_is_believed(port: int, certificates: Certificates) -> None:
    known = f"ssl_ca_certs={certificates.authority}"
    urls = {
        f"rediss://localhost:{port}/0?{known}": True,
        f"rediss://localhost:{port}/0": False,  # signed by nobody that this machine knows
        f"rediss://127.0.0.1:{port}/0?{known}": False,  # another name
    }
    assert {url: broker_answers(url) for url in urls} == urls
    good, unknown, _ = urls
    assert (can_publish(good), can_publish(unknown)) == (True, False)
