"""Places where a test can end the process as a power cut would, to see that what comes after makes it good.

The environment variable CAREROUTE_FAILPOINT names one of them; without it `reach` looks at one value and returns.

    drain:after-claim             the first time that it is reached
    drain:after-claim@3           the third time
    drain:after-claim[email]      the first time in that lane; with @ as above
"""

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.lane_names import JOB_LANES

EXIT_STATUS = 86
"""By which a test knows that the process ended where it was told to."""
VARIABLE = "CAREROUTE_FAILPOINT"
_FORM = re.compile(r"(?P<point>[a-z:-]+)(?:\[(?P<lane>[^\]]*)\])?(?:@(?P<time>[1-9][0-9]{0,8}))?")


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
    DRAIN_ROW_BY_ROW = "drain:row-by-row"
    """One row's data broke the bulk: all rows were written each for itself, and none is committed."""
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
    ERASURE_AFTER_LINE = "erasure:after-line"
    """The erasures file names what is not erased: the transaction is not committed."""
    ERASURE_AFTER_COMMIT = "erasure:after-commit"
    """The emails about it that the mailbox folder holds are still there."""
    ROTATION_BEFORE_FILE = "rotation:before-file"
    """A change of a keyset is on record, and the keyset's file is as it was."""
    REWRAP_AFTER_BATCH = "rewrap:after-batch"


_OF_A_LANE = frozenset(
    {
        Failpoint.WAKE_AFTER_KEY,
        Failpoint.DRAIN_AFTER_CLAIM,
        Failpoint.DRAIN_BEFORE_FINISH,
        Failpoint.DRAIN_BEFORE_COMMIT,
        Failpoint.DRAIN_ROW_BY_ROW,
        Failpoint.DRAIN_AFTER_COMMIT,
    }
)


@dataclass(frozen=True, slots=True)
class Armed:
    """Where this process is to end: the `time`-th time (from 1) that the point is reached, in `lane` if it is given."""

    point: Failpoint
    lane: str | None = None
    time: int = 1
    _times: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False, compare=False)

    def is_here(self, point: Failpoint, lane: str | None) -> bool:
        """Whether to end now; counts how often it was asked about its own point and lane."""
        return point is self.point and self.lane in {None, lane} and next(self._times) == self.time


def armed() -> Armed | None:
    """Where this process is to end, if anywhere.

    Raises ValueError for what names no failpoint, or a lane that there is not: such a test would show nothing.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    form = _FORM.fullmatch(text)
    if form is None or form["point"] not in list(Failpoint):
        raise ValueError(f"{VARIABLE}: {text} is not a failpoint, as in drain:after-claim, …[email] or …@3")
    point, lane = Failpoint(form["point"]), form["lane"]
    if lane is not None and (point not in _OF_A_LANE or lane not in JOB_LANES):
        raise ValueError(f"{VARIABLE}: {point} is not reached in a lane {lane}")
    return Armed(point, lane, int(form["time"] or 1))


_ARMED = armed()


def reach(point: Failpoint, lane: str | None = None) -> None:
    """End the process here, without any clean-up, if it was started with this failpoint."""
    if _ARMED is not None and _ARMED.is_here(point, lane):
        os._exit(EXIT_STATUS)
