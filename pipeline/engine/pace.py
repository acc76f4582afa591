"""How many jobs to claim at a time, by how long the last ones took in this process.

A lane's batch size suits a quiet machine. Where each job takes long (a slow mail provider, a busy machine), a full
batch would hold its jobs for minutes, while other workers and other lanes wait for them. Why: docs/decisions/0030.
"""

from dataclasses import dataclass

BATCH_SECONDS = 5.0
"""How long a batch should take at most."""
SMALLEST_BATCH = 8
"""Claimed however slow the jobs are: less would cost more in statements than it spares."""


@dataclass(slots=True)
class Pace:
    """Of one lane. A batch that took too long makes the next one smaller; one that did not lets it double.

    Only batches that took too long say how long a job takes: a small one is mostly what every batch costs.
    """

    bound: int | None = None

    def note(self, jobs: int, seconds: float) -> None:
        """A batch of that many jobs took that long."""
        if seconds > BATCH_SECONDS:
            self.bound = max(SMALLEST_BATCH, int(jobs * BATCH_SECONDS / seconds))
        elif self.bound is not None:
            self.bound *= 2

    def batch_size(self, most: int) -> int:
        """How many jobs to claim next, `most` unless they would take too long."""
        if self.bound is not None and self.bound >= most:
            self.bound = None
        return most if self.bound is None else min(most, self.bound)
