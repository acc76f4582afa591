"""Referrals: offering a submission to the best matches that have room, and what a provider's answer leads to.

Under one consent, at most `recipients_open` providers hold a submission at one time and `recipients_total` ever see it.
A provider's capacity is taken in the transaction that creates the referral, under a lock on its `provider_load` row, so
two workers cannot overfill it.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update
from uuid_utils.compat import uuid7

from config.providers import ProviderDocument
from config.screening import LANGUAGES
from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.db import clock
from pipeline.email.kinds import EmailKind
from pipeline.ledger import ClaimedJob
from pipeline.models import ProviderLoad, ProviderMatch, Referral
from pipeline.outreach import Message, queue_email, to_provider
from pipeline.providers import NetworkInForce
from pipeline.scoring.rank import Match
from pipeline.status import ReferralStatus, check_referral
from pipeline.unit_of_work import UnitOfWork

REFER_LANE = "refer"
LOOK_AGAIN_SECONDS = 3600.0
HOLDS_THE_FACTS = frozenset({ReferralStatus.OFFERED, ReferralStatus.ACCEPTED})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission to be offered to its `matches`, best first; `held` and `seen` count the providers so far."""

    submission_id: uuid.UUID
    matches: Sequence[Match]
    job: ClaimedJob | None = None
    held: int = 0
    seen: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Load:
    open_referrals: int
    day: str
    day_referrals: int
    last_offered_at: dt.datetime | None
    changed: bool = False


class Room:
    """The capacity of some providers, locked until the commit.

    All that one transaction may need are locked at once, in id order: two transactions never wait for each other.
    """

    def __init__(self, connection: Connection, provider_ids: Iterable[str]) -> None:
        self._connection = connection
        self._loads = _lock_loads(connection, provider_ids)

    def take(self, document: ProviderDocument, now: dt.datetime) -> bool:
        """Take a place at a provider, by its own calendar day; `False` if it has none."""
        load = self._loads[document.id]
        today = now.astimezone(ZoneInfo(document.time_zone)).date().isoformat()
        if load.day != today:
            load.day, load.day_referrals = today, 0
        capacity = document.capacity
        if load.open_referrals >= capacity.max_open or load.day_referrals >= capacity.max_per_day:
            return False
        load.open_referrals += 1
        load.day_referrals += 1
        load.last_offered_at = now
        load.changed = True
        return True

    def give_back(self, provider_id: str) -> None:
        """An offer was answered: its place is free. The day's count stays."""
        load = self._loads[provider_id]
        load.open_referrals -= 1
        load.changed = True

    def save(self) -> None:
        """Write what changed."""
        _write_loads(self._connection, self._loads)


class Offers:
    """Makes the referrals of one batch, out of the `room` that was locked for it."""

    def __init__(self, context: Context, unit: UnitOfWork, in_force: NetworkInForce, room: Room) -> None:
        self._context = context
        self._unit = unit
        self._in_force = in_force
        self._room = room
        consent = context.screening.consent("consent_share")
        self._most_open, self._most_ever = consent.recipients_open, consent.recipients_total

    def make(self, candidate: Candidate) -> bool:
        """Offer the candidate to the best matches with room; returns whether anyone has it now or may get it later.

        If only a lack of room kept the number down, the referral lane is asked to look again later.
        """
        held, ever, waiting = candidate.held, len(candidate.seen), False
        for match in candidate.matches:
            if held >= self._most_open or ever >= self._most_ever:
                break
            document = self._in_force.document_of(match.provider_id)
            if match.provider_id in candidate.seen or document is None:
                continue
            if not self._room.take(document, self._unit.now):
                waiting = True
                continue
            self._offer(candidate, match, document)
            held, ever = held + 1, ever + 1
        waiting = waiting and held < self._most_open and ever < self._most_ever
        if waiting:
            self._unit.enqueue(REFER_LANE, candidate.submission_id, candidate.submission_id, LOOK_AGAIN_SECONDS)
        return held > 0 or waiting

    def _offer(self, candidate: Candidate, match: Match, document: ProviderDocument) -> None:
        unit, referral_id = self._unit, uuid7()
        unit.insert(
            Referral.table(),
            id=referral_id,
            submission_id=candidate.submission_id,
            provider_id=match.provider_id,
            provider_version_id=match.provider_version_id,
            status=ReferralStatus.OFFERED.value,
            created_at=unit.now,
            expires_at=unit.now + dt.timedelta(days=self._context.settings.referral_valid_days),
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
    job: ClaimedJob | None = None,
    reason: str | None = None,
    health: tuple[bytes, bytes] | None = None,
) -> None:
    """End offers, give the providers their room back, and record it.

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
            job=job,
            reason=reason,
            health=health,
        )
    unit.connection.execute(
        update(Referral)
        .where(Referral.id.in_([referral.id for referral in referrals]))
        .values(status=after.value, expires_at=None, closed_at=unit.now)
    )


def read_referrals(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Referral]]:
    """All referrals of the submissions, oldest first."""
    found: dict[uuid.UUID, list[Referral]] = {}
    statement = select(Referral.table()).where(Referral.submission_id.in_(list(submission_ids))).order_by(Referral.id)
    for row in connection.execute(statement):
        found.setdefault(row.submission_id, []).append(row)  # type: ignore[arg-type]
    return found


def read_matches(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Match]]:
    """The stored matches of the submissions, best first."""
    found: dict[uuid.UUID, list[Match]] = {}
    statement = (
        select(ProviderMatch.table())
        .where(ProviderMatch.submission_id.in_(list(submission_ids)))
        .order_by(ProviderMatch.submission_id, ProviderMatch.rank)
    )
    for row in connection.execute(statement):
        match = Match(row.provider_id, row.provider_version_id, row.program_id, row.score, row.rank)
        found.setdefault(row.submission_id, []).append(match)
    return found


def ask_about_expired(unit: UnitOfWork) -> None:
    """A duty of the sweep: have the referral lane close offers past their time and refer on.

    Asking for a job again sets its attempts to 0 and its time to now. So those are left out that are held or have
    failed before, or the one that fails each time would never back off nor become a dead letter; and those that are
    one. A job that only waits for room is due now: the expired offers have to be closed.
    """
    rows = unit.connection.exec_driver_sql(
        f"SELECT DISTINCT referral.submission_id FROM referral WHERE expires_at <= {clock(unit.connection)} "  # noqa: S608 - our own SQL fragments
        f"AND NOT EXISTS (SELECT 1 FROM job WHERE job.lane = '{REFER_LANE}' AND job.target_id = referral.submission_id "
        "AND (job.lease_until IS NOT NULL OR job.attempts > 0)) "
        f"AND NOT EXISTS (SELECT 1 FROM dead_job WHERE dead_job.lane = '{REFER_LANE}' "
        "AND dead_job.target_id = referral.submission_id) LIMIT 500"
    ).fetchall()
    for (raw,) in rows:
        submission_id = raw if isinstance(raw, uuid.UUID) else uuid.UUID(raw)
        unit.enqueue(REFER_LANE, submission_id, submission_id)


def _lock_loads(connection: Connection, provider_ids: Iterable[str]) -> dict[str, _Load]:
    """Lock the load rows, making those that are missing. The upsert locks row by row in the order given: by id."""
    rows = bulk.fetch(
        connection,
        "INSERT INTO provider_load (provider_id, open_referrals, day, day_referrals) "
        "SELECT v.provider_id, 0, '', 0 FROM v WHERE true "
        "ON CONFLICT (provider_id) DO UPDATE SET open_referrals = provider_load.open_referrals RETURNING provider_id",
        {"provider_id": "text"},
        [(provider_id,) for provider_id in sorted(set(provider_ids))],
    )
    locked = select(ProviderLoad.table()).where(ProviderLoad.provider_id.in_([row[0] for row in rows]))
    return {
        row.provider_id: _Load(row.open_referrals, row.day, row.day_referrals, row.last_offered_at)
        for row in connection.execute(locked)
    }


def _write_loads(connection: Connection, loads: dict[str, _Load]) -> None:
    bulk.execute(
        connection,
        "UPDATE provider_load SET open_referrals = v.open_referrals, day = v.day, day_referrals = v.day_referrals, "
        "last_offered_at = v.last_offered_at FROM v WHERE provider_load.provider_id = v.provider_id",
        {
            "provider_id": "text",
            "open_referrals": "integer",
            "day": "text",
            "day_referrals": "integer",
            "last_offered_at": "timestamptz",
        },
        [
            (provider_id, load.open_referrals, load.day, load.day_referrals, load.last_offered_at)
            for provider_id, load in loads.items()
            if load.changed
        ],
    )
