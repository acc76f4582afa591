import pytest

from pipeline.db import Database
from pipeline.keys import Keys
from tests.support.probe import Probe


@pytest.fixture
def probe(database: Database, keys: Keys) -> Probe:
    return Probe(database, keys)


@pytest.fixture
def sqlite_probe(sqlite_database: Database, keys: Keys) -> Probe:
    return Probe(sqlite_database, keys)
