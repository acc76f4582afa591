import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import supervisor
from embedded.failures import SupervisorFailed
from embedded.supervisor import Child, Supervisor
from tests.servers.waiting import eventually, gone

SLEEP = ("sleep", "60")


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, *arguments)


def test_a_killed_child_is_started_again_and_what_it_had_started_is_ended(tmp_path: Path) -> None:
    with_child = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    lines: list[str] = []
    with Supervisor(tmp_path, report=lines.append) as running:
        running.start(Child("worker", python(with_child)))
        first, log = running.pids()["worker"], running.log("worker")
        assert eventually(lambda: bool(log.read_text()))
        grandchild = int(log.read_text())

        os.kill(first, signal.SIGKILL)

        assert eventually(lambda: running.pids().get("worker", first) != first)
        assert gone(grandchild)
        second = running.pids()["worker"]
    assert gone(second)
    assert lines == [
        f"worker started (process {first})",
        "worker was killed by SIGKILL; starting it again in 0.4 s",
        f"worker started (process {second})",
    ]


def test_a_child_that_cannot_start_is_given_up_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_DELAY_SECONDS", 0.01)
    with Supervisor(tmp_path) as running:
        running.start(Child("broker", SLEEP))
        running.start(Child("web", python("import sys; sys.exit('no port')")))
        with pytest.raises(SupervisorFailed, match="web ended with status 1, 5 times in a row") as failure:
            running.wait_until_ready("web", "http://127.0.0.1:9/readyz")
        assert str(failure.value).count("    no port") == 5
        with pytest.raises(SupervisorFailed):
            running.wait()
        assert list(running.pids()) == ["broker"]  # the others go on until the caller stops


def test_a_command_that_does_not_exist_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_DELAY_SECONDS", 0.01)
    with Supervisor(tmp_path) as running:
        running.start(Child("web", ("no-such-program",)))
        with pytest.raises(SupervisorFailed, match="no-such-program: No such file or directory"):
            running.wait()


def test_children_stop_last_started_first_and_the_deaf_are_killed(tmp_path: Path) -> None:
    polite = (
        "import signal, sys, time\n"
        "def end(*_):\n    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    order = tmp_path / "order"
    with Supervisor(tmp_path / "logs") as running:
        for name in ("broker", "worker", "web"):
            running.start(Child(name, python(polite, str(order), name)))
        running.start(Child("deaf", python(deaf), grace=0.1))
        for name in running.pids():
            log = running.log(name)
            running.wait_until_ready(name, lambda log=log: bool(log.read_text()))  # type: ignore[misc]
        pids = running.pids().values()
        # One that was started again, by another thread, keeps its place in the order.
        before = running.pids()["broker"]
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: running.pids().get("broker", before) != before)
        assert eventually(lambda: running.log("broker").read_text() == "up\nup\n")
    assert order.read_text() == "web worker broker "
    assert all(gone(pid) for pid in pids)


PARENT = """
import sys, pathlib
from embedded.supervisor import Child, Supervisor, termination_as_interrupt
child = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
with termination_as_interrupt(), Supervisor(pathlib.Path(sys.argv[1])) as running:
    running.start(Child("worker", (sys.executable, "-c", child)))
    log = running.log("worker")
    running.wait_until_ready("worker", lambda: bool(log.read_text()))
    print(running.pids()["worker"], log.read_text(), flush=True)
    running.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_however_the_parent_ends_children_and_grandchildren_are_gone(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child, grandchild = (int(pid) for pid in parent.stdout.readline().split())
        assert not gone(child)
        assert not gone(grandchild)

        parent.send_signal(number)

        assert eventually(lambda: gone(child) and gone(grandchild))


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Whoever starts the suite in the background of a shell without job control has it ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_the_grace_of_an_earlier_child_is_cut_short_by_a_second_interrupt(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with Supervisor(tmp_path) as running:
        running.start(Child("first", SLEEP))
        running.start(Child("deaf", python(deaf), grace=3600))
        log = running.log("deaf")
        running.wait_until_ready("deaf", lambda: "up" in log.read_text())
        pids = running.pids().values()
        interrupter = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -INT {os.getpid()}"])
        with pytest.raises(KeyboardInterrupt):
            running.stop()
        interrupter.wait()
        assert all(gone(pid) for pid in pids)
