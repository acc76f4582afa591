"""The logs of the database, of whatever is written in their rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from pipeline.audit.tiles import TILE_WIDTH
from pipeline.audit.verify.findings import Finding
from pipeline.audit.verify.values import is_number
from pipeline.models import AuditLog, AuditTile

_TILES_MISSED = 64
"""So many missing tiles are told one by one; of a size that asks for many more than there are, nobody could."""


@dataclass(frozen=True, slots=True)
class LogSize:
    """A log, and its number of leaves at some moment."""

    number: int
    origin: str
    size: int


def read_logs(connection: Connection) -> Sequence[LogSize]:
    """All of them, the earliest first; without a size that no tiles could be of: `check_sizes` tells."""
    rows = connection.execute(select(AuditLog.number, AuditLog.origin, AuditLog.size).order_by(AuditLog.number))
    return [
        LogSize(number, origin if isinstance(origin, str) else repr(origin), _walkable(connection, number, size))
        for number, origin, size in rows.all()
    ]


def read_log(connection: Connection, number: int) -> LogSize | None:
    """One, as it is now."""
    return next((log for log in read_logs(connection) if log.number == number), None)


def check_sizes(connection: Connection, logs: Sequence[LogSize]) -> Iterator[Finding]:
    """That what the rows say is what they were read as."""
    rows = connection.execute(select(AuditLog.number, AuditLog.origin, AuditLog.size)).all()
    said = {number: (origin, size) for number, origin, size in rows}
    for log in logs:
        origin, size = said.get(log.number, (log.origin, log.size))
        if origin != log.origin:
            yield Finding(f"log {log.number}", "its name is not text")
        if size != log.size:
            tiles = _tiles(connection, log.number)
            yield Finding(
                f"log {log.number}", f"it says that it has {size!r:.40} leaves, and has {tiles} tiles of them"
            )


def _walkable(connection: Connection, number: int, size: object) -> int:
    if not is_number(size) or size < 0:
        return 0
    return min(size, (2 * _tiles(connection, number) + _TILES_MISSED) * TILE_WIDTH)


def _tiles(connection: Connection, number: int) -> int:
    """How many tiles of leaves there are."""
    statement = select(func.count()).where(AuditTile.log == number, AuditTile.level == 0)
    return connection.execute(statement).scalar_one()
