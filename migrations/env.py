"""How Alembic reaches the database: by the same settings as every process."""

from alembic import context
from sqlalchemy import Connection

from config.settings import Settings
from pipeline.db import Database
from pipeline.models import Base


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    _migrate(connection)
else:
    database = Database(Settings().effective_database_url)
    with database.write() as opened:
        _migrate(opened)
