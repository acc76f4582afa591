"""The lane `score`: which providers' published criteria fit, why, and what goes out because of it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.audit.actions import Action, Detail
from pipeline.capacity import Room, read_standings
from pipeline.consent import sharing_allowed
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.ledger import ClaimedJob
from pipeline.models import Assessment, Review, SealedDocument
from pipeline.outreach import TO_PERSON, Message, queue_email
from pipeline.providers import NetworkInForce
from pipeline.referral import Candidate, Offers, insert_matches
from pipeline.scoring.assess import ReviewReason, score
from pipeline.scoring.compare import Outcome
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Match
from pipeline.secure_pages.asking import may_be_asked
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, numbered, read_sealed
from pipeline.unit_of_work import UnitOfWork

_KIND_OF_OUTCOME = {
    Outcome.CANDIDATE: EmailKind.RECOMMENDATION,
    Outcome.NEEDS_REVIEW: EmailKind.IN_REVIEW,
    Outcome.NO_MATCH: EmailKind.NO_MATCH,
}


@dataclass(frozen=True, slots=True)
class ToScore:
    sealed: Sealed
    network: Network
    in_force: NetworkInForce
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Scored:
    """What the answers came to, judged `at` that moment. `number` counts the answers and their scorings, from 1."""

    number: int
    outcome: Outcome
    matches: tuple[Match, ...]
    explanation: bytes
    review_reasons: tuple[str, ...]
    language: str
    in_force: NetworkInForce
    at: dt.datetime

    @property
    def email_kind(self) -> EmailKind:
        # Answers that are missing can be asked of the person; whatever else it is takes an expert.
        if self.review_reasons == (ReviewReason.INFORMATION_MISSING,) and may_be_asked(self.number):
            return EmailKind.INFORMATION_NEEDED
        return _KIND_OF_OUTCOME[self.outcome]

    @property
    def cause(self) -> str:
        """Of the emails it leads to, which are one each for a cause."""
        return "scored" if self.number == 1 else f"scored:{self.number}"


class ScoreStage(Stage):
    def __init__(self, context: Context) -> None:
        self._context = context

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, ToScore]:
        in_force, at = self._context.networks.current_and_time(connection)
        network = in_force.network.with_standings(read_standings(connection, in_force.documents.values(), at))
        sealed = read_sealed(connection, [job.target_id for job in jobs], [Part.ANSWERS])
        return {
            job.id: ToScore(sealed[job.target_id], network, in_force, at) for job in jobs if job.target_id in sealed
        }

    def work(self, item: ToScore) -> Scored:
        key = item.sealed.key(self._context.vault)
        sealed_answers = item.sealed.parts[Part.ANSWERS]
        answers = sealed_answers.open_json(key)
        assessment = score(answers, item.network, item.sealed.received_at.date(), item.at)
        return Scored(
            number=sealed_answers.number,
            outcome=assessment.outcome,
            matches=assessment.matches,
            explanation=key.seal_json(numbered(Part.ASSESSMENT, sealed_answers.number), assessment.explanation),
            review_reasons=assessment.review_reasons,
            language=str(answers.get("language") or "en"),
            in_force=item.in_force,
            at=item.at,
        )

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        scored = [
            (verdict.job, verdict.result)
            for verdict in verdicts
            if isinstance(verdict, Done) and unit.heads[verdict.job.target_id].status is SubmissionStatus.VALID
        ]
        for job, result in scored:
            self._record_assessment(unit, job, result)
        self._offer([item for item in scored if item[1].outcome is Outcome.CANDIDATE], unit)

    def _offer(self, scored: Sequence[tuple[ClaimedJob, Scored]], unit: UnitOfWork) -> None:
        if not scored:
            return
        room = Room(unit.connection, {match.provider_id for _, result in scored for match in result.matches})
        offers = Offers(self._context, unit, scored[0][1].in_force, room, scored[0][1].at)
        sharing = sharing_allowed(unit.connection, [job.target_id for job, _ in scored])
        for job, result in scored:
            candidate = Candidate(sharing[job.target_id], result.matches, job)
            insert_matches(unit, job.target_id, offers.make_first(candidate))
        room.save()

    def _record_assessment(self, unit: UnitOfWork, job: ClaimedJob, result: Scored) -> None:
        submission_id = job.target_id
        unit.insert(
            Assessment.table(),
            submission_id=submission_id,
            outcome=result.outcome.value,
            network_digest=result.in_force.digest,
            network_revision=result.in_force.revision,
            judged_at=result.at,
            assessed_at=unit.now,
        )
        unit.insert(
            SealedDocument.table(),
            submission_id=submission_id,
            part=numbered(Part.ASSESSMENT, result.number),
            ciphertext=result.explanation,
        )
        unit.transition(
            submission_id,
            SubmissionStatus(result.outcome.value),
            Action.SUBMISSION_SCORED,
            {Detail.MATCHES: len(result.matches), Detail.NETWORK: result.in_force.digest},
            job=job,
        )
        if result.outcome is Outcome.NEEDS_REVIEW:
            unit.insert(
                Review.table(),
                submission_id=submission_id,
                reasons=",".join(result.review_reasons),
                queued_at=unit.now,
            )
        message = Message(submission_id, result.email_kind, TO_PERSON, result.language, result.cause)
        queue_email(self._context, unit, message, job)
