import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pipeline.db import Database
from pipeline.models import Base
from pipeline.schema import SchemaProblem, check_schema, migrate
from tests.servers.postgres import PostgresServer
from tests.support.installations import copy_database, drop_database
from tests.support.racing import at_once


def test_models_and_migrations_say_the_same(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_database_is_accepted_and_migrating_again_changes_nothing(database: Database) -> None:
    check_schema(database)
    assert migrate(database) == migrate(database)
    check_schema(database)


def test_an_empty_database_is_refused_with_what_to_do(postgres: PostgresServer) -> None:
    url = copy_database(postgres, None)
    database = Database(url)
    with pytest.raises(SchemaProblem, match=r"has schema none, .* run `careroute migrate`"):
        check_schema(database)
    database.dispose()
    drop_database(postgres, url)


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (check_schema, migrate):
        with pytest.raises(SchemaProblem, match="schema 9999, which this version does not know"):
            attempt(database)


def test_of_processes_that_migrate_at_once_each_finds_it_done(postgres: PostgresServer) -> None:
    url = copy_database(postgres, None)
    databases = [Database(url) for _ in range(3)]
    assert len(set(at_once(3, lambda number: migrate(databases[number])))) == 1
    check_schema(databases[0])
    for database in databases:
        database.dispose()
    drop_database(postgres, url)
