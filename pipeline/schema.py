"""Which schema this version needs, and bringing a database to it."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from config.settings import ROOT
from pipeline.db import Database

_MIGRATION_LOCK = 7_228_113_001


class SchemaProblem(Exception):
    """The database does not have the schema that this version was written for."""


def migrate(database: Database) -> str:
    """Bring the database to this version's schema, one process at a time; returns the revision."""
    with database.write() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        _refuse_unknown(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return _head()


def check_schema(database: Database) -> None:
    """Raise `SchemaProblem` unless the database has exactly this version's schema."""
    with database.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found == _head():
        return
    if found is not None and found not in _known():
        raise SchemaProblem(_newer(found))
    raise SchemaProblem(
        f"the database has schema {found or 'none'}, this version needs {_head()}: run `careroute migrate`"
    )


def _refuse_unknown(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in _known():
        raise SchemaProblem(_newer(found))


def _newer(found: str) -> str:
    return f"the database has schema {found}, which this version does not know: run a newer version"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _head() -> str:
    head = _script().get_current_head()
    if head is None:
        raise SchemaProblem("there are no migrations in this installation")
    return head


def _known() -> set[str]:
    return {revision.revision for revision in _script().walk_revisions()}
