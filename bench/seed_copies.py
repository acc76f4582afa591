"""Copies of finished submissions, made by PostgreSQL itself: new ids and keyed hashes, and a time in the past.

A copy's rows are as long as the original's and stand in the same tables. What cannot be true of a copy is not: its
ciphertexts open under the original's key only, and its records have the original's leaf hashes and MACs. Nothing about
it is due.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Column, Connection, Uuid

from pipeline.audit.tiles import Leaf, split_event_ids, split_hashes
from pipeline.db import UtcDateTime
from pipeline.email.kinds import MailClass
from pipeline.models import (
    Assessment,
    AuditEvent,
    Base,
    ConsentEntry,
    DataKey,
    Duplicate,
    Email,
    EmailAttempt,
    IntakeKey,
    MailEvent,
    PersonIndex,
    ProviderMatch,
    Quarantine,
    RecentRequest,
    Referral,
    Review,
    SealedDocument,
    SecureLink,
    Submission,
)
from pipeline.suppression import Reason

STEP_SECONDS = 65.536
"""Times move by multiples of this, 2**16 milliseconds: in an id made by time, a change of its first eight digits."""

_ABOUT = "submission_id = ANY(%(originals)s)"
_OF_ORIGINALS: Mapping[type[Base], str] = {
    Submission: "id = ANY(%(originals)s)",
    DataKey: _ABOUT,
    SealedDocument: _ABOUT,
    IntakeKey: _ABOUT,
    PersonIndex: _ABOUT,
    RecentRequest: _ABOUT,
    Duplicate: _ABOUT,
    Quarantine: _ABOUT,
    Review: _ABOUT,
    Assessment: _ABOUT,
    ProviderMatch: _ABOUT,
    ConsentEntry: _ABOUT,
    Referral: _ABOUT,
    Email: _ABOUT,
    SecureLink: _ABOUT,
    EmailAttempt: f"email_id IN (SELECT id FROM email WHERE {_ABOUT})",
    MailEvent: f"email_id IN (SELECT id FROM email WHERE {_ABOUT})",
    AuditEvent: _ABOUT,
}
"""What is copied, in an order that no foreign key minds, and which of a table's rows are the originals'."""

COPIED = tuple(_OF_ORIGINALS)

# What waits for people is copied as waiting if it came within 30 days; else somebody has seen to it.
_STILL_WAITS = "copy.earlier < INTERVAL '30 days'"
_SAME_PERSON = "copy.number - (mod(copy.number, 5) = 0)::integer"
"""Every fifth copy's people are those of the one before."""


def _hashed(column: str, number: str = "copy.number") -> str:
    return f"substr(sha256(original.{column} || int8send({number})), 1, length(original.{column}))"


def _reference() -> str:
    """A code of its own for every copy: times an odd number, modulo a power of two, no two numbers become one."""
    scattered = f"((copy.number * %(count)s + original.place) * 25214903917 & {2**40 - 1})"
    digits = [
        f"substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', mod({scattered} >> {5 * place}, 32)::integer + 1, 1)"
        for place in range(8)
    ]
    return f"'CR-' || {' || '.join(digits[:4])} || '-' || {' || '.join(digits[4:])}"


_WORDED: Mapping[tuple[str, str], str] = {
    ("submission", "reference"): _reference(),
    ("submission", "status"): (
        f"CASE WHEN original.status IN ('needs_review', 'quarantined') AND NOT {_STILL_WAITS} THEN 'withdrawn' "
        "ELSE original.status END"
    ),
    ("intake_key", "key_index"): _hashed("key_index"),
    ("intake_key", "body_index"): _hashed("body_index"),
    ("recent_request", "fingerprint"): _hashed("fingerprint"),
    ("person_index", "person"): _hashed("person", _SAME_PERSON),
    ("person_index", "email"): _hashed("email", _SAME_PERSON),
    ("referral", "status"): "(ARRAY['accepted', 'declined', 'expired'])[mod(copy.number, 3) + 1]",
    ("referral", "expires_at"): "NULL",
    ("referral", "remind_at"): "NULL",
    ("referral", "closed_at"): "original.created_at - copy.earlier + INTERVAL '1 hour'",
    ("secure_link", "token_hash"): _hashed("token_hash"),
    ("email_attempt", "address_index"): _hashed("address_index", _SAME_PERSON),
    ("email_attempt", "provider_message_id"): "original.provider_message_id || '.' || copy.number",
    ("mail_event", "event_key"): _hashed("event_key"),
    ("mail_event", "address_index"): _hashed("address_index", _SAME_PERSON),
    ("mail_event", "provider_message_id"): "original.provider_message_id || '.' || copy.number",
}
"""Columns of which a copy has something else than its type says."""

_COPIES = f"""
WITH copy AS MATERIALIZED (
    SELECT number, steps, steps * INTERVAL '{STEP_SECONDS} seconds' AS earlier, lpad(to_hex(number), 8, '0') AS digits
    FROM (
        SELECT number, (%(end)s - number) * %(steps)s / (%(end)s - %(begin)s) AS steps
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
    ) AS numbered
), original AS MATERIALIZED (
    SELECT *, row_number() OVER () - 1 AS place{{parts}} FROM {{table}} WHERE {{originals}}
)
INSERT INTO {{table}} ({{columns}}) SELECT {{values}} FROM copy CROSS JOIN original WHERE {{condition}}
"""

_LEAVES = """
WITH made AS ({inserted} RETURNING id, leaf_hash), sorted AS (SELECT * FROM made ORDER BY id)
SELECT string_agg(leaf_hash, ''::bytea), string_agg(uuid_send(id), ''::bytea) FROM sorted
"""

_SUPPRESSIONS = f"""
WITH copy AS MATERIALIZED (
    SELECT number FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number WHERE mod(number, 100) = 50
), original AS MATERIALIZED (SELECT * FROM person_index WHERE {_ABOUT} AND email IS NOT NULL)
INSERT INTO suppression (address_index, mail_class, reason, since)
SELECT {_hashed("email", _SAME_PERSON)}, '{MailClass.TRANSACTIONAL}', '{Reason.BOUNCED}', original.received_at
FROM copy CROSS JOIN original ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Copies:
    """Those numbered from `first` to `last`, of all from `begin` to below `end`, which reach back by `steps`."""

    originals: Sequence[uuid.UUID]
    first: int
    last: int
    begin: int
    end: int
    steps: int


def insert_copies(connection: Connection, copies: Copies) -> tuple[int, list[Leaf]]:
    """Make them: how many rows, and their records' leaves, by id. One bounced address in a hundred is suppressed."""
    parameters = {**_parameters(copies), "count": len(copies.originals)}
    rows, leaves = 0, []
    for table in COPIED:
        statement = _statement(table)
        if table is AuditEvent:
            hashes, ids = connection.exec_driver_sql(_LEAVES.format(inserted=statement), parameters).one()
            leaves = [
                Leaf(leaf_hash, event_id)
                for leaf_hash, event_id in zip(split_hashes(hashes), split_event_ids(ids), strict=True)
            ]
            rows += len(leaves)
        else:
            rows += connection.exec_driver_sql(statement, parameters).rowcount
    rows += connection.exec_driver_sql(_SUPPRESSIONS, parameters).rowcount
    return rows, leaves


def _parameters(copies: Copies) -> dict[str, Any]:
    return {**asdict(copies), "originals": list(copies.originals)}


def _statement(table: type[Base]) -> str:
    columns = list(table.table().columns)
    return _COPIES.format(
        table=table.__tablename__,
        originals=_OF_ORIGINALS[table],
        parts="".join(_parts(column.name) for column in columns if _is_moved(column)),
        columns=", ".join(column.name for column in columns),
        values=", ".join(_value(column) for column in columns),
        condition=_STILL_WAITS if table in {Review, Quarantine} else "true",
    )


def _value(column: Column[Any]) -> str:
    worded = _WORDED.get((column.table.name, column.name))
    if worded is not None:
        return worded
    if isinstance(column.type, UtcDateTime):
        return f"original.{column.name} - copy.earlier"
    if _is_moved(column):
        return _moved(column.name)
    return f"original.{column.name}"


def _is_moved(column: Column[Any]) -> bool:
    return isinstance(column.type, Uuid) and column.name != "provider_version_id"


def _parts(name: str) -> str:
    """Of an id made by time (RFC 9562 section 5.7): its first 32 bits as a number, and digits that every copy keeps."""
    return (
        f", ('x' || left({name}::text, 8))::bit(32)::bigint AS {name}_begin"
        f", substr({name}::text, 9, 10) || '-8' || substr({name}::text, 21, 3) || substr({name}::text, 25, 4) "
        f"AS {name}_rest"
    )


def _moved(name: str) -> str:
    """So much earlier, with the copy's number at its end: the same wherever it is named."""
    begin = f"lpad(to_hex((original.{name}_begin - copy.steps) & {2**32 - 1}), 8, '0')"
    return f"({begin} || original.{name}_rest || copy.digits)::uuid"
