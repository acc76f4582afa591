"""`own_keys`: an installation, on each database, whose key files the test may change; `sqlite_own_keys`: on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installations import Installation
from tests.support.keysets import with_own_keys


@pytest.fixture
def own_keys(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    own = with_own_keys(installation, tmp_path / "own-keys")
    yield own
    own.close()


@pytest.fixture
def sqlite_own_keys(sqlite_installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    own = with_own_keys(sqlite_installation, tmp_path / "own-keys")
    yield own
    own.close()
