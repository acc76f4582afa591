"""The review queue: what waits for an expert, and the expert's decision, which continues the flow as if scored."""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select

from config.conditions import OTHER
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import canonical_details
from pipeline.capacity import Room
from pipeline.consent import sharing_allowed
from pipeline.context import Context
from pipeline.db import database_time
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Review, SealedDocument, Submission
from pipeline.operations.review_case import (
    ConditionStands,
    InReview,
    NotOffered,
    ReviewRefused,
    Telling,
    disclosure_to,
    lock_in_review,
    name_of,
    obstacle,
    record_access,
)
from pipeline.outreach import TO_PERSON, Message, queue_email
from pipeline.providers import NetworkInForce
from pipeline.referral import Candidate, Offers, insert_matches, renumbered
from pipeline.rescoring import score_again
from pipeline.scoring.assess import ReviewReason
from pipeline.scoring.compare import MOST_MATCHES
from pipeline.scoring.explanation import ProgramRecord, read_explanation
from pipeline.scoring.rank import Fit, Match, rank
from pipeline.scoring.verdict import Verdict
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, numbered
from pipeline.unit_of_work import UnitOfWork, begin

_CAUSE = "reviewed"
_NOT_TOLD = "not among the programs told in the assessment"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in review. `reasons` are codes of `ReviewReason`."""

    submission_id: uuid.UUID
    reference: str
    source: str
    reasons: tuple[str, ...]
    queued_at: dt.datetime

    @property
    def waits_for_person(self) -> bool:
        """Whether only answers are missing, which the person was asked for. An expert may decide all the same."""
        return self.reasons == (ReviewReason.INFORMATION_MISSING,)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an expert decided, and why. `reason` may say anything, so it is kept as a health fact.

    `programs` (`provider/program`) are those to offer; without any, all that fit. What is in doubt has to be named.
    """

    candidate: bool
    reason: str
    programs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a decision has its reason")
        if self.programs and not self.candidate:
            raise ValueError("programs are named for a candidate only")


def name_condition(context: Context, actor: Actor, submission_id: uuid.UUID, condition_id: str, reason: str) -> None:
    """Say which condition of the list a person means by words of their own; the submission is scored again with it.

    The person's words stay among the answers. Raises `ReviewRefused` (nothing was changed) and `SealBroken`.
    """
    if condition_id not in context.conditions.by_id or condition_id == OTHER:
        raise ReviewRefused(f"there is no condition {condition_id} in the list")
    with _told_on_record(context, actor, submission_id), begin(context.database, context.keys, actor) as unit:
        found = lock_in_review(unit, submission_id)
        _refuse_outdated(unit, found)
        answers = found.sealed.open_json(context.vault, Part.ANSWERS)
        if answers.get("condition") != OTHER:
            raise ConditionStands("the person chose a condition of the list, which stands")
        told = {"condition": condition_id, "reason": reason.strip()}
        health = _seal(unit, found.sealed, context, told)
        named = answers | {"condition": condition_id}
        score_again(context, unit, found.sealed, named, Action.SUBMISSION_CONDITION_NAMED, health=health)


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
    with _told_on_record(context, actor, submission_id):
        return _decide(context, actor, submission_id, decision)


@contextmanager
def _told_on_record(context: Context, actor: Actor, submission_id: uuid.UUID) -> Iterator[None]:
    """Whoever is refused in words that tell of the person hears them after the commit that says so."""
    try:
        yield
    except Telling:
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
        chosen: tuple[ProgramRecord, ...] = ()
        if decision.candidate:
            # Whoever decides is told the matches, which say what fits the person.
            record_access(unit, submission_id)
            chosen = _chosen(decision, found.sealed.parts[Part.ASSESSMENT].open_json(key), in_force, unit.now)
        room = Room(unit.connection, {record.provider_id for record in chosen})
        offers = Offers(context, unit, in_force, room, database_time(unit.connection))
        matches = _ranked(chosen, offers)[:MOST_MATCHES]
        insert_matches(unit, submission_id, matches)
        told = {"candidate": decision.candidate, "programs": decision.programs, "reason": decision.reason.strip()}
        health = _seal(unit, found.sealed, context, told)
        _record(unit, submission_id, decision, len(matches), in_force.digest, health)
        language = str(found.sealed.parts[Part.ANSWERS].open_json(key).get("language") or "en")
        kind = EmailKind.RECOMMENDATION if decision.candidate else EmailKind.NO_MATCH
        queue_email(context, unit, Message(submission_id, kind, TO_PERSON, language, _CAUSE))
        sharing = sharing_allowed(unit.connection, [submission_id])
        offers.make_as_ranked(Candidate(sharing[submission_id], matches))
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


def _chosen(
    decision: Decision, explanation: Mapping[str, Any], in_force: NetworkInForce, now: dt.datetime
) -> tuple[ProgramRecord, ...]:
    """The programs to offer, as they were judged and in that order. Raises `NotOffered`, naming those that cannot be.

    The person agreed to share with providers whose criteria fit: what is in doubt is offered only if it is named.
    """
    judged = {name_of(record): record for record in read_explanation(explanation)}
    fitting = tuple(name for name, record in judged.items() if record.verdict is Verdict.MET)
    if not decision.programs and not fitting:
        raise NotOffered("nothing fits for certain: name what to offer, --program PROVIDER/PROGRAM")
    wanted = dict.fromkeys(decision.programs or fitting)
    obstacles = {name: obstacle(judged[name], in_force, now) if name in judged else _NOT_TOLD for name in wanted}
    hindered = "; ".join(f"{name}: {why}" for name, why in obstacles.items() if why is not None)
    if hindered and decision.programs:
        raise NotOffered(f"cannot be offered: {hindered}")
    free = tuple(record for name, record in judged.items() if name in wanted and obstacles[name] is None)
    if not free:
        raise NotOffered(f"nothing to offer: {hindered}")
    return free


def _fitting(records: Iterable[ProgramRecord]) -> tuple[ProgramRecord, ...]:
    return tuple(record for record in records if record.verdict is Verdict.MET)


def _ranked(chosen: Sequence[ProgramRecord], offers: Offers) -> tuple[Match, ...]:
    """One match per provider: those that fit before those in doubt, whatever their scores."""
    fitting = _fitting(chosen)
    sure = {record.provider_id for record in fitting}
    in_doubt = [record for record in chosen if record.provider_id not in sure]
    in_turn = (offers.in_turn(rank(_as_fits(records), {})) for records in (fitting, in_doubt))
    return renumbered(chain.from_iterable(in_turn))


def _as_fits(records: Iterable[ProgramRecord]) -> list[Fit]:
    """For ranking, in the order they were judged, which is the provider's own."""
    return [
        Fit(record.provider_id, record.provider_version_id, record.program_id, position, record.score)
        for position, record in enumerate(records)
    ]


def _seal(unit: UnitOfWork, sealed: Sealed, context: Context, told: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Keep what was decided and why encrypted; returns what its record says of it. One decision each set of answers."""
    key, part = sealed.key(context.vault), numbered(Part.DECISION, sealed.parts[Part.ANSWERS].number)
    plaintext = orjson.dumps(told)
    ciphertext = key.seal(part, plaintext)
    unit.insert(SealedDocument.table(), submission_id=sealed.submission_id, part=part, ciphertext=ciphertext)
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
