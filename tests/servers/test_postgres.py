import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import PostgresServer, bundled_binaries, find_binaries
from tests.servers.waiting import eventually, gone


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""))


@pytest.mark.parametrize("find", [find_binaries, bundled_binaries])
def test_committed_rows_survive_a_crash_and_databases_are_copied(find: Callable[[], Path]) -> None:
    with PostgresServer(binaries=find(), settings={"work_mem": "5MB"}) as server:
        first = server.create_database("first")
        with connect(first) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'señal' AS word")
        server.restart()
        copy = server.create_database("a copy", template="first")
        with connect(copy) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("señal",)
            assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        pid = server.pid
        assert pid is not None
        assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert gone(pid)
    assert not server.log.parent.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to run it as someone else")
def test_binaries_in_a_private_folder_are_used_all_the_same(tmp_path: Path) -> None:
    private = tmp_path / "private"
    shutil.copytree(bundled_binaries().parent, private / "postgresql", symlinks=True)
    private.chmod(0o700)
    with (
        PostgresServer(binaries=private / "postgresql" / "bin", fsync=False) as server,
        connect(server.url()) as session,
    ):
        assert session.execute("SHOW fsync").fetchone() == ("off",)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children about their parent only on Linux")
def test_a_killed_parent_takes_the_server_along() -> None:
    program = (
        "import time\nfrom tests.servers.postgres import PostgresServer\n"
        "with PostgresServer() as server:\n    print(server.pid, server.log, flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, log = parent.stdout.readline().split()
        assert not gone(int(pid))
        parent.send_signal(signal.SIGKILL)
        assert eventually(lambda: gone(int(pid)))
    shutil.rmtree(Path(log).parent)
