"""The sequencer's process ends at any of its steps, as in a power cut; the next one can go on with the log.

Where a process leaves something behind that its own clean-up would have removed (an open transaction, a file that was
created and not written), a real one is killed. Elsewhere an exception that nothing may catch stands for it.
"""

import os
import subprocess
import sys

import pytest

from config.settings import PREFIX, ROOT
from pipeline import failpoints
from pipeline.failpoints import EXIT_STATUS, Failpoint, armed
from tests.support.installations import Installation
from tests.support.log import check_log, record, sequence, sequencer
from tests.support.submissions import submit

SEQUENCER = """
from config.settings import Settings
from pipeline.audit.sequencer import open_sequencer
from pipeline.audit.signing import load_signer
from pipeline.context import open_context
context = open_context(Settings())
running = open_sequencer(context, load_signer(context.settings.effective_keys_dir))
running.turn()
running.sign()
"""
OURS = [point for point in Failpoint if point.split(":")[0] in {"sequencer", "signing", "anchor"}]
IN_A_PROCESS = {
    Failpoint.SEQUENCER_BEFORE_COMMIT,
    Failpoint.SIGNING_BEFORE_ANCHOR,
    Failpoint.ANCHOR_AFTER_CREATION,
    Failpoint.SIGNING_BEFORE_COMMIT,
}


class Killed(BaseException):
    """In place of the end of the process."""


def run_sequencer(installation: Installation, failpoint: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        f"{PREFIX}DATA_DIR": str(installation.folder),
        f"{PREFIX}KEYS_DIR": str(installation.keys_dir),
        f"{PREFIX}FAILPOINT": failpoint,
    }
    command = [sys.executable, "-c", SEQUENCER]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def kill_in_a_process(installation: Installation, failpoint: Failpoint) -> None:
    killed = run_sequencer(installation, failpoint)
    assert killed.returncode == EXIT_STATUS, killed.stderr


def kill_here(installation: Installation, failpoint: Failpoint) -> None:
    def end(status: int) -> None:
        raise Killed(status)

    running = sequencer(installation.context())

    def work() -> None:
        running.turn()
        running.sign()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "_ARMED", failpoint)
        patch.setattr(os, "_exit", end)
        with pytest.raises(Killed, match=str(EXIT_STATUS)):
            work()
    installation.close()


@pytest.mark.parametrize("failpoint", OURS)
def test_killed_at_any_step_there_is_no_gap_and_no_repeat(
    sqlite_installation: Installation, failpoint: Failpoint
) -> None:
    context = sqlite_installation.context()
    submission_id = submit(context).submission_id
    assert sequence(context) is not None
    record(context, submission_id, None)
    kill = kill_in_a_process if failpoint in IN_A_PROCESS else kill_here
    kill(sqlite_installation, failpoint)
    context = sqlite_installation.context()
    sequence(context)
    check_log(context)
    record(context, submission_id)
    assert sequence(context) is not None
    check_log(context)


def test_a_name_that_is_none_kills_nobody_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREROUTE_FAILPOINT", "sequencer:misspelt")
    with pytest.raises(ValueError, match="is not a valid Failpoint"):
        armed()
