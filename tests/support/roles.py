"""Working as a database user of one of the groups, which is all that a process in production can do."""

import contextlib
from dataclasses import replace

import psycopg
from sqlalchemy import make_url

from pipeline.context import Context
from pipeline.db import Database
from pipeline.privileges import Role

_LOGIN = "DO $$ BEGIN CREATE ROLE {user} LOGIN IN ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
_opened: dict[tuple[str, Role], Database] = {}


def as_role(context: Context, role: Role) -> Context:
    """The context of a process whose database user is in `role`. On SQLite, which has no users, the same context."""
    if context.database.is_sqlite:
        return context
    return replace(context, database=database_as(context.database.url, role))


def database_as(url: str, role: Role) -> Database:
    """Connections of a user in `role`, made at its first use in a cluster where everyone on this machine is trusted."""
    database = _opened.get((url, role))
    if database is None:
        user = role.replace("careroute", "test")
        with (
            contextlib.suppress(psycopg.OperationalError),  # a server that is down stays so for this user too
            psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection,
        ):
            connection.execute(_LOGIN.format(user=user, role=role))
        as_user = make_url(url).set(username=user).render_as_string(hide_password=False)
        database = _opened[(url, role)] = Database(as_user, pool_size=2)
    return database


def close_roles(url: str) -> None:
    """Close what was opened to the database at `url`."""
    for key in [key for key in _opened if key[0] == url]:
        _opened.pop(key).dispose()
