"""Program: outlive the supervisor by a moment and end every process group it left behind.

Its standard input is a pipe from the supervisor, with lines `+GROUP` and `-GROUP` as children come and go. However the
supervisor ends, SIGKILL included, the pipe closes; what is still listed then gets SIGTERM and, after a grace, SIGKILL.
The kernel's parent-death signal (see `tether`) reaches only direct children and only on Linux; this reaches their
children too, such as a Celery worker's pool.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 5.0


def main() -> None:
    """Keep the list until the pipe closes, then end what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        _send(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_send(group, 0) for group in groups):
        time.sleep(0.05)
    for group in groups:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
