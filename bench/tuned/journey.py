"""All that happens to one submission, in two transactions."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select

from bench.direct import Unqueued, begin_unqueued, job_for, lock
from pipeline.context import Context
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.intake.accept import VALIDATE_LANE
from pipeline.ledger import ClaimedJob
from pipeline.models import Email
from pipeline.outreach import EMAIL_LANE
from pipeline.stages.deliver import Composed, DeliverStage
from pipeline.stages.mail_outcomes import Called
from pipeline.stages.score import ScoreStage
from pipeline.stages.validate import SCORE_LANE, ValidateStage
from pipeline.status import EmailStatus
from pipeline.transports import Transport, open_transport


class Journey:
    """What the tasks of one process share."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._transport: Transport = open_transport(context.settings)
        self._validate, self._score = ValidateStage(context), ScoreStage(context)
        self._deliver = DeliverStage(context, self._transport)

    def take(self, submission_id: uuid.UUID) -> None:
        """A message that comes a second time finds what the first one left to do."""
        self._send(self._judge(submission_id) or self._left(submission_id))

    def _judge(self, submission_id: uuid.UUID) -> list[ClaimedJob]:
        """Validate, score and refer; the emails to send."""
        with begin_unqueued(self._context, VALIDATE_LANE) as unit:
            _do(unit, self._validate, [job_for(VALIDATE_LANE, submission_id, submission_id)])
            to_score = unit.of_lane(SCORE_LANE)
            if to_score:
                unit.flush()  # the answers are read where they were written
                _do(unit, self._score, to_score)
        return unit.of_lane(EMAIL_LANE)

    def _send(self, jobs: Sequence[ClaimedJob]) -> None:
        with begin_unqueued(self._context, EMAIL_LANE) as unit:
            letters = self._deliver.load(unit.connection, jobs)
            verdicts: list[Verdict] = []
            for job in jobs:
                letter = letters[job.id]
                verdict = self._deliver.attempt(job, letter)
                if isinstance(verdict, Done) and isinstance(verdict.result, Composed):
                    verdict = Done(job, self._hand_over(verdict.result, letter.address_index))
                verdicts.append(verdict)
            lock(unit, jobs)
            self._deliver.record(unit, verdicts)

    def _hand_over(self, composed: Composed, address_index: bytes | None) -> Called:
        receipt = self._transport.send(composed.message, composed.content)
        return Called(receipt, composed.message.attempt_id, address_index, composed.content_hash, composed.form)

    def _left(self, submission_id: uuid.UUID) -> list[ClaimedJob]:
        """Emails that an earlier delivery of the message queued and did not come to send."""
        statement = select(Email.id).where(
            Email.submission_id == submission_id, Email.status == EmailStatus.QUEUED.value
        )
        with self._context.database.read() as connection:
            return [job_for(EMAIL_LANE, id_, submission_id) for id_ in connection.execute(statement).scalars()]


def _do(unit: Unqueued, stage: Stage, jobs: Sequence[ClaimedJob]) -> None:
    """Locked first: whoever delivers the message a second time waits, and then finds it done."""
    lock(unit, jobs)
    items = stage.load(unit.connection, jobs)
    stage.record(unit, [stage.attempt(job, items[job.id]) for job in jobs if job.id in items])
