"""Which schema this version needs, and bringing a database to it."""

from sqlalchemy import Connection, inspect

from config.settings import ROOT
from pipeline.db import Database
from pipeline.privileges import apply_privileges

_MIGRATIONS = ROOT / "migrations"
_MIGRATION_LOCK = 7_228_113_001


class SchemaProblem(Exception):
    """The database does not have the schema that this version was written for."""


def migrate(database: Database) -> str:
    """Bring the database to this version's schema, one process at a time; returns the revision."""
    # Slow to load, and every process checks the schema without it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with database.write() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        _refuse_unknown(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if database.is_postgresql:
            apply_privileges(connection)
    return _head()


def check_schema(database: Database) -> None:
    """Raise `SchemaProblem` unless the database has exactly this version's schema."""
    with database.read() as connection:
        found = _revision(connection)
    if found == _head():
        return
    if found is not None and found not in _known():
        raise SchemaProblem(_newer(found))
    raise SchemaProblem(
        f"the database has schema {found or 'none'}, this version needs {_head()}: run `careroute migrate`"
    )


def _refuse_unknown(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and found not in _known():
        raise SchemaProblem(_newer(found))


def _newer(found: str) -> str:
    return f"the database has schema {found}, which this version does not know: run a newer version"


def _revision(connection: Connection) -> str | None:
    """What Alembic has noted in the database; `None` before its first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _head() -> str:
    return max(_known())


def _known() -> set[str]:
    """Migrations are numbered in one line, and their files begin with the number."""
    return {path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")}
