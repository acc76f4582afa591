"""Processes that end at a failpoint as in a power cut, forked from one that has loaded everything: a start is cheap.

What is done in them is a function of a module, called with arguments that can be pickled.
"""

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

from pipeline import failpoints
from pipeline.failpoints import EXIT_STATUS, VARIABLE

_PATIENCE_SECONDS = 120
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.crashing", "tests.support.lives"])


def crash(failpoint: str, live: Callable[..., object], *arguments: Any) -> None:
    """Run `live` in a process of its own, which must end at `failpoint`: any other end is an AssertionError."""
    process = _FORKS.Process(target=_live_until, args=(failpoint, live, arguments))
    process.start()
    process.join(_PATIENCE_SECONDS)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == EXIT_STATUS, f"it did not end at {failpoint}, but with status {process.exitcode}"


def _live_until(failpoint: str, live: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    os.environ[VARIABLE] = failpoint
    failpoints._ARMED = failpoints.armed()  # as at the start of a process, which this is not quite
    live(*arguments)
