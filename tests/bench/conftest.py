from collections.abc import Iterator

import pytest

from bench.laboratory import Laboratory, open_laboratory


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """One for all benchmarks that are tested: each takes a fresh database and an empty broker of it."""
    with open_laboratory() as opened:
        yield opened
