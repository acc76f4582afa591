"""A database that this version has never seen, spoken to with TLS: first by a user who may not make roles, then by
the users that the files of deploy/ make.
"""

import importlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.exc import OperationalError

from config.settings import ROOT, Settings
from pipeline.db import Database
from pipeline.operations.checks import Outcome
from pipeline.operations.connection_checks import look_at_connections
from pipeline.privileges import Role
from pipeline.schema import check_schema, migrate
from tests.servers.postgres import PostgresServer
from tests.support.certificates import Certificates, make_certificates
from tests.support.racing import at_once

HOST = "db.example"
DEPLOY = ROOT / "deploy"
ROLES = importlib.import_module("migrations.versions.0005_roles")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, HOST)


@pytest.fixture
def server(certificates: Certificates) -> Iterator[PostgresServer]:
    with PostgresServer(fsync=False, certificates=certificates) as server:
        yield server


def remote(server: PostgresServer, authority: Path, user: str, password: str | None = None) -> URL:
    """As another machine would be named; nothing but its address is looked up."""
    url = make_url(server.url("careroute")).set(username=user, password=password, host=HOST)
    return url.update_query_dict({"hostaddr": "127.0.0.1", "sslrootcert": str(authority)})


def settings(url: URL) -> Settings:
    return Settings(database_url=url.render_as_string(hide_password=False))


def told(of: Settings) -> dict[str, tuple[Outcome, str]]:
    return {check.name: (check.outcome, check.told) for check in look_at_connections(of)}


def run_migrations(of: Settings) -> None:
    database = Database(of.effective_database_url)
    migrate(database)
    check_schema(database)
    database.dispose()


def users_script(secrets: Path, bin_folder: Path) -> str:
    """What deploy/20-database-users.sh has psql do, which is not installed everywhere."""
    bin_folder.mkdir()
    psql = bin_folder / "psql"
    psql.write_text("#!/bin/sh\ncat\n")
    psql.chmod(0o755)
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "SECRETS": str(secrets), "LC_ALL": "C"}
    names = {"POSTGRES_USER": "careroute", "POSTGRES_DB": "careroute"}
    command = ["bash", str(DEPLOY / "20-database-users.sh")]
    done = subprocess.run(command, env=environment | names, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else done.stderr


def make_roles(server: PostgresServer, number: int) -> None:
    """As migrating a database does, at the end of which others wait for the roles."""
    with psycopg.connect(server.url(f"race_{number}").replace("+psycopg", "")) as connection:
        connection.execute(ROLES._CREATE)
        connection.execute("SELECT pg_sleep(0.1)")


def races_are_safe(server: PostgresServer) -> None:
    """Databases of one cluster that are migrated at once make the roles once; then there are none again."""
    for number in range(3):
        server.create_database(f"race_{number}")
    at_once(3, lambda number: make_roles(server, number))
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as administrator:
        found = administrator.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'careroute\\_%'").fetchall()
        assert {name for (name,) in found} == set(Role)
        administrator.execute(f"DROP ROLE {', '.join(Role)}")


def test_from_one_user_for_everything_to_one_for_each_process(
    server: PostgresServer, certificates: Certificates, tmp_path: Path
) -> None:
    races_are_safe(server)
    administrator = psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True)
    administrator.execute("CREATE ROLE plain LOGIN")
    administrator.execute("CREATE DATABASE careroute OWNER plain")
    administrator.close()
    plain = settings(remote(server, certificates.authority, "plain"))
    run_migrations(plain)
    found = told(plain)
    assert found["database link"] == (Outcome.GOOD, "TLSv1.3, certificate verified")
    assert found["database user"][0] is Outcome.WARNING
    assert "plain is an owner of the tables" in found["database user"][1]
    assert found["database roles"][0] is Outcome.WARNING
    assert all(text in found["database roles"][1] for text in (*Role, "10-database-roles.sql", "`careroute migrate`"))

    secrets, groups = tmp_path / "secrets", [role.removeprefix("careroute_") for role in Role]
    secrets.mkdir()
    urls = {group: remote(server, certificates.authority, f"{group}_1", f"Secret-{group}") for group in groups}
    for group, url in urls.items():
        (secrets / f"{group}_database_url").write_text(url.render_as_string(hide_password=False) + "\n")
    script = users_script(secrets, tmp_path / "bin")
    with psycopg.connect(server.url("careroute").replace("+psycopg", ""), autocommit=True) as administrator:
        for _ in range(2):  # again changes nothing
            administrator.execute((DEPLOY / "10-database-roles.sql").read_text())
            administrator.execute(script)
        passwords = "SELECT count(*) FROM pg_authid WHERE rolname LIKE '%\\_1' AND rolpassword LIKE 'SCRAM-SHA-256$%'"
        assert administrator.execute(passwords).fetchone() == (len(groups),)
    run_migrations(settings(urls["migrator"]))
    for group, url in urls.items():
        found = told(settings(url))
        assert {name for name, (outcome, _) in found.items() if outcome is not Outcome.GOOD} == (
            {"database user"} if group == "migrator" else set()
        ), found
        assert f"{group}_1" in found["database user"][1]

    with psycopg.connect(server.url("careroute").replace("+psycopg", ""), autocommit=True) as administrator:
        administrator.execute("GRANT TRUNCATE ON job TO web_1")
        administrator.execute("GRANT INSERT (refused) ON audit_pending TO web_1")
        administrator.execute("GRANT careroute_worker TO sequencer_1")
    assert told(settings(urls["web"]))["database user"] == (
        Outcome.WARNING,
        "web_1 may do more than careroute_web needs: INSERT (refused) on audit_pending, TRUNCATE on job",
    )
    assert "careroute_sequencer and careroute_worker" in told(settings(urls["sequencer"]))["database user"][1]

    nameless = remote(server, certificates.authority, "plain").set(host="other.example")
    with pytest.raises(OperationalError, match="does not match host name"):
        check_schema(Database(settings(nameless).effective_database_url))


def test_a_password_that_the_script_could_not_pass_on_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "web_database_url").write_text("postgresql+psycopg://web_1:it's%20secret@postgres:5432/careroute")
    said = users_script(secrets, tmp_path / "bin")
    assert said.startswith("web_database_url: not postgresql+psycopg://user:password@")
    assert "secret" not in said
