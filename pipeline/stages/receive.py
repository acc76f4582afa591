"""The lane `receipts`: apply what providers report about emails.

An event may come before what it is about is on record: then it waits, a few times, before it is taken for one about
somebody else's mail. That is no failure: it is kept as it is, and counted.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from pipeline.engine.stage import Done, Stage, TransientFailure, Verdict
from pipeline.ledger import ClaimedJob
from pipeline.receipts.applying import Reported, apply_events
from pipeline.receipts.events import EventKind
from pipeline.receipts.matching import candidates, read_events
from pipeline.unit_of_work import UnitOfWork

PATIENCE_SECONDS = (2.0, 10.0, 60.0)
"""The waits. Together they are longer than a slice of calls takes, whose answers are put on record together."""


class ReceiveStage(Stage):
    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Reported]:
        events = read_events(connection, [job.target_id for job in jobs])
        attempts = candidates(connection, list(events.values()))
        return {
            job.id: Reported(events[job.target_id], attempts[job.target_id], job.attempts)
            for job in jobs
            if job.target_id in events
        }

    def work(self, item: Reported) -> Reported:
        """Decide whether to wait. What an address wants needs no email, and does not wait for one."""
        if item.tries <= len(PATIENCE_SECONDS):
            if not item.attempts and item.event.kind is not EventKind.UNSUBSCRIBED:
                raise TransientFailure("unmatched", PATIENCE_SECONDS[item.tries - 1])
            if any(attempt.under_way for attempt in item.attempts):
                # The answer's record says what was handed over and to whom: let it come first.
                raise TransientFailure("call under way", PATIENCE_SECONDS[item.tries - 1])
        return item

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        reported = [(v.job, v.result) for v in verdicts if isinstance(v, Done) and isinstance(v.result, Reported)]
        if reported:
            apply_events(unit, reported)
