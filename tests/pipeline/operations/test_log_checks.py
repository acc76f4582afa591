import datetime as dt
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.settings import Settings
from pipeline.audit.anchors import ENDPOINT, note_problem
from pipeline.audit.signing import PRIVATE_FILE, PUBLIC_FILE, create_signing_key, public_text
from pipeline.db import utc_now
from pipeline.models import AuditLog
from pipeline.operations import log_checks
from pipeline.operations.checks import Outcome
from pipeline.operations.log_checks import check_log
from tests.support.installations import Installation
from tests.support.log import record, sequence

GOOD, NOTE, WARNING, FAILED = Outcome.GOOD, Outcome.NOTE, Outcome.WARNING, Outcome.FAILED


@pytest.fixture
def installation(sqlite_installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """With keys of its own, which a test may spoil; its first records are as old as this run of the suite."""
    monkeypatch.setattr(log_checks, "_LATE_SECONDS", 3600)
    folder = tmp_path / "own keys"
    shutil.copytree(sqlite_installation.keys_dir, folder)
    create_signing_key(folder)
    sqlite_installation.keys_dir = folder
    return sqlite_installation


def found(settings: Settings) -> dict[str, tuple[Outcome, str]]:
    return {check.name: (check.outcome, check.told) for check in check_log(settings)}


def outcomes(settings: Settings) -> dict[str, Outcome]:
    return {name: outcome for name, (outcome, _) in found(settings).items()}


def test_where_it_signs_everything_is_looked_at(installation: Installation, tmp_path: Path) -> None:
    share = tmp_path / "share"
    context = installation.context(anchor_dir=share)
    assert outcomes(context.settings) == {"signing key": GOOD, "anchors": FAILED}, "it is not mounted"
    share.mkdir()
    assert outcomes(context.settings) == {"signing key": GOOD, "anchors": GOOD}
    sequence(context)
    assert outcomes(context.settings) == {"signing key": GOOD, "anchors": GOOD, "checkpoints": GOOD}
    assert outcomes(installation.settings())["anchors"] is NOTE, "on this machine it proves less"
    (folder,) = share.iterdir()
    shutil.rmtree(folder)
    outcome, told = found(context.settings)["checkpoints"]
    assert outcome is FAILED
    assert "the anchor directory lacks the checkpoint" in told


def test_of_a_process_that_does_not_sign_no_key_and_no_folder_is_asked(
    installation: Installation, tmp_path: Path
) -> None:
    (installation.keys_dir / PRIVATE_FILE).unlink()
    elsewhere = f"sqlite:///{installation.folder / 'careroute.db'}"
    place = tmp_path / "file"
    place.write_text("")
    settings = installation.settings(database_url=elsewhere, anchor_dir=place)
    assert outcomes(settings) == {"signing key": NOTE}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (PRIVATE_FILE, "", "must hold Ed25519 private keys"),
        (PUBLIC_FILE, public_text([Ed25519PrivateKey.generate().public_key()]), "lacks a key that signs"),
        (PUBLIC_FILE, None, "is missing"),
    ],
)
def test_a_key_that_cannot_be_used_fails(installation: Installation, name: str, text: str | None, told: str) -> None:
    path = installation.keys_dir / name
    path.unlink()
    if text is not None:
        path.write_text(text)
    outcome, said = found(installation.settings())["signing key"]
    assert outcome is FAILED
    assert told in said


def test_a_folder_that_cannot_be_written_to_fails(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, as whom tests may run, can write everywhere.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert outcomes(installation.settings())["anchors"] is FAILED


def test_what_is_late_refused_or_not_taken_is_told(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    context = installation.context()
    sequence(context)
    record(context, None)
    with context.database.write() as connection:
        note_problem(connection, ENDPOINT, 1, "the endpoint answered 500")
        connection.exec_driver_sql("UPDATE audit_pending SET refused = 'its MAC is not ours'")
    checks = found(context.settings)
    assert checks["audit log"][0] is WARNING
    assert "1 records are not as they were written" in checks["audit log"][1]
    assert checks["anchors"] == (WARNING, "endpoint: the endpoint answered 500")
    record(context, None)
    monkeypatch.setattr(log_checks, "utc_now", lambda: utc_now() + dt.timedelta(hours=2))
    assert "does a worker serve lane sequence" in found(context.settings)["audit log"][1]


def test_what_would_not_be_signed_fails_where_it_is_signed(installation: Installation) -> None:
    context = installation.context()
    sequence(context)
    with context.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_log_only_grows")
        connection.execute(AuditLog.table().update().values(size=0))
    outcome, told = found(context.settings)["checkpoints"]
    assert outcome is FAILED
    assert "not signed: the log has 0 leaves" in told
