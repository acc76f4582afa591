"""Back through scoring: a submission in review whose answers have changed is judged anew, as if it had just come in."""

from collections.abc import Mapping

from sqlalchemy import delete

from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.context import Context
from pipeline.models import Assessment, Review, SealedDocument
from pipeline.stages.validate import SCORE_LANE
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, numbered
from pipeline.unit_of_work import UnitOfWork
from pipeline.validation import Answer


def score_again(
    context: Context,
    unit: UnitOfWork,
    sealed: Sealed,
    answers: Mapping[str, Answer],
    action: Action,
    details: Mapping[Detail, DetailValue] | None = None,
    *,
    health: tuple[bytes, bytes] | None = None,
) -> None:
    """Keep `answers` as the submission's next document of answers, and have the lane `score` judge them.

    The submission must be locked and in review. What was found out from the answers before does not count any more; its
    sealed documents stay.
    """
    submission_id = sealed.submission_id
    part = numbered(Part.ANSWERS, sealed.parts[Part.ANSWERS].number + 1)
    ciphertext = sealed.key(context.vault).seal_json(part, answers)
    unit.insert(SealedDocument.table(), submission_id=submission_id, part=part, ciphertext=ciphertext)
    for settled in (Review, Assessment):
        unit.connection.execute(delete(settled).where(settled.submission_id == submission_id))
    unit.transition(submission_id, SubmissionStatus.VALID, action, details, health=health)
    unit.enqueue(SCORE_LANE, submission_id, submission_id)
