"""How the Merkle log stands, as far as the database knows: whether it is what was signed, `audit verify` finds out."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from pipeline.audit.anchors import DIRECTORY, read_anchored
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.models import AuditEvent, AuditPending


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """The last one signed."""

    size: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class AnchorReport:
    """The last checkpoint it took, how long ago (None: none yet), and why it took no newer one."""

    size: int
    age_seconds: float | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class LogReport:
    """The log that is written to.

    origin          its name; None before the first record was put into it
    size            its leaves
    pending         records that are not in it yet
    oldest_seconds  for how long the oldest of them has been on record
    refused         records that are not as they were written: `audit verify` names them
    anchors         by name, those that were tried
    """

    origin: str | None = None
    size: int = 0
    pending: int = 0
    oldest_seconds: float | None = None
    refused: int = 0
    checkpoint: CheckpointReport | None = None
    anchors: Mapping[str, AnchorReport] = field(default_factory=dict)

    @property
    def signing_problem(self) -> str | None:
        """Why nothing is signed, if it is refused or cannot be."""
        directory = self.anchors.get(DIRECTORY)
        return directory.problem if directory else None


def read_log(connection: Connection, now: dt.datetime) -> LogReport:
    """The report; `now` is the database's clock."""
    current = current_log(connection)
    stored = latest_checkpoint(connection, current.number) if current else None
    waiting = AuditPending.refused.is_(None)
    pending = connection.execute(select(func.count()).select_from(AuditPending).where(waiting)).scalar_one()
    refused = connection.execute(select(func.count()).select_from(AuditPending).where(~waiting)).scalar_one()
    # Ids begin with the time, and the first ones are at one end of the key.
    first = select(AuditPending.event_id).where(waiting).order_by(AuditPending.event_id).limit(1).scalar_subquery()
    oldest = connection.execute(select(AuditEvent.occurred_at).where(AuditEvent.id == first)).scalar()
    return LogReport(
        origin=current.origin if current else None,
        size=current.size if current else 0,
        pending=pending,
        oldest_seconds=_seconds(oldest, now),
        refused=refused,
        checkpoint=CheckpointReport(stored.size, _age(stored.signed_at, now)) if stored else None,
        anchors={
            name: AnchorReport(anchored.size, _seconds(anchored.at, now), anchored.problem)
            for name, anchored in read_anchored(connection).items()
        },
    )


def _seconds(earlier: dt.datetime | None, now: dt.datetime) -> float | None:
    return None if earlier is None else _age(earlier, now)


def _age(earlier: dt.datetime, now: dt.datetime) -> float:
    return max(0.0, round((now - earlier).total_seconds(), 3))
