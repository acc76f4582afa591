"""One database, two dialects: connections, transactions and clocks for PostgreSQL and SQLite."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, String, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeDecorator, TypeEngine

from pipeline import binary_arrays

PREPARED_STATEMENTS = 500
"""Kept for each connection: more than all stages together have, so that none is parsed twice."""

# Our statements run for milliseconds, and compiling one takes longer than any of them. They name their rows by keys: a
# plan kept from when a table was small would read all of it once a row when a flood has come.
_OPTIONS = "-c timezone=UTC -c jit=off -c enable_seqscan=off"

SQLITE_TIMESTAMP = "%Y-%m-%d %H:%M:%S.%f"
_RETRYABLE_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
}
_UNDONE_SQLSTATES = {"40001", "40P01"}
_RETRYABLE_SQLSTATES = {*_UNDONE_SQLSTATES, "55P03", "57P01", "57P02", "57P03"}


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, fixed-width text that sorts by time on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(26) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return sqlite_timestamp(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - its interface
        if value is None:
            return None
        if isinstance(value, str):
            return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
        return value  # type: ignore[no-any-return]  # the connection's time zone is UTC


def sqlite_timestamp(value: dt.datetime) -> str:
    """The text form in which SQLite keeps `value`, 26 characters, UTC."""
    return value.astimezone(dt.UTC).strftime(SQLITE_TIMESTAMP)


def utc_now() -> dt.datetime:
    """This machine's clock, aware, UTC. Leases never use it: see `clock`."""
    return dt.datetime.now(dt.UTC)


def is_transient(error: BaseException) -> bool:
    """Whether a database error says "try again" (deadlock, lost connection, restart, busy) rather than "bad data"."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _RETRYABLE_SQLSTATES or state.startswith(("08", "53"))
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _RETRYABLE_SQLITE
    return isinstance(error, OperationalError)


def was_undone(error: BaseException) -> bool:
    """Whether the database undid a transaction in favour of another (deadlock, serialization): it will do again."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _UNDONE_SQLSTATES


class Database:
    """Connections to one database. `write()` is one transaction that commits on success; `read()` never writes.

    SQLite has one writer, so a write begins with `BEGIN IMMEDIATE` (waiting its turn instead of failing midway),
    and reads go through connections that refuse to write (https://www.sqlite.org/lang_transaction.html).
    """

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.url = url
        self.is_postgresql = make_url(url).get_backend_name() == "postgresql"
        self.is_sqlite = not self.is_postgresql
        self._pool_size = pool_size

    @cached_property
    def writer(self) -> Engine:
        return self._engine(read_only=False)

    @cached_property
    def reader(self) -> Engine:
        return self.writer if self.is_postgresql else self._engine(read_only=True)

    def _engine(self, *, read_only: bool) -> Engine:
        if self.is_postgresql:
            engine = create_engine(
                self.url,
                pool_size=self._pool_size,
                max_overflow=self._pool_size,
                pool_use_lifo=True,  # one connection with warm prepared statements, rather than two half warm
                pool_recycle=1800,
                connect_args={
                    "connect_timeout": 5,
                    "application_name": "careroute",
                    "prepare_threshold": 2,
                    "options": _OPTIONS,
                },
            )
            _configure_postgresql(engine)
            return engine
        engine = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=self._pool_size,
            max_overflow=self._pool_size,
            connect_args={"timeout": 30, "check_same_thread": False, "isolation_level": None},
        )
        _configure_sqlite(engine, read_only=read_only)
        return engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.writer.begin() as connection:
            yield connection

    @contextmanager
    def write_soon(self) -> Iterator[Connection]:
        """As `write`, but on PostgreSQL the commit does not wait for the disk: a crash of the server may undo it.

        For what may be undone, such as a claim: the job is then simply there to be claimed. A later commit that does
        wait makes it durable too (https://www.postgresql.org/docs/current/wal-async-commit.html).
        """
        with self.writer.begin() as connection:
            if self.is_postgresql:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read, each statement for itself: on PostgreSQL without a transaction, which would cost two round trips.

        And without its rollback at the end, at which psycopg drops the connection's prepared statements.
        """
        with self.reader.connect() as connection:
            if self.is_postgresql:
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Read, all statements as of one moment, whatever is written meanwhile. May read whole tables: reports do."""
        with self.reader.connect() as connection:
            if self.is_postgresql:  # a read transaction of SQLite is a snapshot by itself
                connection.execution_options(isolation_level="REPEATABLE READ")
                connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
            yield connection

    def dispose(self) -> None:
        for name in ("writer", "reader"):
            engine = self.__dict__.pop(name, None)
            if engine is not None:
                engine.dispose()


def _configure_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.prepared_max = PREPARED_STATEMENTS
        binary_arrays.register(connection)


def _configure_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # an erased key is not left in free pages
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def clock(connection: Connection) -> str:
    """SQL for the database's own clock, in the form `UtcDateTime` keeps. All leases are reckoned by it."""
    if connection.dialect.name == "postgresql":
        return "clock_timestamp()"
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


def clock_after(connection: Connection, seconds: str) -> str:
    """SQL for the database's clock plus the SQL number expression `seconds`."""
    if connection.dialect.name == "postgresql":
        return f"(clock_timestamp() + ({seconds}) * interval '1 second')"
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.3f seconds', {seconds})) || '000')"


def database_time(connection: Connection) -> dt.datetime:
    """The database's own clock, aware, UTC: for what must not depend on which process asks."""
    return as_time(connection.exec_driver_sql(f"SELECT {clock(connection)}").scalar_one())


def as_time(found: str | dt.datetime) -> dt.datetime:
    """What a statement answered for `clock`, aware, UTC."""
    return dt.datetime.fromisoformat(found).replace(tzinfo=dt.UTC) if isinstance(found, str) else found
