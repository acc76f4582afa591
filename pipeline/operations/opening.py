"""Opening the database for an operator or a process, or saying why that cannot be."""

import os
import pwd
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from config.settings import Settings
from pipeline.audit import actions
from pipeline.audit.actions import Actor
from pipeline.db import Database
from pipeline.keys import KeyPurpose, Keys, check_fingerprints, load_keysets
from pipeline.schema import SchemaProblem, check_schema


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database, of this version's schema. Raises `SchemaProblem`, also when the embedded one is not there yet."""
    path = settings.data_dir / "careroute.db"
    if settings.embedded_database and not path.is_file():
        raise SchemaProblem(f"there is no database at {path} yet: `careroute up` or `careroute migrate` makes one")
    database = Database(settings.effective_database_url)
    try:
        check_schema(database)
        yield database
    finally:
        database.dispose()


def open_keys(settings: Settings, database: Database, purposes: Collection[KeyPurpose] = frozenset(KeyPurpose)) -> Keys:
    """The keysets that the database was written with. Raises `KeyProblem`; never creates one."""
    keys = load_keysets(settings.effective_keys_dir, purposes=purposes)
    check_fingerprints(database, keys)
    return keys


def operator() -> Actor:
    """Who is at the command line, by the operating system's account, not by what the environment claims."""
    user_id = os.getuid()
    try:
        return actions.staff(pwd.getpwuid(user_id).pw_name)
    except KeyError:  # a container may run under an id that has no account
        return actions.staff(f"uid-{user_id}")
