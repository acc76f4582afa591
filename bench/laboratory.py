"""The servers of one run, and a fresh database with keys and network for everything that is measured."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from bench.people import write_roomy_network
from config.providers import load_providers
from config.settings import MailTransport, Settings
from pipeline.audit import actions
from pipeline.context import Context, open_context
from pipeline.db import Database
from pipeline.keys import create_keysets
from pipeline.providers import publish
from pipeline.schema import migrate
from pipeline.unit_of_work import begin
from tests.servers.postgres import PostgresServer, find_binaries
from tests.servers.redis import RedisServer

_BASE = "base"


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A PostgreSQL and a Redis of our own. Gone, with everything in them, at the end."""

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    statements: bool
    """Whether the database keeps `pg_stat_statements`; off while time is taken."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def settings(self, database_url: str) -> dict[str, str]:
        """What a process of either side is configured with, by the name of the setting."""
        # Where statements are counted, workers look by themselves so rarely that no poll or sweep is among them.
        rarely = {"poll_seconds": "600", "sweep_seconds": "600"} if self.statements else {}
        return {
            **rarely,
            "database_url": database_url,
            "broker_url": self.redis.celery_url,
            "data_dir": str(self.folder),
            "anchor_dir": str(self.folder / "anchors" / database_url.rpartition("/")[2]),
            "keys_dir": str(self.folder / "keys"),
            "providers_file": str(self.folder / "providers.yaml"),
            "mail_transport": MailTransport.NULL.value,
        }

    @contextmanager
    def fresh(self, name: str) -> Iterator[tuple[Context, dict[str, str]]]:
        """An empty database and an empty broker: the context for this process, the environment for others."""
        self.redis.flushall()
        settings = self.settings(self.postgres.create_database(f"{name}-{next(self._numbers)}", template=_BASE))
        Path(settings["anchor_dir"]).mkdir(parents=True)
        context = open_context(Settings.model_validate(settings))
        try:
            yield context, {f"CAREROUTE_{key.upper()}": value for key, value in settings.items()}
        finally:
            context.database.dispose()

    def servers(self) -> dict[str, str]:
        """The servers' versions and how they keep what they have."""
        with self.fresh("versions") as (context, _), context.database.read() as connection:
            postgresql = connection.exec_driver_sql("SHOW server_version").scalar_one()
        with self.broker() as client:
            server = client.info("server")
        name, key = ("Valkey", "valkey_version") if "valkey_version" in server else ("Redis", "redis_version")
        return {"PostgreSQL": f"{postgresql} (fsync on)", name: f"{server[key]} (AOF every second)"}

    @contextmanager
    def broker(self) -> Iterator[Redis]:
        client = Redis.from_url(self.redis.redis_url)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def open_laboratory(*, statements: bool = False) -> Iterator[Laboratory]:
    """Start the servers, and prepare the database that all others are copies of."""
    settings = {"track_commit_timestamp": "on"}
    if statements:
        settings["shared_preload_libraries"] = "pg_stat_statements"
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="careroute-bench-")))
        postgres = undo.enter_context(PostgresServer(settings=settings))
        laboratory = Laboratory(folder, postgres, undo.enter_context(RedisServer()), statements)
        _prepare(laboratory)
        yield laboratory


def can_count_statements() -> bool:
    """Whether this PostgreSQL has the extension that counts statements."""
    return any((find_binaries().parent / "lib").rglob("pg_stat_statements.so"))


def _prepare(laboratory: Laboratory) -> None:
    values = laboratory.settings(laboratory.postgres.create_database(_BASE))
    settings = Settings.model_validate(values)
    create_keysets(settings.effective_keys_dir)
    write_roomy_network(Settings.model_fields["providers_file"].default, settings.providers_file)
    database = Database(settings.effective_database_url)
    migrate(database)
    if laboratory.statements:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE EXTENSION pg_stat_statements")
    database.dispose()
    context = open_context(settings)
    network = load_providers(settings.providers_file, context.screening, context.conditions)
    with begin(context.database, context.keys, actions.staff("bench")) as unit:
        publish(unit, network.providers)
    context.database.dispose()
