"""Opening everything that a command needs which does more than look."""

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings
from pipeline.context import Context, open_context
from pipeline.operations.opening import open_database, open_keys


@contextmanager
def open_cli_context(settings: Settings) -> Iterator[Context]:
    """The context, for the database as it is: neither a schema nor keys are made here, as a process may at its start.

    Raises `SchemaProblem`, `KeyProblem` and `ConfigurationMistake`.
    """
    with open_database(settings) as database:
        open_keys(settings, database)
    context = open_context(settings)
    try:
        yield context
    finally:
        context.database.dispose()
