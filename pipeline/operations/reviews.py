"""The review queue: what waits for an expert, and the expert's decision, which continues the flow as if scored."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select

from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import canonical_details
from pipeline.capacity import Room
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Review, SealedDocument, Submission
from pipeline.operations.review_case import (
    InReview,
    NotOffered,
    ReviewRefused,
    disclosure_to,
    lock_in_review,
    name_of,
    obstacle,
    record_access,
)
from pipeline.outreach import TO_PERSON, Message, queue_email
from pipeline.providers import NetworkInForce
from pipeline.referral import Candidate, Offers
from pipeline.scoring.compare import MOST_MATCHES
from pipeline.scoring.explanation import read_explanation
from pipeline.scoring.rank import Fit, Match, rank
from pipeline.scoring.verdict import Verdict
from pipeline.stages.score import insert_matches
from pipeline.status import SubmissionStatus
from pipeline.submission import Part
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.vault import DataKey

_CAUSE = "reviewed"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in review. `reasons` are codes of `ReviewReason`."""

    submission_id: uuid.UUID
    reference: str
    source: str
    reasons: tuple[str, ...]
    queued_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What an expert decided, and why. `reason` may say anything, so it is kept as a health fact.

    `programs` (`provider/program`) are those to offer; without any, all that fit or need information.
    """

    candidate: bool
    reason: str
    programs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a decision has its reason")
        if self.programs and not self.candidate:
            raise ValueError("programs are named for a candidate only")


def list_in_review(connection: Connection, *, reason: str | None = None, limit: int | None = None) -> list[Waiting]:
    """What waits for an expert, the oldest first: for this reason (among others), or for any.

    No health fact: a reason is one of a few codes, and none of them says what a person has (docs/decisions/0010).
    """
    wanted = select(
        Review.submission_id, Submission.reference, Submission.source, Review.reasons, Review.queued_at
    ).join(Submission, Submission.id == Review.submission_id)
    if reason is not None:
        wanted = wanted.where(("," + Review.reasons + ",").contains(f",{reason},", autoescape=True))
    rows = connection.execute(wanted.order_by(Review.queued_at, Review.submission_id).limit(limit))
    return [
        Waiting(row.submission_id, row.reference, row.source, tuple(row.reasons.split(",")), row.queued_at)
        for row in rows
    ]


def decide(context: Context, actor: Actor, submission_id: uuid.UUID, decision: Decision) -> tuple[Match, ...]:
    """Take a submission out of review, in one transaction with all that follows; returns its matches, best first.

    Whoever comes second, after another expert, a withdrawal or added answers, is refused. Raises `ReviewRefused`
    (nothing was changed) and `SealBroken`.
    """
    try:
        return _decide(context, actor, submission_id, decision)
    except NotOffered:
        # The refusal says which programs fit, so it is an access like reading the case.
        with begin(context.database, context.keys, actor) as unit:
            record_access(unit, submission_id)
        raise


def _decide(context: Context, actor: Actor, submission_id: uuid.UUID, decision: Decision) -> tuple[Match, ...]:
    with context.database.read() as connection:
        in_force = context.networks.current(connection)
    with begin(context.database, context.keys, actor) as unit:
        found = lock_in_review(unit, submission_id)
        _refuse_outdated(unit, found)
        key = found.sealed.key(context.vault)
        fits: tuple[Fit, ...] = ()
        if decision.candidate:
            fits = _fits(decision, found.sealed.parts[Part.ASSESSMENT].open_json(key), in_force, unit.now)
        room = Room(unit.connection, {fit.provider_id for fit in fits})
        offers = Offers(context, unit, in_force, room)
        matches = offers.in_turn(rank(fits, {}))[:MOST_MATCHES]
        insert_matches(unit, submission_id, matches)
        _record(unit, submission_id, decision, len(matches), in_force.digest, _seal(unit, key, decision))
        language = str(found.sealed.parts[Part.ANSWERS].open_json(key).get("language") or "en")
        kind = EmailKind.RECOMMENDATION if decision.candidate else EmailKind.NO_MATCH
        queue_email(context, unit, Message(submission_id, kind, TO_PERSON, language, _CAUSE))
        offers.make(Candidate(submission_id, matches))
        room.save()
    return matches


def _refuse_outdated(unit: UnitOfWork, found: InReview) -> None:
    """An expert who read the case before it came back with added answers has to read it again."""
    read_at = unit.connection.execute(
        select(func.max(AuditEvent.occurred_at)).where(
            AuditEvent.submission_id == found.sealed.submission_id,
            AuditEvent.action == Action.FACTS_DISCLOSED.value,
            AuditEvent.details == canonical_details(disclosure_to(unit.actor)),
        )
    ).scalar_one()
    if read_at is not None and read_at < found.queued_at:
        raise ReviewRefused("answers were added since you read it: read it again before you decide")


def _fits(
    decision: Decision, explanation: Mapping[str, Any], in_force: NetworkInForce, now: dt.datetime
) -> tuple[Fit, ...]:
    """The programs to offer, as they were judged. Raises `NotOffered`, naming those that cannot be."""
    judged = {name_of(record): (position, record) for position, record in enumerate(read_explanation(explanation))}
    open_ = tuple(name for name, (_, record) in judged.items() if record.verdict is not Verdict.NOT_MET)
    wanted = dict.fromkeys(decision.programs or open_)
    obstacles = {
        name: obstacle(judged[name][1], in_force, now) if name in judged else "not in the assessment" for name in wanted
    }
    hindered = "; ".join(f"{name}: {why}" for name, why in obstacles.items() if why is not None)
    if hindered and decision.programs:
        raise NotOffered(f"cannot be offered: {hindered}")
    fits = tuple(
        Fit(record.provider_id, record.provider_version_id, record.program_id, position, record.score)
        for name in wanted
        if obstacles[name] is None
        for position, record in [judged[name]]
    )
    if not fits:
        raise NotOffered(f"nothing to offer: {hindered or 'no program fits or needs information'}")
    return fits


def _seal(unit: UnitOfWork, key: DataKey, decision: Decision) -> tuple[bytes, bytes]:
    """Keep the decision and its reason encrypted; returns what its record says of them."""
    plaintext = orjson.dumps(
        {"candidate": decision.candidate, "programs": decision.programs, "reason": decision.reason.strip()}
    )
    ciphertext = key.seal(Part.DECISION, plaintext)
    unit.insert(
        SealedDocument.table(), submission_id=key.submission_id, part=Part.DECISION.value, ciphertext=ciphertext
    )
    return ciphertext, key.commit_to(plaintext)


def _record(
    unit: UnitOfWork,
    submission_id: uuid.UUID,
    decision: Decision,
    matches: int,
    network: str,
    health: tuple[bytes, bytes],
) -> None:
    unit.transition(
        submission_id,
        SubmissionStatus.CANDIDATE if decision.candidate else SubmissionStatus.NO_MATCH,
        Action.SUBMISSION_REVIEWED,
        {Detail.MATCHES: matches, Detail.NETWORK: network},
        health=health,
    )
    unit.connection.execute(delete(Review).where(Review.submission_id == submission_id))
