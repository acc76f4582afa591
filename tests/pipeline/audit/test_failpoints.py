"""The sequencer's process ends at any of its steps, as in a power cut; the next one can go on with the log."""

import os
import subprocess
import sys

import pytest

from config.settings import PREFIX, ROOT
from pipeline.failpoints import EXIT_STATUS, VARIABLE, Failpoint
from pipeline.models import AuditPending
from tests.support.crashing import crash
from tests.support.installations import Installation
from tests.support.lives import sequence as sequence_and_sign
from tests.support.log import check_log, record, sequence
from tests.support.submissions import submit
from tests.support.work import table

SEQUENCER = """
from config.settings import Settings
from tests.support.lives import sequence
sequence(Settings())
"""
OURS = [point for point in Failpoint if point.split(":")[0] in {"sequencer", "signing", "anchor"}]


@pytest.mark.parametrize("grows", [False, True], ids=["no news", "news"])
@pytest.mark.parametrize("failpoint", OURS)
def test_killed_at_any_step_there_is_no_gap_and_no_repeat(
    sqlite_installation: Installation, failpoint: Failpoint, *, grows: bool
) -> None:
    """Whether or not something was recorded until the next one comes."""
    context = sqlite_installation.context()
    submission_id = submit(context).submission_id
    assert sequence(context) is not None
    record(context, submission_id, None)
    crash(failpoint, sequence_and_sign, context.settings)
    if grows:
        record(context, submission_id)
    sequence(context)
    check_log(context)
    assert not table(context.database, AuditPending.table())
    record(context, submission_id)
    assert sequence(context) is not None
    check_log(context)


def test_a_process_is_told_by_its_environment_where_to_end(sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    submit(context)
    sequence(context)
    environment = {
        **os.environ,
        f"{PREFIX}DATA_DIR": str(sqlite_installation.folder),
        f"{PREFIX}KEYS_DIR": str(sqlite_installation.keys_dir),
        VARIABLE: Failpoint.SEQUENCER_BEFORE_COMMIT,
    }
    record(context, None)
    ended = subprocess.run(
        [sys.executable, "-c", SEQUENCER], cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False
    )
    assert ended.returncode == EXIT_STATUS, ended.stderr.decode()
