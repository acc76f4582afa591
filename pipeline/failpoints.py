"""Places where a test can end the process as a power cut would, to see that what comes after makes it good.

The environment variable CAREROUTE_FAILPOINT names one of them; without it `reach` compares two values and returns.
"""

import os
from enum import StrEnum

EXIT_STATUS = 86
"""By which a test knows that the process ended where it was told to."""


class Failpoint(StrEnum):
    """Named `<work>:<moment>`, in the order in which they are reached."""

    INTAKE_BEFORE_COMMIT = "intake:before-commit"
    INTAKE_AFTER_COMMIT = "intake:after-commit"
    """Nobody was woken, and nobody told 2xx."""
    WAKE_AFTER_KEY = "wake:after-key"
    """The key that holds back further messages is set; the message it stands for is not sent."""
    DRAIN_AFTER_CLAIM = "drain:after-claim"
    DRAIN_BEFORE_FINISH = "drain:before-finish"
    """The batch was worked on; nothing of it is written."""
    DRAIN_BEFORE_COMMIT = "drain:before-commit"
    DRAIN_AFTER_COMMIT = "drain:after-commit"
    """Nobody was woken for what was fed."""
    EMAIL_BEFORE_CALL = "email:before-call"
    """Marked, and not sent."""
    EMAIL_AFTER_CALL = "email:after-call"
    """Sent, and not recorded."""
    SWEEP_BEFORE_COMMIT = "sweep:before-commit"
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
