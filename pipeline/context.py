"""What the stages of one process share: reviewed data, keys, the database. Opened once, at start."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field

from config.conditions import Conditions, load_conditions
from config.screening import Screening, load_screening
from config.settings import Settings
from config.sources import Sources, load_sources
from pipeline.db import Database
from pipeline.keys import KeyPurpose, Keys, check_fingerprints, load_keysets
from pipeline.providers import NetworkCache
from pipeline.vault import Vault


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    database: Database
    keys: Keys
    vault: Vault
    screening: Screening
    conditions: Conditions
    sources: Sources
    networks: NetworkCache = field(default_factory=NetworkCache)


def open_context(settings: Settings, purposes: Collection[KeyPurpose] = frozenset(KeyPurpose)) -> Context:
    """Open everything a process needs, or say what is wrong with it.

    `purposes` are the keysets it needs: one that only sequences the audit log needs `audit`, and is given no other.

    Raises `ConfigurationMistake` (file, line, what was expected) and `KeyProblem` (missing or wrong keyset).
    """
    screening = load_screening(settings.screening_file)
    keys = load_keysets(settings.effective_keys_dir, create=settings.may_create_keys, purposes=purposes)
    database = Database(settings.effective_database_url)
    check_fingerprints(database, keys)
    return Context(
        settings=settings,
        database=database,
        keys=keys,
        vault=Vault(keys),
        screening=screening,
        conditions=load_conditions(settings.conditions_file),
        sources=load_sources(settings.sources_file, os.environ, screening),
    )
