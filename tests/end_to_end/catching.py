"""Stopping workers in the middle of what they do: stop them, look into the database, let them go on if it was idle."""

import random
import sqlite3
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import closing
from uuid import UUID

from sqlalchemy import Select, make_url, select

from pipeline.db import Database
from pipeline.models import Email, Job
from tests.end_to_end.running import Running

_TRIES = 3000


def held_tokens(database: Database) -> set[UUID]:
    """The tokens of the claims that are being worked on."""
    return _tokens(database, select(Job.lease_token))


def in_a_call(database: Database) -> set[UUID]:
    """The tokens of the claims whose emails are being handed to the transport."""
    statement = select(Job.lease_token).join(Email, Email.id == Job.target_id)
    return _tokens(database, statement.where(Email.attempt_id.is_not(None)))


def stop_at_work(
    running: Running,
    name: str,
    chance: random.Random,
    database: Database,
    at_work: Callable[[Database], set[UUID]] = held_tokens,
    besides: AbstractSet[UUID] = frozenset(),
) -> set[UUID]:
    """SIGSTOP the only running worker between its claim and its finish; returns the tokens it holds.

    Those of workers that are no longer running are given in `besides`.

    It is not stopped inside a transaction: there the database itself would make everyone wait for it.
    """
    for _ in range(_TRIES):
        running.freeze(name)
        if _nobody_writes(database) and (found := at_work(database) - besides):
            return found
        running.thaw(name)
        time.sleep(chance.uniform(0.002, 0.04))
    raise AssertionError(f"{name} was never found at work")


def stop_at_rest(running: Running, name: str, database: Database) -> None:
    """SIGSTOP the only running worker while it has nothing in hand and no transaction open."""
    for _ in range(_TRIES):
        running.freeze(name)
        if _nobody_writes(database) and not held_tokens(database):
            return
        running.thaw(name)
        time.sleep(0.01)
    raise AssertionError(f"{name} was never found at rest")


def _nobody_writes(database: Database) -> bool:
    if database.is_postgresql:
        with database.read() as connection:
            others = connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'"
            ).scalar_one()
        return bool(others == 0)
    with closing(sqlite3.connect(str(make_url(database.url).database), timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def _tokens(database: Database, statement: Select[UUID | None]) -> set[UUID]:
    with database.read() as connection:
        return {token for token in connection.execute(statement.distinct()).scalars() if token is not None}
