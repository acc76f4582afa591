"""How many jobs to claim at a time, by how long the last ones took in this process.

A lane's batch size suits a quiet machine. Where each job takes long (a slow mail provider, a busy machine), a full
batch would hold its jobs for minutes, while other workers and other lanes wait for them. Why: docs/decisions/0030.
"""

from dataclasses import dataclass

BATCH_SECONDS = 2.0
"""How long a batch should take at most."""
SMALLEST_BATCH = 8
"""Claimed however slow the jobs are: less would cost more in statements than it spares."""


@dataclass(slots=True)
class Pace:
    """Of one lane. Each batch counts half as much as the one after it, in proportion to its jobs."""

    jobs: float = 0.0
    seconds: float = 0.0

    def note(self, jobs: int, seconds: float) -> None:
        """A batch of that many jobs took that long."""
        self.jobs = self.jobs / 2 + jobs
        self.seconds = self.seconds / 2 + seconds

    def batch_size(self, most: int) -> int:
        """How many jobs to claim next, `most` unless they would take too long."""
        if self.seconds * most <= BATCH_SECONDS * self.jobs or not self.jobs:
            return most
        return min(most, max(SMALLEST_BATCH, int(BATCH_SECONDS * self.jobs / self.seconds)))
