"""Who may do what to which table on PostgreSQL: one matrix, applied at the end of every `careroute migrate`.

The roles are groups without a login; the users that processes connect as are made members (docs/operations.md,
"Database roles"). SQLite has no users: there, whoever can open the file can do everything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from sqlalchemy import Connection


class Role(StrEnum):
    """The groups. They belong to the whole cluster, and so to all of its databases."""

    WEB = "careroute_web"
    WORKER = "careroute_worker"
    SEQUENCER = "careroute_sequencer"
    AUDITOR = "careroute_auditor"
    MIGRATOR = "careroute_migrator"
    """Owns everything here: changes the schema, and archives, for which records leave `audit_event`."""


_LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_COLUMNS = (Role.WEB, Role.WORKER, Role.SEQUENCER, Role.AUDITOR)
# I(event_id): INSERT, and of no other column than event_id. Only the sequencer says that a record is refused: it then
# stays out of the log.
_MATRIX = """
                    web           worker        sequencer  auditor
activity_review     -             SI            -          S
alembic_version     S             S             S          S
assessment          SD            SIUD          -          -
audit_anchoring     S             S             SIU        S
audit_archive       -             S             S          S
audit_checkpoint    S             S             SI         S
audit_event         SI            SI            S          S
audit_log           S             S             SIU        S
audit_pending       SI(event_id)  SI(event_id)  SUD        S
audit_series        SIU           SIU           -          S
audit_tile          -             S             SIU        S
consent_entry       SI            SI            -          S
data_key            SI            SUD           -          -
dead_job            S             SIUD          -          -
duplicate           S             SID           -          -
email               SIU           SIU           -          S
email_attempt       S             SIU           -          -
erasure             S             SI            -          S
heartbeat           S             SIU           S          -
intake_key          SI            SU            -          -
job                 SIUD          SIUD          -          -
key_fingerprint     S             SU            S          S
lane_pause          S             SIUD          S          -
legal_hold          S             SID           -          S
mail_event          SI            SUD           -          -
mail_tally          SIU           SIU           -          -
network_revision    S             SU            -          -
one_time_code       SIU           SD            -          -
person_index        S             SID           -          -
provider_load       SIU           SIU           -          -
provider_match      S             SID           -          -
provider_version    S             SI            S          S
quarantine          SID           SID           -          -
recent_request      SD            SIUD          -          -
referral            SU            SIU           -          S
review              SD            SID           -          -
sealed_document     SI            SID           -          -
secure_link         SIU           SIU           -          -
secure_session      SID           SD            -          -
source_tally        SIU           S             -          -
submission          SIU           SIU           -          S
suppression         SID           SID           -          -
transport_breaker   S             SIU           -          -
"""


_RIGHT = re.compile(r"(?P<letter>[SIUD])(?:\((?P<column>\w+)\))?")


def _read(matrix: str) -> dict[str, dict[Role, frozenset[str]]]:
    lines = [line.split() for line in matrix.strip().splitlines()[1:]]
    return {
        table: {
            role: frozenset(_right(_LETTERS[found["letter"]], found["column"]) for found in _RIGHT.finditer(letters))
            for role, letters in zip(_COLUMNS, rights, strict=True)
        }
        for table, *rights in lines
    }


def _right(privilege: str, column: str | None) -> str:
    """As GRANT spells it."""
    return f"{privilege} ({column})" if column else privilege


PRIVILEGES: Mapping[str, Mapping[Role, frozenset[str]]] = _read(_MATRIX)
"""Table → role → what it may do, such as `SELECT`, or `INSERT (event_id)` for that column alone.

TRUNCATE, REFERENCES and TRIGGER are the owner's alone.
"""

_EVERYTHING = frozenset(_LETTERS.values())
_PUBLIC = "PUBLIC"

_FOUND = """
SELECT things.kind, things.name, things.about, pg_has_role(things.owner, 'USAGE') AS mine,
       pg_get_userbyid(things.owner) AS owner, coalesce(roles.rolname, 'PUBLIC') AS grantee,
       rights.privilege_type, things.part
FROM (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, relname::text AS name,
           CASE relkind WHEN 'S' THEN (
               SELECT tables.relname FROM pg_depend JOIN pg_class AS tables ON tables.oid = refobjid
               WHERE objid = pg_class.oid AND deptype IN ('a', 'i') LIMIT 1
           ) ELSE relname END::text AS about, relowner AS owner,
           coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) AS rights,
           NULL AS part
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'S')
    UNION ALL
    SELECT 'TABLE', relname::text, relname::text, relowner, attacl, attname::text
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attacl IS NOT NULL AND NOT attisdropped
    UNION ALL
    SELECT 'FUNCTION', oid::regprocedure::text, '', proowner, coalesce(proacl, acldefault('f', proowner)), NULL
    FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prorettype = 'trigger'::regtype
    UNION ALL
    SELECT 'SCHEMA', nspname::text, '', nspowner, coalesce(nspacl, acldefault('n', nspowner)), NULL
    FROM pg_namespace WHERE oid = current_schema()::regnamespace
) AS things
LEFT JOIN LATERAL aclexplode(things.rights) AS rights ON rights.grantee <> things.owner
LEFT JOIN pg_roles AS roles ON roles.oid = rights.grantee
ORDER BY things.kind, things.name
"""


@dataclass(frozen=True, slots=True)
class Thing:
    """A table, sequence or function, or the schema itself: what is granted and what the matrix says."""

    kind: str
    name: str
    owner: str
    mine: bool
    """Whether this connection's user may change that."""
    granted: Mapping[str, frozenset[str]]
    wanted: Mapping[str, frozenset[str]]

    @property
    def as_wanted(self) -> bool:
        return self.granted == self.wanted


def missing_roles(connection: Connection) -> list[Role]:
    """Roles that the cluster does not have."""
    found = connection.exec_driver_sql("SELECT rolname FROM pg_roles").scalars().all()
    return sorted(set(Role) - set(found))


def things(connection: Connection) -> list[Thing]:
    """All that the matrix is about, as far as the roles exist. What others were granted is not looked at."""
    roles = set(Role) - set(missing_roles(connection))
    rows = connection.exec_driver_sql(_FOUND).all()
    found = []
    for (kind, name, about, mine, owner), each in groupby(rows, key=lambda row: tuple(row[:5])):
        if kind in {"TABLE", "SEQUENCE"} and about not in PRIVILEGES:
            continue  # not ours
        granted: dict[str, set[str]] = {}
        for row in each:
            if row.privilege_type and (row.grantee in roles or row.grantee == _PUBLIC):
                granted.setdefault(row.grantee, set()).add(_right(row.privilege_type, row.part))
        wanted = {role: _wanted(kind, about, role) for role in roles if role != owner}
        found.append(
            Thing(
                kind,
                name,
                owner,
                mine,
                {grantee: frozenset(rights) for grantee, rights in granted.items()},
                {str(role): rights for role, rights in wanted.items() if rights},
            )
        )
    return found


def _wanted(kind: str, about: str, role: Role) -> frozenset[str]:
    rights = _EVERYTHING if role is Role.MIGRATOR else PRIVILEGES.get(about, {}).get(role, frozenset())
    match kind:
        case "TABLE":
            return rights
        case "SEQUENCE":
            return frozenset({"USAGE"}) if any(each.startswith("INSERT") for each in rights) else frozenset()
        case "SCHEMA":
            return frozenset({"USAGE", "CREATE"} if role is Role.MIGRATOR else {"USAGE"})
        case _:
            return frozenset()  # trigger functions run without being granted


def apply_privileges(connection: Connection) -> None:
    """Grant what the matrix says and nothing else, on whatever this user may decide about; idempotent.

    Where this user is one of the migrators, they become the owner, so that the next may be another of them. What
    already is as it should be is left alone: granting writes to the catalogue, beside processes that are at work.
    """
    _apply(connection, [thing for thing in things(connection) if thing.kind == "SCHEMA"])
    if _may_hand_over(connection):
        _hand_over(connection, things(connection))
    _apply(connection, things(connection))


def _may_hand_over(connection: Connection) -> bool:
    """Whether this user is a migrator, and those may create what they would own."""
    found = connection.exec_driver_sql(
        "SELECT pg_has_role(oid, 'USAGE') AND has_schema_privilege(oid, current_schema(), 'CREATE') "  # noqa: S608 - our own role
        f"FROM pg_roles WHERE rolname = '{Role.MIGRATOR}'"
    ).scalar_one_or_none()
    return bool(found)


def _hand_over(connection: Connection, found: Iterable[Thing]) -> None:
    for thing in found:
        # A sequence goes with its table; the schema belongs to the database's owner.
        if thing.kind in {"TABLE", "FUNCTION"} and thing.mine and thing.owner != Role.MIGRATOR:
            connection.exec_driver_sql(f"ALTER {thing.kind} {_named(connection, thing)} OWNER TO {Role.MIGRATOR}")


def _apply(connection: Connection, found: Iterable[Thing]) -> None:
    for thing in found:
        if thing.as_wanted or not thing.mine:
            continue
        on = f"ON {thing.kind} {_named(connection, thing)}"
        # Whoever was granted something, and more than the matrix knows.
        for grantee in thing.granted:
            connection.exec_driver_sql(f"REVOKE ALL {on} FROM {grantee}")
        for role, rights in thing.wanted.items():
            connection.exec_driver_sql(f"GRANT {', '.join(sorted(rights))} {on} TO {role}")


def _named(connection: Connection, thing: Thing) -> str:
    if thing.kind == "FUNCTION":
        return thing.name  # PostgreSQL's own spelling, with its arguments
    return connection.dialect.identifier_preparer.quote(thing.name)
