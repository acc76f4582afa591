"""`doctor` on how this process reaches database and broker, and as whom: what others could read, and what it could do
that it need not.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from config.remote import is_local, read_broker
from config.settings import Settings
from pipeline.db import Database
from pipeline.operations.checks import Check, Outcome
from pipeline.privileges import PRIVILEGES, Role, missing_roles, things

_HERE = "does not leave this machine"
_DECLARED = "plain text to a host of CAREROUTE_PLAINTEXT_HOSTS: right only on a network of your own"
_MANUAL = 'docs/operations.md, "Database roles"'
_SHOWN = 3
_EFFECTIVE = """
SELECT relname, privilege FROM pg_class
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND has_table_privilege(pg_class.oid, privilege)
UNION ALL
SELECT relname, privilege || ' (' || attname || ')' FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid AND attacl IS NOT NULL AND NOT attisdropped
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
  AND has_column_privilege(pg_class.oid, attnum, privilege) AND NOT has_table_privilege(pg_class.oid, privilege)
"""


def look_at_connections(settings: Settings) -> Iterator[Check]:
    """Nothing about a database that does not answer: that has a line of its own."""
    if settings.effective_database_url.startswith("postgresql"):
        database = Database(settings.effective_database_url)
        try:
            with database.read() as connection:
                yield _database_link(connection)
                yield _user(connection)
                yield _roles(connection)
        except DBAPIError:
            pass
        finally:
            database.dispose()
    if settings.broker_url:
        yield _broker_link(settings)


def _database_link(connection: Connection) -> Check:
    name = "database link"
    driver: Any = connection.connection.driver_connection
    parameters = driver.info.get_parameters()
    if is_local(driver.info.host) and is_local(parameters.get("hostaddr", "")):
        return Check(name, Outcome.GOOD, _HERE)
    if not driver.pgconn.ssl_in_use:
        return Check(name, Outcome.NOTE, _DECLARED)
    version = connection.exec_driver_sql("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar_one()
    if parameters.get("sslmode") == "require" and "sslrootcert" not in parameters:
        told = f"{version}, but whoever answers is believed: set sslmode=verify-full and sslrootcert in the URL"
        return Check(name, Outcome.WARNING, told)
    return Check(name, Outcome.GOOD, f"{version}, certificate verified")


def _broker_link(settings: Settings) -> Check:
    name, broker = "broker link", read_broker(settings.broker_url)
    hosts = [urlsplit(each).hostname or "" for each in broker.url.split(";")]
    if all(map(is_local, hosts)):
        return Check(name, Outcome.GOOD, _HERE)
    if broker.tls is not None:
        return Check(name, Outcome.GOOD, "TLS, certificate verified")
    return Check(name, Outcome.NOTE, _DECLARED)


def _user(connection: Connection) -> Check:
    name = "database user"
    user, superuser = connection.exec_driver_sql(
        "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    ).one()
    member = "SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'USAGE')"
    groups = sorted(set(Role) & set(connection.exec_driver_sql(member).scalars()))
    if superuser or any(thing.mine for thing in things(connection)):
        rights = "a superuser" if superuser else "an owner of the tables"
        told = f"{user} is {rights}: for `careroute migrate` and `audit archive` only; processes need less ({_MANUAL})"
        return Check(name, Outcome.WARNING, told)
    if len(groups) != 1:
        told = f"{user} is in {' and '.join(groups) or 'none of the groups'}: a process needs exactly one ({_MANUAL})"
        return Check(name, Outcome.WARNING, told)
    wanted = {(table, right) for table, by_role in PRIVILEGES.items() for right in by_role.get(groups[0], ())}
    more = sorted(
        f"{right} on {table}"
        for table, right in {tuple(row) for row in connection.exec_driver_sql(_EFFECTIVE)} - wanted
    )
    if more:
        return Check(name, Outcome.WARNING, f"{user} may do more than {groups[0]} needs: {_first(more)}")
    return Check(name, Outcome.GOOD, f"{user}, in {groups[0]}, may do no more than that needs")


def _roles(connection: Connection) -> Check:
    name = "database roles"
    if missing := missing_roles(connection):
        told = (
            f"{', '.join(missing)} missing: run deploy/10-database-roles.sql as the database's administrator, then "
            f"`careroute migrate` ({_MANUAL})"
        )
        return Check(name, Outcome.WARNING, told)
    astray = [f"{thing.kind.lower()} {thing.name}" for thing in things(connection) if not thing.as_wanted]
    if astray:
        told = (
            f"not granted as this version wants: {_first(astray)}. Run `careroute migrate` as their owner ({_MANUAL})"
        )
        return Check(name, Outcome.WARNING, told)
    return Check(name, Outcome.GOOD, "each group may do what it needs, and nobody else anything")


def _first(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
