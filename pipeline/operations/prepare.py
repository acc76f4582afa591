"""Before the first process starts: schema, keys, first provider network, what an older version did not write, and the
erasures that a restored backup does not know of.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from config.conditions import load_conditions
from config.providers import load_providers
from config.screening import Screening, load_screening
from config.settings import Settings
from pipeline.consent.backfill import backfill
from pipeline.consent.stopped import resume
from pipeline.context import open_context
from pipeline.db import Database
from pipeline.erasure.replaying import Replayed, replay_before_work
from pipeline.keys import Keys, check_fingerprints, load_keysets
from pipeline.models import ProviderVersion
from pipeline.operations.opening import operator
from pipeline.providers import Published, publish
from pipeline.schema import migrate
from pipeline.unit_of_work import begin


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found or made: the schema's revision, what was published, and for how many submissions lines of
    the consent ledger were written, and how many requests are offered again that had ended for want of such a line.
    `replayed`: what came of erasing again; None without an erasures file.
    """

    revision: str
    published: Published
    backfilled: int = 0
    resumed: int = 0
    replayed: Replayed | None = None


def prepare(settings: Settings) -> Prepared:
    """Bring the database to this version, check that the keys are its own, and publish the reviewed provider file if
    the database has no provider yet. Several may run at once; workers of an older version must not.

    Whoever was erased, and came back with a restored backup, is erased again here: no worker may write to them.

    Raises `ConfigurationMistake`, `KeyProblem`, `SchemaProblem`, and `ErasuresInDoubt` if that cannot be made sure of.
    """
    if settings.embedded_database:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Before the database is touched: a deployment without its keys must not leave half a start behind.
    keys = load_keysets(settings.effective_keys_dir, create=settings.may_create_keys)
    database = Database(settings.effective_database_url)
    try:
        revision = migrate(database)
        check_fingerprints(database, keys)
        screening = load_screening(settings.screening_file)
        published = _publish_first(settings, screening, database, keys)
        replayed = _replay(settings)
        backfilled = backfill(database, keys, screening, operator())
        return Prepared(revision, published, backfilled, resume(database, keys, screening, operator()), replayed)
    finally:
        database.dispose()


def _replay(settings: Settings) -> Replayed | None:
    if not settings.effective_erasure_file.exists():
        return None
    context = open_context(settings)
    try:
        return replay_before_work(context, operator())
    finally:
        context.database.dispose()


def _publish_first(settings: Settings, screening: Screening, database: Database, keys: Keys) -> Published:
    if _has_providers(database):
        return Published()
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
