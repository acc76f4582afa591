"""A new log, after a backup was restored that is older than what was anchored, or the anchor lost what it had.

The old log can never be signed again: its name would stand for two different logs. It stays as it is; every record
there is goes into the new one, and so does the one that says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.audit.anchors import DirectoryAnchor
from pipeline.audit.checkpoints import SigningRefused, check_sound, highest_number, next_origin, root_of_log
from pipeline.audit.log_state import LogRow, current_log, lock_log
from pipeline.models import AuditLog
from pipeline.unit_of_work import UnitOfWork

_COLUMNS = ("number", "origin", "size", "opened_at", "sequenced_at")
_NONE_REFUSED = "UPDATE audit_pending SET refused = NULL WHERE refused IS NOT NULL"
"""The new log looks for itself, also at what was refused because the old one had it already."""
_ALL_AGAIN = (
    "INSERT INTO audit_pending (event_id) SELECT id FROM audit_event WHERE NOT EXISTS "
    "(SELECT 1 FROM audit_pending WHERE audit_pending.event_id = audit_event.id)"
)


class CannotReopen(Exception):
    """There is no reason for a new log, or it is not the time; the message says which."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """The new log's name, the old one's, and what was wrong with that."""

    origin: str
    previous_origin: str
    problem: str


def why_unsound(
    connection: Connection, log: LogRow, directory: DirectoryAnchor, keys: Sequence[Ed25519PublicKey]
) -> str | None:
    """What keeps the log from being signed; None if nothing does. Raises OSError for an unreadable directory."""
    try:
        root_of_log(check_sound(connection, log, directory, keys).tiles)
    except SigningRefused as problem:
        return str(problem)
    return None


def reopen(unit: UnitOfWork, directory: DirectoryAnchor, keys: Sequence[Ed25519PublicKey], reason: str) -> Reopened:
    """Open the next log, on record.

    Raises `CannotReopen` if the log follows what is anchored, OSError if that cannot be read, and `SigningRefused` for
    a log that does not bear a name of ours.
    """
    connection = unit.connection
    if current_log(connection) is None:
        raise CannotReopen("there is no log yet: the first record opens it")
    old = lock_log(connection)
    if old is None:
        raise CannotReopen("a worker is just writing to the log: stop those of lane sequence, or try again")
    problem = why_unsound(connection, old, directory, keys)
    if problem is None:
        raise CannotReopen(f"the log {old.origin} follows what is anchored: it goes on as it is")
    # Also past logs that this database, being older, knows nothing of.
    number = max(old.number, highest_number(old.origin, directory)) + 1
    origin = next_origin(old.origin, number)
    connection.exec_driver_sql(_NONE_REFUSED)
    connection.exec_driver_sql(_ALL_AGAIN)
    bulk.insert(connection, AuditLog.table(), _COLUMNS, [(number, origin, 0, unit.now, None)])
    details = {Detail.ORIGIN: origin, Detail.PREVIOUS_ORIGIN: old.origin}
    unit.record(None, Action.LOG_OPENED, details, reason=reason)
    return Reopened(origin, old.origin, problem)
