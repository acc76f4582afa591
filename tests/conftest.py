"""The fixtures of the whole suite.

    installation    folder, keys and a database ready for work; the test runs on SQLite and again on PostgreSQL
    database        its database
    context         its context: shipped configuration, providers published, mailbox transport
    sqlite_…, postgresql_…    the same for tests that concern one of the two
    postgres        the private PostgreSQL server itself
    keys            the keysets that all installations share
    redis_server    a private Redis, empty at the start of each test

The servers start when a test first asks for them, once a pytest-xdist worker, and end with it. A database is a copy of
one that was prepared once, so a test pays for a file copy or a `CREATE DATABASE … TEMPLATE`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from config.providers import ProviderDocument, load_providers
from config.settings import PREFIX
from pipeline.context import Context
from pipeline.db import Database
from pipeline.keys import Keys, create_keysets, load_keysets
from tests.config.shipped import CONDITIONS, FOLDER, KEY, SCREENING, SECRET
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.support.installations import SQLITE_FILE, Installation, copy_database, drop_database, prepare

settings.register_profile("long", max_examples=2000, deadline=None)
"""`--hypothesis-profile=long`, to look for what a short run does not find."""


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """No setting of whoever runs the tests counts; the shipped sources have their secrets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        patch.setenv("CAREROUTE_SOURCE_NETWORK_SITE_KEY", KEY)
        patch.setenv("CAREROUTE_SOURCE_WEBFLOW_SITE_SECRET", SECRET)
        yield


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keysets that every installation of this run shares."""
    folder = tmp_path_factory.mktemp("keys")
    create_keysets(folder)
    return folder


@pytest.fixture(scope="session")
def keys(keys_dir: Path) -> Keys:
    """Those keysets, loaded."""
    return load_keysets(keys_dir)


@pytest.fixture(scope="session")
def network() -> tuple[ProviderDocument, ...]:
    """The providers as shipped."""
    return load_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS).providers


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of this run. Without fsync: only a crash of the machine would tell the difference."""
    with PostgresServer(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgres: PostgresServer, keys_dir: Path, network: tuple[ProviderDocument, ...]) -> str:
    """The name of a prepared database that nobody is connected to."""
    url = copy_database(postgres, None)
    prepare(url, keys_dir, network)
    return url.rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def sqlite_template(
    tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, network: tuple[ProviderDocument, ...]
) -> Path:
    """A prepared database file that nobody has open."""
    path = tmp_path_factory.mktemp("template") / SQLITE_FILE
    prepare(f"sqlite:///{path}", keys_dir, network)
    return path


@pytest.fixture
def sqlite_installation(tmp_path: Path, keys_dir: Path, sqlite_template: Path) -> Iterator[Installation]:
    shutil.copyfile(sqlite_template, tmp_path / SQLITE_FILE)
    installation = Installation(tmp_path, keys_dir, "")
    yield installation
    installation.close()


@pytest.fixture
def postgresql_installation(
    tmp_path: Path, keys_dir: Path, postgres: PostgresServer, postgresql_template: str
) -> Iterator[Installation]:
    url = copy_database(postgres, postgresql_template)
    installation = Installation(tmp_path, keys_dir, url)
    yield installation
    installation.close()
    drop_database(postgres, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(f"{request.param}_installation")
    return found


@pytest.fixture
def database(installation: Installation) -> Database:
    return installation.database()


@pytest.fixture
def sqlite_database(sqlite_installation: Installation) -> Database:
    return sqlite_installation.database()


@pytest.fixture
def postgresql_database(postgresql_installation: Installation) -> Database:
    return postgresql_installation.database()


@pytest.fixture
def context(installation: Installation) -> Context:
    return installation.context()


@pytest.fixture
def sqlite_context(sqlite_installation: Installation) -> Context:
    return sqlite_installation.context()


@pytest.fixture
def postgresql_context(postgresql_installation: Installation) -> Context:
    return postgresql_installation.context()


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    _redis.flushall()
    return _redis
