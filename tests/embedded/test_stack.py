import socket
import sys
from pathlib import Path

import httpx
import pytest

from config.settings import Settings
from embedded.demo_port import keep_port, port_for
from embedded.failures import StackFailed
from embedded.stack import EmbeddedStack
from tests.servers.waiting import gone

CAREROUTE = """
import http.server, json, os, sys, time
command = sys.argv[1]
with open(os.environ["CAREROUTE_DATA_DIR"] + "/commands", "a") as commands:
    commands.write(" ".join(sys.argv[1:]) + "\\n")
if command == "migrate":
    sys.exit(os.environ.get("MISTAKE"))
if command != "web":
    time.sleep(60)
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["CAREROUTE_BROKER_URL"].encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["CAREROUTE_PORT"])), Ready).serve_forever()
"""
COMMAND = (sys.executable, "-c", CAREROUTE)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_parts_start_in_order_with_our_broker_and_none_is_left(tmp_path: Path, port: int) -> None:
    with EmbeddedStack(tmp_path, port=port, command=COMMAND) as stack:
        assert (tmp_path / "commands").read_text().splitlines()[0] == "migrate"
        assert httpx.get(stack.url).text == f"redis+socket://{tmp_path}/broker/socket?virtual_host=0"
        pids = stack.supervisor.pids()
        assert list(pids) == ["broker", "worker-pipeline", "worker-email", "beat", "web"]
        stack.check()
    assert all(gone(pid) for pid in pids.values())
    commands = set((tmp_path / "commands").read_text().splitlines())
    assert commands == {
        "migrate",
        "worker --lanes validate,score,refer,receipts,sequence",
        "worker --lanes email",
        "beat",
        "web",
    }


def test_a_configured_broker_is_used_instead(tmp_path: Path, port: int) -> None:
    with EmbeddedStack(tmp_path, port=port, command=COMMAND, broker_url="redis://elsewhere/0", workers={}) as stack:
        assert httpx.get(stack.url).text == "redis://elsewhere/0"
        assert list(stack.supervisor.pids()) == ["beat", "web"]


def test_a_failed_migration_is_shown_and_leaves_nothing(tmp_path: Path, port: int) -> None:
    stack = EmbeddedStack(tmp_path, port=port, command=COMMAND, environment={"MISTAKE": "unknown revision"})
    with pytest.raises(StackFailed, match="    unknown revision"):
        stack.__enter__()
    assert stack.supervisor.pids() == {}
    with EmbeddedStack(tmp_path, port=port, command=COMMAND):  # the data directory was given free
        pass


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackFailed, match=f"Port {port} .* CAREROUTE_PORT"):
        EmbeddedStack(tmp_path, port=port, command=COMMAND).__enter__()
    assert not (tmp_path / "commands").exists()


def test_the_folder_of_a_demo_is_served_where_the_links_in_its_emails_lead(tmp_path: Path, port: int) -> None:
    assert port_for(Settings(data_dir=tmp_path)) == (8000, "")
    keep_port(tmp_path, port)
    assert port_for(Settings(data_dir=tmp_path)) == (port, "")
    asked, told = port_for(Settings(data_dir=tmp_path, port=8001))
    assert (asked, f"lead to http://127.0.0.1:{port}" in told) == (8001, True)
    with socket.create_server(("127.0.0.1", port)):
        instead, told = port_for(Settings(data_dir=tmp_path))
    assert (instead, "something else uses" in told) == (8000, True)
