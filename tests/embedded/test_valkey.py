import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from kombu.connection import Connection

from embedded import valkey
from embedded.failures import BrokerFailed
from embedded.valkey import EmbeddedBroker, bundled_server, find_server
from tests.servers.waiting import eventually, gone

SERVERS = pytest.mark.parametrize("find", [find_server, bundled_server])


def client(broker: EmbeddedBroker) -> redis.Redis:
    return redis.Redis.from_url(broker.redis_url)


@SERVERS
def test_celery_and_redis_reach_it_and_what_they_wrote_survives_a_restart(
    find: Callable[[], Path], tmp_path: Path
) -> None:
    data_dir = tmp_path / "a folder, 100% ñ"
    with EmbeddedBroker(data_dir, server=find()) as broker:
        client(broker).set("kept", "yes")
        with Connection(broker.celery_url) as connection:
            queue = connection.SimpleQueue("lane")
            queue.put({"lane": "score"})
            queue.close()
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}
        assert client(broker).config_get(*wanted) == wanted
    assert broker.pid is None

    with EmbeddedBroker(data_dir, server=find()) as broker:
        assert client(broker).get("kept") == b"yes"
        with Connection(broker.celery_url) as connection:
            assert connection.SimpleQueue("lane").get(timeout=5).payload == {"lane": "score"}


def test_the_socket_of_a_deep_data_directory_is_in_a_short_private_folder(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / ("deep" * 30)) as broker:
        assert broker.answers()
        assert len(os.fsencode(broker.socket)) <= 100
        assert broker.socket.parent.stat().st_mode & 0o777 == 0o700
    broker.socket.parent.rmdir()


@SERVERS
def test_a_server_left_over_from_a_killed_parent_is_stopped_first(find: Callable[[], Path], tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, server=find())
    broker.claim()
    with subprocess.Popen(broker.argv, stdout=subprocess.DEVNULL) as leftover:
        try:
            broker.release()
            assert eventually(broker.answers)
            with EmbeddedBroker(tmp_path, server=find()) as successor:
                assert leftover.wait(timeout=20) == 0
                assert successor.answers()
        finally:
            leftover.kill()


def test_a_pidfile_that_names_another_program_harms_nobody(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (tmp_path / "broker").mkdir()
        (tmp_path / "broker" / "pid").write_text(f"{innocent.pid}\n")
        with EmbeddedBroker(tmp_path) as broker:
            assert broker.answers()
        assert innocent.poll() is None
        innocent.kill()


def test_a_data_directory_in_use_is_refused_and_its_server_left_alone(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        with pytest.raises(BrokerFailed, match=rf"already running on {tmp_path} \(process {os.getpid()}\)"):
            EmbeddedBroker(tmp_path).start()
        assert broker.answers()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children about their parent only on Linux")
def test_a_killed_parent_takes_its_server_along(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\nfrom embedded.valkey import EmbeddedBroker\n"
        "with EmbeddedBroker(pathlib.Path(sys.argv[1])) as broker:\n"
        "    print(broker.pid, flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert not gone(server)
        parent.send_signal(signal.SIGKILL)
        assert eventually(lambda: gone(server))


@pytest.fixture
def fake_server(tmp_path: Path) -> Path:
    """A program that says it is an old Redis and cannot start."""
    fake = tmp_path / "bin" / "redis-server"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Redis server v=5.0.9" || { echo out of luck; exit 3; }\n')
    fake.chmod(0o755)
    return fake


def test_a_server_that_cannot_start_is_shown_with_the_end_of_its_log(tmp_path: Path, fake_server: Path) -> None:
    broker = EmbeddedBroker(tmp_path, server=fake_server)
    with pytest.raises(BrokerFailed, match="ended with status 3 while starting") as failure:
        broker.start()
    assert "    out of luck" in str(failure.value)
    with EmbeddedBroker(tmp_path) as successor:  # the failed one let go of the directory
        assert successor.answers()


def test_too_old_a_server_on_path_is_passed_over(monkeypatch: pytest.MonkeyPatch, fake_server: Path) -> None:
    monkeypatch.setenv("PATH", str(fake_server.parent))
    assert valkey.find_server() == bundled_server()
