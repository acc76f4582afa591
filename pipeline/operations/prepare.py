"""Before the first process starts: schema, keys, and the first provider network."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from config.conditions import load_conditions
from config.providers import load_providers
from config.screening import load_screening
from config.settings import Settings
from pipeline.db import Database
from pipeline.keys import Keys, check_fingerprints, load_keysets
from pipeline.models import ProviderVersion
from pipeline.operations.opening import operator
from pipeline.providers import Published, publish
from pipeline.schema import migrate
from pipeline.unit_of_work import begin


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found or made: the schema's revision, and what was published."""

    revision: str
    published: Published


def prepare(settings: Settings) -> Prepared:
    """Bring the database to this version, check that the keys are its own, and publish the reviewed provider file if
    the database has no provider yet. Several may run at once.

    Raises `ConfigurationMistake`, `KeyProblem` and `SchemaProblem`.
    """
    if settings.embedded_database:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Before the database is touched: a deployment without its keys must not leave half a start behind.
    keys = load_keysets(settings.effective_keys_dir, create=settings.may_create_keys)
    database = Database(settings.effective_database_url)
    try:
        revision = migrate(database)
        check_fingerprints(database, keys)
        return Prepared(revision, _publish_first(settings, database, keys))
    finally:
        database.dispose()


def _publish_first(settings: Settings, database: Database, keys: Keys) -> Published:
    if _has_providers(database):
        return Published()
    screening = load_screening(settings.screening_file)
    conditions = load_conditions(settings.conditions_file)
    file = load_providers(settings.providers_file, screening, conditions)
    try:
        with begin(database, keys, operator()) as unit:
            return publish(unit, file.providers)
    except IntegrityError:
        if not _has_providers(database):
            raise
        return Published()  # another process has just done it


def _has_providers(database: Database) -> bool:
    with database.read() as connection:
        return connection.execute(select(ProviderVersion.id).limit(1)).first() is not None
