"""The demo as a stranger runs it: one command, real processes, and a verdict."""

import os
import re
import signal
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import pytest

from config.settings import ROOT
from embedded.demo import MARKER

DEMO = (sys.executable, "-m", "cli", "demo", "--count", "20")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine that is set up for production: the demo must not touch any of it."""
    return {
        **os.environ,
        "CAREROUTE_DATA_DIR": str(tmp_path),
        "CAREROUTE_DATABASE_URL": "postgresql+psycopg://production:x@127.0.0.1:1/careroute",
        "CAREROUTE_BROKER_URL": "redis://127.0.0.1:1/0",
        "CAREROUTE_KEYS_DIR": str(tmp_path / "none"),
        "CAREROUTE_MAIL_TRANSPORT": "smtp",
        "CAREROUTE_SMTP_HOST": "127.0.0.1",
        "CAREROUTE_PUBLIC_URL": "https://screening.example.org",
    }


@pytest.mark.timeout(300)
def test_it_keeps_every_promise_in_a_folder_of_its_own_and_leaves_no_process(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with subprocess.Popen(DEMO, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Serving."):
                break
        process.send_signal(signal.SIGINT)
        said += process.stdout.readlines()
        assert (process.wait(60), said[-1]) == (0, "Everything is stopped.\n")

    told = "".join(said)
    assert "✓ nothing lost, nothing twice, every record verified" in told
    for status, count in {"quarantined": 1, "rejected": 2, "duplicate": 1, "needs review": 2}.items():
        assert re.search(rf"^ +{status} +{count} ", told, re.MULTILINE)
    assert re.search(r"Confirmation   p50 \d+\.\d\d s, p99 \d+\.\d\d s", told)
    children = [int(found) for found in re.findall(r"started \(process (\d+)\)", told)]
    assert len(children) >= 5
    assert not any(Path(f"/proc/{child}").exists() for child in children)

    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    mails = [message_from_bytes(path.read_bytes()) for path in (tmp_path / "demo" / "mailbox").glob("*.eml")]
    assert f"all  {len(mails)}" in " ".join(told.split()).replace("all ", "all  ")
    assert all("screening.example.org" not in str(mail) for mail in mails)


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [*DEMO, "--no-serve", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "no demo made it" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / MARKER).exists()
