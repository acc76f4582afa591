"""From when on one process looks for the due jobs of a lane, so that it does not walk over what was finished before.

While any transaction of PostgreSQL holds an old snapshot, the rows of finished jobs stay, in the index too. Why it is
done like this, and what it costs: docs/decisions/0039.
"""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

LAG = dt.timedelta(seconds=2)
"""A job that is committed so much later than it is due is still found at once."""
LOOK_BACK_SHARE = 0.1
"""Of the time, at most, goes into looks from the beginning on, for what the marks hide."""


@dataclass(slots=True)
class LowWater:
    """Marks of one lane in one process: before a source's mark nothing was due when this process last looked.

    That may have changed since (leases run out, clocks are set back), so they are only where to look first, and only
    while looks from the beginning on take long.
    """

    look_back_share: float = LOOK_BACK_SHARE
    marks: dict[str, dt.datetime] = field(default_factory=dict)
    _next_look_back: float = 0.0

    def is_to_look_back(self) -> bool:
        """Whether it is time to look from the beginning on, as at first."""
        return time.monotonic() >= self._next_look_back

    def note(self, oldest: Mapping[str, dt.datetime]) -> None:
        """The oldest due job of each source that was looked at, or when it was looked if none was due."""
        for source, since in oldest.items():
            self.marks[source] = since - LAG

    def looked_back(self, seconds: float) -> None:
        """It was looked from the beginning on, which took so long."""
        self._next_look_back = time.monotonic() + seconds / self.look_back_share
