"""Every record is in one place: a leaf of the log, or waiting to be one. What was dropped was archived, on record."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, String, select, type_coerce

from pipeline.audit.actions import Action, Detail
from pipeline.audit.stored import READ_AT_ONCE, read_records
from pipeline.audit.tiles import EVENT_ID_BYTES
from pipeline.audit.verify.findings import Finding
from pipeline.audit.verify.logs import LogSize
from pipeline.audit.verify.records import IsAuthentic, check_record
from pipeline.audit.verify.values import as_bytes, as_digits, is_number, named, read_details
from pipeline.models import AuditArchive, AuditEvent, AuditPending, AuditTile

_AT_ONCE = 20_000
_LOWEST, _HIGHEST = "0" * 32, "f" * 32
_DIGITS = EVENT_ID_BYTES * 2
_STRAYS = 100
"""So many ids that are none are told."""
# Ids as 32 hex digits: to make an object of each takes longer than all the comparing. In SQLite an id can be anything.
_AN_ID = f"{{id}} GLOB '{'[0-9a-f]' * _DIGITS}' AND typeof({{id}}) = 'text'"
_BETWEEN = {
    "postgresql": (
        "SELECT encode(uuid_send({id}), 'hex') FROM {table} WHERE {id} > %s::uuid AND {id} <= %s::uuid "
        "ORDER BY {id} LIMIT %s"
    ),
    "sqlite": f"SELECT {{id}} FROM {{table}} WHERE {{id}} > ? AND {{id}} <= ? AND {_AN_ID} ORDER BY {{id}} LIMIT ?",  # noqa: S608 - ours
}
_NO_IDS = f"SELECT {{id}} FROM {{table}} WHERE NOT ({_AN_ID}) LIMIT {_STRAYS}"  # noqa: S608 - ours
_TABLES = {"audit_event": "id", "audit_pending": "event_id"}
_EVERY = 2**62


@dataclass(slots=True)
class Whereabouts:
    """Counts as it goes. `connection` reads the snapshot that the log is of."""

    connection: Connection
    log: LogSize | None
    events: int = 0
    pending: int = 0
    absent: int = 0
    """Leaves whose records are not there."""

    def check(self) -> Iterator[Finding]:
        """Go through all records by id, and through the leaves and what waits beside them."""
        yield from self._check_ids()
        after = _LOWEST
        while after != _HIGHEST:
            ids = _between(self.connection, "audit_event", after, _HIGHEST, _AT_ONCE)
            through = ids[-1] if len(ids) == _AT_ONCE else _HIGHEST
            yield from self._check_between(after, through, set(ids))
            self.events += len(ids)
            after = through

    def _check_ids(self) -> Iterator[Finding]:
        if self.connection.dialect.name == "postgresql":
            return
        for table, column in _TABLES.items():
            for (event_id,) in self.connection.exec_driver_sql(_NO_IDS.format(table=table, id=column)):
                self.events += table == "audit_event"
                yield Finding(named(event_id), f"it is in {table}, and is not an id")

    def _check_between(self, after: str, through: str, there: set[str]) -> Iterator[Finding]:
        leaves = Counter(self._leaves_between(after, through))
        pending = set(_between(self.connection, "audit_pending", after, through, _EVERY))
        self.pending += len(pending)
        self.absent += len(leaves.keys() - there)
        for event_id in sorted(there - leaves.keys() - pending):
            yield Finding(named(event_id), "it is neither in the log nor waiting to be")
        for event_id in sorted(event_id for event_id, count in leaves.items() if count > 1):
            yield Finding(named(event_id), "it is in the log more than once")
        for event_id in sorted(pending & leaves.keys()):
            yield Finding(named(event_id), "it is in the log, and waits to be put there again")

    def _leaves_between(self, after: str, through: str) -> Iterator[str]:
        if self.log is None:
            return
        statement = select(AuditTile.event_ids).where(
            AuditTile.log == self.log.number,
            AuditTile.level == 0,
            AuditTile.highest_event > UUID(after),
            AuditTile.lowest_event <= UUID(through),
        )
        for event_ids in self.connection.execute(statement).scalars():
            digits = as_bytes(event_ids).hex()
            for place in range(0, len(digits), _DIGITS):
                if after < digits[place : place + _DIGITS] <= through:
                    yield digits[place : place + _DIGITS]


def check_pending(connection: Connection, is_authentic: IsAuthentic | None) -> Iterator[Finding]:
    """The records that wait: each there, as it was written, and not refused."""
    refused = {
        as_digits(each): why
        for each, why in connection.execute(
            select(type_coerce(AuditPending.event_id, String), AuditPending.refused).where(
                AuditPending.refused.is_not(None)
            )
        )
    }
    after = _LOWEST
    while ids := _between(connection, "audit_pending", after, _HIGHEST, READ_AT_ONCE):
        records = read_records(connection, ids)
        for event_id in ids:
            record = records.get(event_id)
            problem = (
                "it was to be put into the log, and is gone" if record is None else check_record(record, is_authentic)
            )
            if problem is None and event_id in refused:
                problem = f"the log refused it: {refused[event_id]}"
            if problem is not None:
                yield Finding(named(event_id), problem)
        after = ids[-1]


def _between(connection: Connection, table: str, after: str, through: str, limit: int) -> Sequence[str]:
    """Ids after, not with, one and through another, in order."""
    statement = _BETWEEN[connection.dialect.name].format(table=table, id=_TABLES[table])
    return [row[0] for row in connection.exec_driver_sql(statement, (after, through, limit))]


def check_archives(connection: Connection) -> Iterator[Finding]:
    """Each range of leaves whose records may be gone is on record as archived, and none overlaps another."""
    recorded: set[tuple[object, ...]] = set()
    rows = connection.execute(
        select(type_coerce(AuditEvent.id, String), AuditEvent.details).where(
            AuditEvent.action == Action.LOG_ARCHIVED.value
        )
    )
    for event_id, details in rows:
        told = read_details(details)
        said = (told.get(Detail.FIRST_LEAF), told.get(Detail.END_LEAF), told.get(Detail.DIGEST))
        if is_number(said[0]) and is_number(said[1]) and isinstance(said[2], str):
            recorded.add(said)
        else:
            yield Finding(named(as_digits(event_id)), "it is of an archive, and its details do not say which")
    ends: dict[int, int] = {}
    columns = (AuditArchive.log, AuditArchive.first_leaf, AuditArchive.end_leaf, AuditArchive.digest)
    for log, first, end, digest in connection.execute(
        select(*columns).order_by(AuditArchive.log, AuditArchive.first_leaf)
    ):
        if not is_number(first) or not is_number(end):
            yield Finding(f"the archive of leaves {first!r:.40} to {end!r:.40}", "its leaves are not numbers")
            continue
        about = f"the archive of leaves {first} to {end - 1}"
        if (first, end, digest) not in recorded:
            yield Finding(about, "no record says that it was made", first)
        if first < ends.get(log, 0) or end <= first:
            yield Finding(about, "its leaves are not its own", first)
        ends[log] = end


def archived_records(connection: Connection, log: int | None = None) -> int:
    """How many records were archived, of one log or of all."""
    statement = select(AuditArchive.first_leaf, AuditArchive.end_leaf)
    if log is not None:
        statement = statement.where(AuditArchive.log == log)
    rows = connection.execute(statement)
    return sum(end - first for first, end in rows if is_number(first) and is_number(end))
