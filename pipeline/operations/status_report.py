"""How every queue stands: quick even with millions of submissions, since only small tables and indexes are read."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from pipeline.consent.stopped import count_stopped
from pipeline.db import UtcDateTime, clock
from pipeline.engine.sweep import SWEEP
from pipeline.lane_names import LANE_NAMES, SEQUENCE_LANE
from pipeline.models import (
    DeadJob,
    Email,
    Heartbeat,
    Job,
    LanePause,
    MailTally,
    Quarantine,
    Review,
    SourceTally,
    Suppression,
    TransportBreaker,
)
from pipeline.operations.log_report import LogReport, read_log
from pipeline.operations.unreachable import count_unreachable
from pipeline.outreach import EMAIL_LANE
from pipeline.status import EmailStatus

ACCEPTED, REPEATED, REFUSED = "accepted", "repeated", "refused:"
"""How `source_tally.outcome` is worded; after `REFUSED` comes the reason."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a lane rests, since when, and until when; without an end: until somebody resumes it."""

    reason: str
    since: dt.datetime
    until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class LaneReport:
    """One lane. `oldest_seconds`: how long the job that has been due longest, in flight or not, has been due.

    Of lane `sequence`, whose work is records and not jobs, what is due are the records that are not in the log yet.
    """

    due: int = 0
    in_flight: int = 0
    delayed: int = 0
    dead: int = 0
    oldest_seconds: float | None = None
    paused: Pause | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What one source has sent. `refused` counts by reason."""

    last_seen: dt.datetime
    accepted: int = 0
    repeated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BreakerReport:
    """A mail transport's circuit breaker, once it was open. `trips`: how often it opened since it last closed."""

    state: str
    reason: str
    since: dt.datetime
    trips: int
    probe_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class MailReport:
    """How outgoing mail stands.

    breakers            by transport
    events              what providers reported: transport → event → how many
    last_event_at       when the last of them came in
    uncertain_held      emails of unknown fate that wait for the provider's word
    uncertain_asked     those that a person has to decide about
    suppressed          addresses that are not written to, by class of mail
    unreachable         recent requests whose person is such an address (`operations.unreachable`)
    """

    breakers: Mapping[str, BreakerReport] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    last_event_at: dt.datetime | None = None
    uncertain_held: int = 0
    uncertain_asked: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    unreachable: int = 0


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All of it, at one time of the database's clock. `sweep_age_seconds` is None before the first sweep.

    `stopped`: leads that are offered to nobody more for want of a consent or of its text (`consent.stopped`).
    """

    at: dt.datetime
    lanes: Mapping[str, LaneReport]
    sources: Mapping[str, SourceReport]
    sweep_age_seconds: float | None
    quarantined: int
    in_review: int
    stopped: int = 0
    mail: MailReport = field(default_factory=MailReport)
    log: LogReport = field(default_factory=LogReport)


def read_status(connection: Connection) -> StatusReport:
    """The report. Lanes of a newer version are shown too, after our own."""
    now: dt.datetime = connection.execute(select(_clock(connection))).scalar_one()
    swept = connection.execute(select(Heartbeat.at).where(Heartbeat.name == SWEEP)).scalar()
    log = read_log(connection, now)
    return StatusReport(
        at=now,
        lanes=_lanes(connection, now, log),
        sources=_sources(connection),
        sweep_age_seconds=_seconds(swept, now),
        quarantined=_count(connection, Quarantine.submission_id),
        in_review=_count(connection, Review.submission_id),
        stopped=count_stopped(connection),
        mail=_mail(connection, now),
        log=log,
    )


def _lanes(connection: Connection, now: dt.datetime, log: LogReport) -> dict[str, LaneReport]:
    due, held = Job.due_at <= _clock(connection), Job.lease_until.is_not(None)
    jobs = select(
        Job.lane,
        func.count(case((due & ~held, 1))),
        func.count(case((held, 1))),
        func.count(case((~due & ~held, 1))),
        func.min(case((due | held, Job.due_at))),
    ).group_by(Job.lane)
    by_lane = {lane: counts for lane, *counts in connection.execute(jobs)}
    dead = dict(connection.execute(select(DeadJob.lane, func.count()).group_by(DeadJob.lane)).all())
    pauses = {
        row.lane: Pause(row.reason, row.since, row.until) for row in connection.execute(select(LanePause.table()))
    }
    others = sorted((by_lane.keys() | dead.keys() | pauses.keys()) - set(LANE_NAMES))
    reports = {}
    for lane in (*LANE_NAMES, *others):
        due_now, in_flight, delayed, oldest = by_lane.get(lane, (0, 0, 0, None))
        age = _seconds(oldest, now)
        reports[lane] = LaneReport(due_now, in_flight, delayed, dead.get(lane, 0), age, pauses.get(lane))
    sequence = replace(reports[SEQUENCE_LANE], due=log.pending, oldest_seconds=log.oldest_seconds)
    return reports | {SEQUENCE_LANE: sequence}


def _sources(connection: Connection) -> dict[str, SourceReport]:
    tallies: dict[str, dict[str, int]] = {}
    seen: dict[str, dt.datetime] = {}
    columns = select(SourceTally.source, SourceTally.outcome, SourceTally.count, SourceTally.last_at)
    for source, outcome, count, last_at in connection.execute(columns.order_by(SourceTally.source)):
        tallies.setdefault(source, {})[outcome] = count
        seen[source] = max(last_at, seen.get(source, last_at))
    return {
        source: SourceReport(
            last_seen=seen[source],
            accepted=outcomes.get(ACCEPTED, 0),
            repeated=outcomes.get(REPEATED, 0),
            refused={
                outcome.removeprefix(REFUSED): count
                for outcome, count in outcomes.items()
                if outcome.startswith(REFUSED)
            },
        )
        for source, outcomes in tallies.items()
    }


def _mail(connection: Connection, now: dt.datetime) -> MailReport:
    events: dict[str, dict[str, int]] = {}
    last: dt.datetime | None = None
    tallies = select(MailTally.transport, MailTally.event, MailTally.count, MailTally.last_at)
    for transport, event, count, last_at in connection.execute(tallies.order_by(MailTally.transport, MailTally.event)):
        events.setdefault(transport, {})[event] = count
        last = max(last_at, last or last_at)
    by_class = select(Suppression.mail_class, func.count()).group_by(Suppression.mail_class)
    return MailReport(
        breakers={
            row.transport: BreakerReport(row.state, row.reason, row.since, row.trips, row.probe_at)
            for row in connection.execute(select(TransportBreaker.table()).order_by(TransportBreaker.transport))
        },
        events=events,
        last_event_at=last,
        uncertain_held=_uncertain(connection, Job),
        uncertain_asked=_uncertain(connection, DeadJob),
        suppressed=dict(connection.execute(by_class.order_by(Suppression.mail_class)).all()),
        unreachable=count_unreachable(connection, now),
    )


def _uncertain(connection: Connection, jobs: type[Job | DeadJob]) -> int:
    """Counted from the jobs' side: there are few of them, and many emails."""
    statement = (
        select(func.count())
        .select_from(jobs)
        .join(Email, Email.id == jobs.target_id)
        .where(jobs.lane == EMAIL_LANE, Email.status == EmailStatus.UNCERTAIN.value)
    )
    return connection.execute(statement).scalar_one()


def _clock(connection: Connection) -> ColumnElement[dt.datetime]:
    return literal_column(clock(connection), UtcDateTime())


def _count(connection: Connection, key: object) -> int:
    return connection.execute(select(func.count(key))).scalar_one()  # type: ignore[arg-type]


def _seconds(earlier: dt.datetime | None, now: dt.datetime) -> float | None:
    return None if earlier is None else max(0.0, round((now - earlier).total_seconds(), 3))
