"""Operators' pauses: a lane rests because somebody says so, with a reason and perhaps an end, on record."""

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import Connection, select

from pipeline import ledger
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.audit.record import DetailValue
from pipeline.db import Database
from pipeline.keys import Keys
from pipeline.models import LanePause
from pipeline.operations.status_report import Pause
from pipeline.unit_of_work import begin

LONGEST_REASON = ledger.MAXIMUM_ERROR_LENGTH


def pause(database: Database, keys: Keys, actor: Actor, lane: str, reason: str, seconds: float | None) -> bool:
    """Let a lane rest for so long, or until somebody resumes it (None). What workers have in hand, they finish.

    Returns False, and changes nothing, if the lane rests already for as long or longer.
    """
    with begin(database, keys, actor) as unit:
        if not ledger.pause(unit.connection, lane, reason, seconds):
            return False
        details: dict[Detail, DetailValue] = {Detail.LANE: lane}
        if seconds is not None:
            details[Detail.UNTIL] = (unit.now + dt.timedelta(seconds=seconds)).isoformat(timespec="seconds")
        unit.record(None, Action.LANE_PAUSED, details, reason=reason)
    return True


def resume(database: Database, keys: Keys, actor: Actor, lane: str, reason: str | None = None) -> bool:
    """End a lane's pause, also one that the lane made itself. Returns False if it does not rest."""
    with begin(database, keys, actor) as unit:
        if not ledger.resume(unit.connection, lane):
            return False
        unit.record(None, Action.LANE_RESUMED, {Detail.LANE: lane}, reason=reason)
    return True


def list_pauses(connection: Connection) -> Mapping[str, Pause]:
    """By lane. One whose end has come is there until the next sweep, and keeps nobody waiting."""
    rows = connection.execute(select(LanePause.table()).order_by(LanePause.lane))
    return {row.lane: Pause(row.reason, row.since, row.until) for row in rows}
