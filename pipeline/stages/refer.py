"""The lane `refer`: close offers past their time, and offer a submission to the next best matches."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from pipeline.audit.actions import Action
from pipeline.capacity import Room
from pipeline.consent import sharing_allowed
from pipeline.context import Context
from pipeline.db import database_time
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.ledger import ClaimedJob
from pipeline.models import Referral
from pipeline.providers import NetworkInForce
from pipeline.referral import HOLDS_THE_FACTS, Candidate, Offers, close, read_matches, read_referrals
from pipeline.status import ReferralStatus, SubmissionStatus
from pipeline.unit_of_work import UnitOfWork

_KEEPS_ITS_PLACE = HOLDS_THE_FACTS | {ReferralStatus.WITHDRAWN}
"""Nobody is asked in the stead of a provider that the person took the answers back from."""


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
        # All of them before the first offer: the places they give back are there for whoever comes first.
        now = database_time(unit.connection)
        expired = _close_expired(unit, jobs, referrals, room, now)
        offers = Offers(self._context, unit, in_force, room, now)
        sharing = sharing_allowed(unit.connection, [job.target_id for job in jobs])
        for job in jobs:
            found = referrals.get(job.target_id, [])
            held = sum(referral.status in _KEEPS_ITS_PLACE and referral.id not in expired for referral in found)
            seen = frozenset(referral.provider_id for referral in found)
            if not offers.make(Candidate(sharing[job.target_id], matches.get(job.target_id, []), job, held, seen)):
                unit.record(job.target_id, Action.REFERRAL_EXHAUSTED, job=job)
        room.save()


def _close_expired(
    unit: UnitOfWork,
    jobs: Sequence[ClaimedJob],
    referrals: Mapping[uuid.UUID, Sequence[Referral]],
    room: Room,
    now: dt.datetime,
) -> set[uuid.UUID]:
    """Close the offers past their time; their ids."""
    expired = [
        referral
        for job in jobs
        for referral in referrals.get(job.target_id, [])
        if referral.expires_at is not None and referral.expires_at <= now
    ]
    if expired:
        by_submission = {job.target_id: job for job in jobs}
        close(unit, expired, ReferralStatus.EXPIRED, Action.REFERRAL_EXPIRED, room, jobs=by_submission)
    return {referral.id for referral in expired}
