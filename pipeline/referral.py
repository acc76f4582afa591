"""Referrals: offering a submission to the best matches that have room, and what a provider's answer leads to.

By the text that its person agreed to, at most `recipients_open` providers hold a submission at one time and
`recipients_total` ever see it.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from types import MappingProxyType

from sqlalchemy import Connection, select, update
from uuid_utils.compat import uuid7

from config.providers import ProviderDocument
from config.screening import LANGUAGES, AgreedText
from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.capacity import Room
from pipeline.consent.sharing import NO_CONSENT, UNKNOWN_TEXT, Sharing
from pipeline.context import Context
from pipeline.db import clock
from pipeline.email.kinds import EmailKind
from pipeline.ledger import ClaimedJob
from pipeline.models import ProviderMatch, Referral
from pipeline.outreach import Message, queue_email, to_provider
from pipeline.providers import NetworkInForce
from pipeline.scoring.availability import closed, opens_at
from pipeline.scoring.rank import Match, in_turn
from pipeline.status import ReferralStatus, check_referral
from pipeline.unit_of_work import UnitOfWork

REFER_LANE = "refer"
LOOK_AGAIN_SECONDS = 3600.0
SOONEST_SECONDS = 60.0
LATEST_SECONDS = 25 * 3600.0
"""The longest day, one on which clocks go back: whoever waits for a vacation to end looks each day, as it may be cut
short by a version published meanwhile."""

HOLDS_THE_FACTS = frozenset({ReferralStatus.OFFERED, ReferralStatus.ACCEPTED})
_NO_JOBS: Mapping[uuid.UUID, ClaimedJob] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission to be offered to its `matches`, as far as its person agreed to share it.

    `held` and `seen` count the providers so far.
    """

    sharing: Sharing
    matches: Sequence[Match]
    job: ClaimedJob | None = None
    held: int = 0
    seen: frozenset[str] = frozenset()

    @property
    def submission_id(self) -> uuid.UUID:
        return self.sharing.submission_id


class Offers:
    """Makes the referrals of one batch, out of the `room` that was locked for it."""

    def __init__(
        self, context: Context, unit: UnitOfWork, in_force: NetworkInForce, room: Room, now: dt.datetime
    ) -> None:
        """`now` is the database's clock, by which offers expire as well: a worker's own may be wrong."""
        self._context = context
        self._unit = unit
        self._in_force = in_force
        self._room = room
        self._now = now
        self._consent = context.screening.consent("consent_share")

    def make_first(self, candidate: Candidate) -> tuple[Match, ...]:
        """As `make`, of a submission just found to be a candidate; its matches, ranked as of this moment, to be stored.

        They were ranked before the batch was: left so, the first of equals would be the first of all its submissions.
        """
        ranked = self.in_turn(candidate.matches)
        self._make(replace(candidate, matches=ranked), ranked)
        return ranked

    def make(self, candidate: Candidate) -> bool:
        """Offer the candidate to the best matches with room; returns whether anyone has it now or may get it later.

        Without a live consent, or to a text that is not known any more, it is offered to nobody: that is put on record,
        and nothing asks again.

        Equal matches have their turn as of this moment, whatever their ranks; the record names the rank that is stored.
        If fewer have it than may, and some are full or not open, the referral lane is asked to look again.
        """
        return self._make(candidate, self.in_turn(candidate.matches))

    def make_as_ranked(self, candidate: Candidate) -> bool:
        """As `make`, in the very order of the matches."""
        return self._make(candidate, candidate.matches)

    def in_turn(self, matches: Sequence[Match]) -> tuple[Match, ...]:
        """The matches ranked again: in their order, equals as their providers stand after the offers made so far.

        Equals are neighbours of one score: an expert may have put what fits before what is in doubt and scores higher.
        """
        equals = (list(group) for _, group in groupby(matches, key=lambda match: match.score))
        return renumbered(chain.from_iterable(map(self._take_turns, equals)))

    def _take_turns(self, equals: Sequence[Match]) -> Sequence[Match]:
        if len(equals) == 1:
            return equals
        documents = [self._in_force.document_of(match.provider_id) for match in equals]
        standings = {each.id: self._room.standing(each, self._now) for each in documents if each is not None}
        return in_turn(equals, standings)

    def _make(self, candidate: Candidate, ranked: Sequence[Match]) -> bool:
        agreed = self._agreed(candidate)
        return agreed is None or self._make_under(agreed, candidate, ranked)

    def _make_under(self, agreed: AgreedText, candidate: Candidate, ranked: Sequence[Match]) -> bool:
        most_open, most_ever = agreed.recipients_open, agreed.recipients_total
        stored = {match.provider_id: match for match in candidate.matches}
        held, ever, shut, waits = candidate.held, len(candidate.seen), False, []
        for turn in ranked:
            if held >= most_open or ever >= most_ever:
                break
            document = self._in_force.document_offering(turn)
            if turn.provider_id in candidate.seen or document is None:
                continue
            if not candidate.sharing.with_provider(turn.provider_id):
                continue
            if closed(document, self._now):
                shut = True
            elif self._takes(document):
                self._offer(candidate, stored[turn.provider_id], document)
                held, ever = held + 1, ever + 1
            else:
                waits.append(self._seconds_until_it_may(document))
        if held >= most_open or ever >= most_ever:
            return held > 0
        if shut and not held and not waits:
            # The person was told that providers fit. That all of these have paused since, or let a licence run out,
            # does not end the request: nobody knows for how long, so it asks each hour. Nobody is kept waiting for
            # them while another provider has it or will.
            waits.append(LOOK_AGAIN_SECONDS)
        if waits:
            self._unit.enqueue(REFER_LANE, candidate.submission_id, candidate.submission_id, min(waits))
        return held > 0 or bool(waits)

    def _agreed(self, candidate: Candidate) -> AgreedText | None:
        """The text under which it may be offered; that there is none is put on record."""
        sharing = candidate.sharing
        agreed = self._consent.of_version(sharing.text_version)
        if sharing.is_live and agreed is not None:
            return agreed
        why = UNKNOWN_TEXT if sharing.is_live else NO_CONSENT
        self._unit.record(sharing.submission_id, Action.REFERRAL_EXHAUSTED, job=candidate.job, reason=why)
        return None

    def _takes(self, document: ProviderDocument) -> bool:
        return opens_at(document, self._now) is None and self._room.take(document, self._now)

    def _seconds_until_it_may(self, document: ProviderDocument) -> float:
        """How long until a provider that takes nobody now may be asked again. An answer may free a place any time."""
        now = self._now
        new_day = self._room.full_until(document, now)
        may = opens_at(document, new_day or now) or new_day
        wait = LOOK_AGAIN_SECONDS if may is None else (may - now).total_seconds()
        return min(max(wait, SOONEST_SECONDS), LATEST_SECONDS)

    def _offer(self, candidate: Candidate, match: Match, document: ProviderDocument) -> None:
        unit, referral_id = self._unit, uuid7()
        expires_at = self._now + dt.timedelta(days=self._context.settings.referral_valid_days)
        unit.insert(
            Referral.table(),
            id=referral_id,
            submission_id=candidate.submission_id,
            provider_id=match.provider_id,
            provider_version_id=match.provider_version_id,
            status=ReferralStatus.OFFERED.value,
            created_at=self._now,
            expires_at=expires_at,
            remind_at=self._remind_at(expires_at),
        )
        unit.record(
            candidate.submission_id,
            Action.REFERRAL_OFFERED,
            {
                Detail.REFERRAL: str(referral_id),
                Detail.PROVIDER: match.provider_id,
                Detail.PROVIDER_VERSION: str(match.provider_version_id),
                Detail.RANK: match.rank,
                Detail.SCORE: match.score,
            },
            job=candidate.job,
        )
        message = Message(
            candidate.submission_id,
            EmailKind.REFERRAL,
            to_provider(match.provider_id),
            _language_of(document),
            f"referral:{referral_id}",
            referral_id,
        )
        queue_email(self._context, unit, message, candidate.job)

    def _remind_at(self, expires_at: dt.datetime) -> dt.datetime | None:
        """None where the offer would be as new as the reminder."""
        settings = self._context.settings
        if settings.referral_reminder_days >= settings.referral_valid_days:
            return None
        return expires_at - dt.timedelta(days=settings.referral_reminder_days)


def _language_of(document: ProviderDocument) -> str:
    """The first of the provider's languages that we write; a provider may speak none of them."""
    return next((language for language in document.languages if language in LANGUAGES), LANGUAGES[0])


def close(
    unit: UnitOfWork,
    referrals: Sequence[Referral],
    after: ReferralStatus,
    action: Action,
    room: Room,
    *,
    jobs: Mapping[uuid.UUID, ClaimedJob] = _NO_JOBS,
    reason: str | None = None,
    health: tuple[bytes, bytes] | None = None,
) -> None:
    """End offers, give the providers their room back, and record it; `jobs` by submission are those that do it.

    Their submissions must be locked; `referrals` are rows read after that lock, `room` is that of their providers, to
    be saved by the caller. Raises `TransitionNotAllowed`.
    """
    for referral in referrals:
        before = ReferralStatus(referral.status)
        check_referral(before, after)
        if before is ReferralStatus.OFFERED:
            room.give_back(referral.provider_id)
        unit.record(
            referral.submission_id,
            action,
            {Detail.REFERRAL: str(referral.id), Detail.PROVIDER: referral.provider_id, Detail.STATUS: after.value},
            job=jobs.get(referral.submission_id),
            reason=reason,
            health=health,
        )
    unit.connection.execute(
        update(Referral)
        .where(bulk.is_among(unit.connection, Referral.id, [referral.id for referral in referrals]))
        .values(status=after.value, expires_at=None, remind_at=None, closed_at=unit.now)
    )


def read_referrals(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Referral]]:
    """All referrals of the submissions, oldest first."""
    found: dict[uuid.UUID, list[Referral]] = {}
    wanted = bulk.is_among(connection, Referral.submission_id, submission_ids)
    for row in connection.execute(select(Referral.table()).where(wanted).order_by(Referral.id)):
        found.setdefault(row.submission_id, []).append(row)  # type: ignore[arg-type]
    return found


def read_matches(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Match]]:
    """The stored matches of the submissions, best first."""
    found: dict[uuid.UUID, list[Match]] = {}
    statement = (
        select(ProviderMatch.table())
        .where(bulk.is_among(connection, ProviderMatch.submission_id, submission_ids))
        .order_by(ProviderMatch.submission_id, ProviderMatch.rank)
    )
    for row in connection.execute(statement):
        match = Match(row.provider_id, row.provider_version_id, row.program_id, row.score, row.rank)
        found.setdefault(row.submission_id, []).append(match)
    return found


def insert_matches(unit: UnitOfWork, submission_id: uuid.UUID, matches: Iterable[Match]) -> None:
    """Store the matches of a submission that was found to be a candidate."""
    for match in matches:
        unit.insert(
            ProviderMatch.table(),
            submission_id=submission_id,
            rank=match.rank,
            provider_id=match.provider_id,
            provider_version_id=match.provider_version_id,
            program_id=match.program_id,
            score=match.score,
        )


def renumbered(matches: Iterable[Match]) -> tuple[Match, ...]:
    """The matches in their order, ranked from 1."""
    return tuple(
        match if match.rank == place else replace(match, rank=place) for place, match in enumerate(matches, start=1)
    )


def ask_about_expired(unit: UnitOfWork) -> None:
    """A duty of the sweep: have the referral lane close offers past their time and refer on.

    Asking for a job again sets its attempts to 0 and its time to now. So those are left out that are held or have
    failed before, or the one that fails each time would never back off nor become a dead letter; and those that are
    one. A job that only waits for room is due now: the expired offers have to be closed.

    The clock is read once, in a query of its own, and nothing is made distinct here: else every sweep would read every
    referral there ever was. A submission that is named twice is asked about once.
    """
    rows = unit.connection.exec_driver_sql(
        f"SELECT referral.submission_id FROM referral WHERE expires_at <= (SELECT {clock(unit.connection)}) "  # noqa: S608 - our own SQL fragments
        f"AND NOT EXISTS (SELECT 1 FROM job WHERE job.lane = '{REFER_LANE}' AND job.target_id = referral.submission_id "
        "AND (job.lease_until IS NOT NULL OR job.attempts > 0)) "
        f"AND NOT EXISTS (SELECT 1 FROM dead_job WHERE dead_job.lane = '{REFER_LANE}' "
        "AND dead_job.target_id = referral.submission_id) ORDER BY referral.expires_at LIMIT 500"
    ).fetchall()
    for (raw,) in rows:
        submission_id = raw if isinstance(raw, uuid.UUID) else uuid.UUID(raw)
        unit.enqueue(REFER_LANE, submission_id, submission_id)
