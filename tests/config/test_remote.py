import ssl
from pathlib import Path

import pytest
from psycopg import pq
from psycopg.conninfo import make_conninfo
from pydantic import ValidationError
from sqlalchemy import make_url

from config.celeryconfig import celery_settings
from config.remote import check_broker_url, is_local, read_broker, secure_database_url
from config.settings import Settings

NOBODY: frozenset[str] = frozenset()
POSTGRESQL = "postgresql+psycopg://"


@pytest.fixture(autouse=True)
def _nothing_from_libpqs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("/var/run/postgresql", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104 - a way to write another host
        ("127.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("10.0.0.5", False),
        ("2001:db8::1", False),
        ("db", False),
    ],
)
def test_only_what_cannot_leave_this_machine_is_local(host: str, *, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/careroute.db",
        f"{POSTGRESQL}user:secret@localhost:5432/careroute",
        f"{POSTGRESQL}user:secret@[::1]:5432/careroute?sslmode=disable",
        f"{POSTGRESQL}user@/careroute?host=/var/run/postgresql",
        f"{POSTGRESQL}user@/careroute",
        f"{POSTGRESQL}user@/careroute?host=127.0.0.1:5432&host=localhost:5433",
        f"{POSTGRESQL}user@db.example.org/careroute?sslmode=require",
        f"{POSTGRESQL}user@db.example.org/careroute?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_a_database_here_or_with_tls_is_taken_as_it_is_written(url: str) -> None:
    assert secure_database_url(url, NOBODY) == url


@pytest.mark.parametrize(
    "url",
    [
        f"{POSTGRESQL}user:secret@db.example.org/careroute",
        f"{POSTGRESQL}user:p%40ss%2F%3F@10.0.0.5:6432/careroute?connect_timeout=3",
        f"{POSTGRESQL}user@[2001:db8::1]/careroute",
        f"{POSTGRESQL}user@/careroute?host=localhost:5432&host=db.example.org:5432",
        f"{POSTGRESQL}user@localhost/careroute?hostaddr=10.0.0.5",
        f"{POSTGRESQL}user@localhost/careroute?host=db.example.org",
        f"{POSTGRESQL}user@db.example.org/careroute?hostaddr=127.0.0.1",
        f"{POSTGRESQL}user@/careroute?service=production",
    ],
)
def test_wherever_else_the_database_is_its_certificate_is_verified(url: str) -> None:
    asked, secured = make_url(url), make_url(secure_database_url(url, NOBODY))
    assert secured.query["sslmode"] == "verify-full"
    assert secured.difference_update_query(["sslmode"]) == asked


def test_libpqs_own_variables_count_where_the_url_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    local = f"{POSTGRESQL}user@/careroute"
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert "verify-full" in secure_database_url(local, NOBODY)
    assert secure_database_url(f"{POSTGRESQL}user@localhost/careroute", NOBODY).endswith("/careroute")
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert "verify-full" in secure_database_url(local, NOBODY)
    monkeypatch.setenv("PGSSLMODE", "require")
    assert secure_database_url(local, NOBODY) == f"{local}?sslmode=require"


SERVICE = """
[production]
host=db.example.org
hostaddr=127.0.0.1
port=1
sslmode=disable
"""


@pytest.mark.parametrize(
    ("url", "variables", "mode"),
    [
        (f"{POSTGRESQL}user@/careroute", {"PGSERVICE": "production"}, "verify-full"),
        (f"{POSTGRESQL}user@/careroute", {"PGSERVICE": "production", "PGSSLMODE": "require"}, "require"),
        (f"{POSTGRESQL}user@/careroute", {"PGSERVICE": "production", "PGSSLMODE": "prefer"}, "verify-full"),
        (f"{POSTGRESQL}user@/careroute?service=production", {"PGSSLMODE": "verify-ca"}, "verify-ca"),
        (f"{POSTGRESQL}user@/careroute?service=production&sslmode=require", {}, "require"),
        (f"{POSTGRESQL}user@localhost/careroute", {"PGSERVICE": "production"}, "verify-full"),
        (f"{POSTGRESQL}user@db.example.org:1/careroute?hostaddr=127.0.0.1", {"PGSSLMODE": "disable"}, "verify-full"),
    ],
)
def test_libpq_itself_finds_the_mode_whatever_its_service_file_and_variables_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, variables: dict[str, str], mode: str
) -> None:
    (tmp_path / "services").write_text(SERVICE)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def found(of: str) -> str:
        """What a connection that is being made would use; nobody listens there."""
        parts = make_url(of)
        _, arguments = parts.get_dialect()().create_connect_args(parts)
        connection = pq.PGconn.connect_start(make_conninfo(**arguments).encode())
        try:
            return {each.keyword: (each.val or b"").decode() for each in connection.info}[b"sslmode"]
        finally:
            connection.finish()

    assert found(secure_database_url(url, NOBODY)) == mode
    if "sslmode" not in url and "PGSERVICE" in variables:
        assert found(url) == "disable", "without it, the service file would have won"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "nonsense"])
def test_a_mode_that_lets_plain_text_pass_is_refused_and_a_declared_host_may_have_it(mode: str) -> None:
    url = f"{POSTGRESQL}user:secret@Postgres:5432/careroute?sslmode={mode}"
    with pytest.raises(ValueError, match=r"postgres is another machine.*CAREROUTE_PLAINTEXT_HOSTS") as refused:
        secure_database_url(url.replace("Postgres", "postgres"), frozenset({"redis"}))
    assert "secret" not in str(refused.value)
    assert secure_database_url(url, frozenset({"postgres"})) == url


@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("redis://localhost:6379/0", True),
        ("redis+socket:///run/redis.sock?virtual_host=0", True),
        ("rediss://localhost/0?ssl_cert_reqs=none", True),
        ("rediss://:secret@cache.example.org:6380/0", True),
        ("rediss://cache.example.org/0?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/etc/ca.pem", True),
        ("amqps://user:secret@mq.example.org//", True),
        ("redis://redis:6379/0", True),  # declared
        ("amqp://localhost;amqp://127.0.0.1:5673", True),
        ("redis://cache.example.org/0", False),
        ("amqp://user:secret@mq.example.org//", False),
        ("sentinel://sentinel.example.org:26379", False),
        ("rediss://cache.example.org/0?ssl_cert_reqs=none", False),
        ("rediss://cache.example.org/0?ssl_cert_reqs=optional", False),
        ("rediss://cache.example.org/0?ssl_check_hostname=False", False),
        ("amqp://localhost;amqp://mq.example.org", False),
        ("amqp://localhost;mq.example.org", False),
        ("amqps://localhost?ssl_cert_reqs=none;amqps://mq.example.org", False),
        ("cache.example.org:6379", False),
    ],
)
def test_a_broker_elsewhere_is_spoken_to_with_tls_and_known_by_its_certificate(url: str, *, passes: bool) -> None:
    if passes:
        check_broker_url(url, frozenset({"redis"}))
    else:
        with pytest.raises(ValueError, match=r"\w") as refused:
            check_broker_url(url, frozenset({"redis"}))
        assert "secret" not in str(refused.value)


def test_celery_is_told_to_check_certificates_which_it_would_not_by_itself() -> None:
    redis = celery_settings(Settings(), "rediss://:pass@cache.example.org:6380/1?ssl_ca_certs=/etc/ca.pem")
    assert redis["broker_url"] == "rediss://:pass@cache.example.org:6380/1"
    assert redis["broker_use_ssl"] == {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_ca_certs": "/etc/ca.pem",
    }
    rabbit = celery_settings(Settings(), "amqps://mq.example.org//?ssl_ca_certs=/etc/ca.pem")
    assert rabbit["broker_use_ssl"] == {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,
        "ca_certs": "/etc/ca.pem",
    }
    assert celery_settings(Settings(), "redis://localhost/0")["broker_use_ssl"] is False
    assert read_broker("redis+socket:///run/r.sock?virtual_host=2").url == "redis+socket:///run/r.sock?virtual_host=2"


def test_settings_hold_to_it_whatever_process_reads_them() -> None:
    remote = f"{POSTGRESQL}user@db.example.org/careroute"
    assert Settings(database_url=remote).effective_database_url == f"{remote}?sslmode=verify-full"
    assert Settings(database_url=remote, plaintext_hosts="redis, DB.example.org").effective_database_url == remote
    for wrong in ({"database_url": f"{remote}?sslmode=prefer"}, {"broker_url": "redis://cache.example.org/0"}):
        with pytest.raises(ValidationError, match="CAREROUTE_PLAINTEXT_HOSTS"):
            Settings.model_validate(wrong)
