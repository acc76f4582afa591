"""The step `score` of one submission, with the referrals that follow from it."""

import datetime as dt
import uuid
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from bench.textbook.step import Step, step
from config.providers import ProviderDocument
from pipeline.audit.actions import Action, Detail
from pipeline.capacity import read_standings
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Assessment, ProviderLoad, ProviderMatch, Referral, Review, SealedDocument, Submission
from pipeline.outreach import TO_PERSON, Message, to_provider
from pipeline.providers import NetworkInForce
from pipeline.scoring.compare import Outcome
from pipeline.scoring.rank import Match
from pipeline.stages.score import Scored, ScoreStage, ToScore
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.submission import Part, numbered, read_sealed


def score_one(context: Context, stage: ScoreStage, submission_id: uuid.UUID) -> list[str]:
    """The emails to send."""
    with step(context, "score", submission_id) as taken:
        connection = taken.session.connection()
        in_force = context.networks.current(connection, taken.now)
        network = in_force.network.with_standings(read_standings(connection, in_force.documents.values(), taken.now))
        sealed = read_sealed(connection, [submission_id], [Part.ANSWERS])[submission_id]
        scored = stage.work(ToScore(sealed, network, in_force, taken.now))
        submission = taken.lock()
        if submission.status != SubmissionStatus.VALID:
            return []
        _keep(taken, scored)
        details: dict[Detail, str | int | bool | None] = {
            Detail.MATCHES: len(scored.matches),
            Detail.NETWORK: in_force.digest,
        }
        taken.transition(submission, SubmissionStatus(scored.outcome.value), Action.SUBMISSION_SCORED, details)
        message = Message(submission_id, scored.email_kind, TO_PERSON, scored.language, scored.cause)
        emails = [taken.queue_email(submission, message)]
        if scored.outcome is Outcome.CANDIDATE:
            emails += _refer(taken, submission, scored.matches, in_force)
        return emails


def _keep(taken: Step, scored: Scored) -> None:
    id_, session = taken.submission_id, taken.session
    session.add(
        Assessment(
            submission_id=id_,
            outcome=scored.outcome.value,
            network_digest=scored.in_force.digest,
            network_revision=scored.in_force.revision,
            judged_at=scored.at,
            assessed_at=taken.now,
        )
    )
    part = numbered(Part.ASSESSMENT, scored.number)
    session.add(SealedDocument(submission_id=id_, part=part, ciphertext=scored.explanation))
    session.add_all(
        ProviderMatch(
            submission_id=id_,
            rank=match.rank,
            provider_id=match.provider_id,
            provider_version_id=match.provider_version_id,
            program_id=match.program_id,
            score=match.score,
        )
        for match in scored.matches
    )
    if scored.outcome is Outcome.NEEDS_REVIEW:
        session.add(Review(submission_id=id_, reasons=",".join(scored.review_reasons), queued_at=taken.now))


def _refer(taken: Step, submission: Submission, matches: Sequence[Match], in_force: NetworkInForce) -> list[str]:
    """Offer to the best matches with room, under locks on their loads; the emails to send."""
    consent = taken.context.screening.consent("consent_share")
    loads = _lock_loads(taken, {match.provider_id for match in matches})
    emails: list[str] = []
    for match in matches:
        if len(emails) >= min(consent.recipients_open, consent.recipients_total):
            break
        document = in_force.document_of(match.provider_id)
        if document is not None and _take_room(taken, loads[match.provider_id], document):
            emails.append(_offer(taken, submission, match, document))
    return emails


def _lock_loads(taken: Step, provider_ids: set[str]) -> dict[str, ProviderLoad]:
    statement = (
        select(ProviderLoad)
        .where(ProviderLoad.provider_id.in_(provider_ids))
        .order_by(ProviderLoad.provider_id)
        .with_for_update()
    )
    found = {load.provider_id: load for load in taken.session.scalars(statement)}
    missing = sorted(provider_ids - found.keys())
    if missing:
        rows = [{"provider_id": id_, "open_referrals": 0, "day": "", "day_referrals": 0} for id_ in missing]
        taken.session.execute(insert(ProviderLoad).values(rows).on_conflict_do_nothing())
        found = {load.provider_id: load for load in taken.session.scalars(statement)}
    return found


def _take_room(taken: Step, load: ProviderLoad, document: ProviderDocument) -> bool:
    today = taken.now.astimezone(ZoneInfo(document.time_zone)).date().isoformat()
    if load.day != today:
        load.day, load.day_referrals = today, 0
    capacity = document.capacity
    if load.open_referrals >= capacity.max_open or load.day_referrals >= capacity.max_per_day:
        return False
    load.open_referrals += 1
    load.day_referrals += 1
    load.last_offered_at = taken.now
    return True


def _offer(taken: Step, submission: Submission, match: Match, document: ProviderDocument) -> str:
    referral_id = uuid7()
    taken.session.add(
        Referral(
            id=referral_id,
            submission_id=submission.id,
            provider_id=match.provider_id,
            provider_version_id=match.provider_version_id,
            status=ReferralStatus.OFFERED.value,
            created_at=taken.now,
            expires_at=taken.now + dt.timedelta(days=taken.context.settings.referral_valid_days),
        )
    )
    taken.record(
        submission,
        Action.REFERRAL_OFFERED,
        {
            Detail.REFERRAL: str(referral_id),
            Detail.PROVIDER: match.provider_id,
            Detail.PROVIDER_VERSION: str(match.provider_version_id),
            Detail.RANK: match.rank,
            Detail.SCORE: match.score,
        },
    )
    recipient, cause = to_provider(match.provider_id), f"referral:{referral_id}"
    message = Message(submission.id, EmailKind.REFERRAL, recipient, document.languages[0], cause, referral_id)
    return taken.queue_email(submission, message)
