"""Places where a test can end the process as a power cut would, to see that what comes after makes it good.

The environment variable CAREROUTE_FAILPOINT names one of them; without it `reach` compares two values and returns.
"""

import os
from enum import StrEnum

EXIT_STATUS = 86
"""By which a test knows that the process ended where it was told to."""


class Failpoint(StrEnum):
    """Named `<work>:<moment>`, in the order in which they are reached."""

    SEQUENCER_AFTER_READ = "sequencer:after-read"
    SEQUENCER_AFTER_APPEND = "sequencer:after-append"
    SEQUENCER_BEFORE_COMMIT = "sequencer:before-commit"
    SEQUENCER_AFTER_COMMIT = "sequencer:after-commit"
    SIGNING_BEFORE_SIGNATURE = "signing:before-signature"
    SIGNING_BEFORE_ANCHOR = "signing:before-anchor"
    ANCHOR_AFTER_CREATION = "anchor:after-creation"
    SIGNING_AFTER_ANCHOR = "signing:after-anchor"
    SIGNING_BEFORE_COMMIT = "signing:before-commit"
    SIGNING_AFTER_COMMIT = "signing:after-commit"


def armed() -> Failpoint | None:
    """Where this process is to end. Raises ValueError for a name that there is not: such a test would show nothing."""
    name = os.environ.get("CAREROUTE_FAILPOINT")
    return Failpoint(name) if name else None


_ARMED = armed()


def reach(point: Failpoint) -> None:
    """End the process here, without any clean-up, if it was started with this failpoint."""
    if point is _ARMED:
        os._exit(EXIT_STATUS)
