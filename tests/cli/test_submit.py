"""`submit` against `careroute web` as a process of its own; no broker is needed to be accepted."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from config.settings import ROOT, Settings
from pipeline.operations.prepare import prepare
from tests.cli.conftest import Careroute
from tests.config.shipped import ANSWERS, KEY

START_SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an installation for all tests here."""
    folder = tmp_path_factory.mktemp("submit")
    prepare(Settings(data_dir=folder))
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """Where its web process listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "CAREROUTE_DATA_DIR": str(folder),
        "CAREROUTE_PORT": str(port),
        "CAREROUTE_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, folder / "web.log")
        yield url
    finally:
        process.terminate()
        # uvicorn finishes, and then ends by the signal that it was sent
        assert process.wait(30) in {0, -signal.SIGTERM}


@pytest.fixture
def url(served: str, folder: Path, careroute: Careroute, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, with `careroute` set to the same installation."""
    monkeypatch.setenv("CAREROUTE_DATA_DIR", str(folder))
    monkeypatch.delenv("CAREROUTE_KEYS_DIR")
    return served


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"web did not get ready: {log.read_text()}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "submission.json"
    path.write_text(json.dumps({"answers": ANSWERS}))
    return path


def test_a_file_is_accepted_and_can_be_looked_up(careroute: Careroute, url: str, file: Path) -> None:
    result = careroute("submit", str(file), "--url", url)
    assert result.exit_code == 0
    reference, status = result.stdout.split()
    assert status == "received"
    shown = json.loads(careroute("show", reference, "--json").stdout)
    assert shown["source"] == "network-site"
    assert json.loads(careroute("submit", str(file), "--url", url, "--json").stdout)["reference"] != reference


def test_a_refusal_names_fields_and_no_answers(careroute: Careroute, url: str, file: Path) -> None:
    file.write_text(json.dumps({"answers": {**ANSWERS, "condition": "zyxmarker", "email": "zyxmarker"}}))
    result = careroute("submit", str(file), "--url", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "(422)" in result.stderr
    assert "  condition: " in result.stderr
    assert "zyxmarker" not in result.stderr


def test_the_key_comes_from_a_file_when_told_so(
    careroute: Careroute, url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAREROUTE_SOURCE_NETWORK_SITE_KEY")
    key = file.with_name("key")
    missing = careroute("submit", str(file), "--url", url)
    assert (missing.exit_code, "--key-file" in missing.stderr) == (1, True)
    key.write_text("not the key\n")
    wrong = careroute("submit", str(file), "--url", url, "--key-file", str(key))
    assert (wrong.exit_code, "(401)" in wrong.stderr, "not the key" in wrong.output) == (1, True, False)
    monkeypatch.setenv("CAREROUTE_SOURCE_NETWORK_SITE_KEY_FILE", str(key))
    key.write_text(f"{KEY}\n")
    assert careroute("submit", str(file), "--url", url).exit_code == 0


def test_nobody_there(careroute: Careroute, file: Path) -> None:
    result = careroute("submit", str(file), "--url", "http://127.0.0.1:1")
    assert (result.exit_code, "does not answer" in result.stderr) == (1, True)
