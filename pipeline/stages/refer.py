"""The lane `refer`: close offers past their time, and offer a submission to the next best matches."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.ledger import ClaimedJob
from pipeline.models import Referral
from pipeline.providers import NetworkInForce
from pipeline.referral import HOLDS_THE_FACTS, Candidate, Offers, Room, close, read_matches, read_referrals
from pipeline.scoring.rank import Match
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.unit_of_work import UnitOfWork


class ReferStage(Stage):
    """All of it happens under the submissions' locks, so there is nothing to work out before."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, NetworkInForce]:
        in_force = self._context.networks.current(connection)
        return dict.fromkeys([job.id for job in jobs], in_force)

    def work(self, item: NetworkInForce) -> NetworkInForce:
        return item

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        jobs = [
            verdict.job
            for verdict in verdicts
            if isinstance(verdict, Done) and unit.heads[verdict.job.target_id].status is SubmissionStatus.CANDIDATE
        ]
        if not jobs:
            return
        in_force = next(verdict.result for verdict in verdicts if isinstance(verdict, Done))
        matches = read_matches(unit.connection, [job.target_id for job in jobs])
        referrals = read_referrals(unit.connection, [job.target_id for job in jobs])
        providers = {match.provider_id for found in matches.values() for match in found}
        room = Room(unit.connection, providers | {r.provider_id for found in referrals.values() for r in found})
        offers = Offers(self._context, unit, in_force, room)
        for job in jobs:
            candidate = _candidate(unit, job, matches.get(job.target_id, []), referrals.get(job.target_id, []), room)
            if not offers.make(candidate):
                unit.record(candidate.submission_id, Action.REFERRAL_EXHAUSTED, job=candidate.job)
        room.save()


def _candidate(
    unit: UnitOfWork, job: ClaimedJob, matches: Sequence[Match], referrals: Sequence[Referral], room: Room
) -> Candidate:
    """Close what has expired, and count who holds the facts now and who has ever seen them."""
    expired = [r for r in referrals if r.expires_at is not None and r.expires_at <= unit.now]
    if expired:
        close(unit, expired, ReferralStatus.EXPIRED, Action.REFERRAL_EXPIRED, room, job=job)
    held = sum(r.status in HOLDS_THE_FACTS for r in referrals if r not in expired)
    return Candidate(job.target_id, tuple(matches), job, held, frozenset(r.provider_id for r in referrals))
