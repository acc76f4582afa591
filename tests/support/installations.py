"""A Careroute of its own for one test: folder, keys and a database that already has the schema and the network."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config.providers import ProviderDocument
from config.settings import Settings
from pipeline.audit import actions
from pipeline.context import Context, open_context
from pipeline.db import Database
from pipeline.keys import check_fingerprints, load_keysets
from pipeline.providers import publish
from pipeline.schema import migrate
from pipeline.unit_of_work import begin
from tests.servers.postgres import PostgresServer
from tests.support.roles import close_roles

SQLITE_FILE = "careroute.db"


@dataclass(slots=True)
class Installation:
    """Settings that fit together. `database_url` empty is SQLite in `folder`."""

    folder: Path
    keys_dir: Path
    database_url: str
    _opened: list[Database] = field(default_factory=list)

    def settings(self, **changes: Any) -> Settings:
        """The settings, with `changes` by field name."""
        return Settings(
            **{"data_dir": self.folder, "keys_dir": self.keys_dir, "database_url": self.database_url, **changes}
        )

    def context(self, **changes: Any) -> Context:
        """A context as a process opens it at start; closed at the end of the test."""
        context = open_context(self.settings(**changes))
        self._opened.append(context.database)
        return context

    def database(self) -> Database:
        """Connections of their own."""
        database = Database(self.settings().effective_database_url)
        self._opened.append(database)
        return database

    def close(self) -> None:
        for database in self._opened:
            database.dispose()
        close_roles(self.database_url)


def prepare(url: str, keys_dir: Path, network: tuple[ProviderDocument, ...]) -> None:
    """Bring an empty database to where tests begin: schema, key fingerprints, providers."""
    database, keys = Database(url), load_keysets(keys_dir)
    migrate(database)
    check_fingerprints(database, keys)
    with begin(database, keys, actions.staff("tests")) as unit:
        publish(unit, network)
    database.dispose()


def copy_database(server: PostgresServer, template: str | None) -> str:
    """A database with a new name, as a copy of `template` or empty; returns its URL."""
    return server.create_database(f"test_{uuid.uuid4().hex}", template)


def drop_database(server: PostgresServer, url: str) -> None:
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
        name = sql.Identifier(url.rsplit("/", 1)[1])
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
