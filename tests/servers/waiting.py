"""Waiting for another process without asserting how long it takes."""

import time
from collections.abc import Callable

from embedded import processes

_GIVE_UP_SECONDS = 20.0


def gone(pid: int) -> bool:
    """Whether the process has ended, noticed by its parent or not."""
    return not processes.command_line(pid)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true; gives up after a time that only a failure needs."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
