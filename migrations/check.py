"""`python -m migrations.check`: fails if the models and the migrations say different things."""

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pipeline.db import Database
from pipeline.models import Base
from pipeline.schema import migrate


def main() -> int:
    """Migrate an empty SQLite database and compare it with the models; the suite does the same on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'check.db'}")
        migrate(database)
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, Base.metadata)
        database.dispose()
    for difference in differences:
        sys.stderr.write(f"models and migrations differ: {difference}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
