"""The lane `refer`: close offers past their time, and offer a submission to the next best matches."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.ledger import ClaimedJob
from pipeline.models import Referral
from pipeline.providers import NetworkInForce
from pipeline.referral import HOLDS_THE_FACTS, Candidate, Offers, close, read_matches, read_referrals
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
        candidates = [
            _candidate(unit, job, matches.get(job.target_id, []), referrals.get(job.target_id, [])) for job in jobs
        ]
        offers = Offers(self._context, unit, in_force, candidates)
        for candidate in candidates:
            made = offers.make(candidate)
            if not made and not candidate.held:
                unit.record(candidate.submission_id, Action.REFERRAL_EXHAUSTED, job=candidate.job)
        offers.save()


def _candidate(unit: UnitOfWork, job: ClaimedJob, matches: Sequence[Match], referrals: Sequence[Referral]) -> Candidate:
    """Close what has expired, and count who holds the facts now and who has ever seen them."""
    held = 0
    for referral in referrals:
        status = ReferralStatus(referral.status)
        if referral.expires_at is not None and referral.expires_at <= unit.now:
            close(unit, referral, ReferralStatus.EXPIRED, Action.REFERRAL_EXPIRED, job=job)
        elif status in HOLDS_THE_FACTS:
            held += 1
    seen = frozenset(referral.provider_id for referral in referrals)
    return Candidate(job.target_id, tuple(matches), job, held, seen)
