"""Commands under the database users of production: staff's own, and those for which they have to be somebody else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from config.settings import ROOT
from pipeline.audit.anchors import open_anchors
from pipeline.audit.notes import Checkpoint, sign_checkpoint
from pipeline.audit.signing import load_signer
from pipeline.context import Context
from pipeline.keys import KeyFolder, KeyPurpose
from pipeline.models import AuditEvent
from pipeline.privileges import Role
from tests.cli.conftest import Careroute, _logging  # noqa: F401 - a fixture
from tests.config.shipped import ANSWERS
from tests.pipeline.operations.reviewing import CONTRADICTION, in_review
from tests.pipeline.operations.work import dead_email, unreadable
from tests.support.installations import Installation
from tests.support.keysets import settle
from tests.support.log import record, sequence
from tests.support.roles import database_as
from tests.support.submissions import person, submit
from tests.support.work import actions_about, count, drain

WHO = f"{ANSWERS['email']}\n{ANSWERS['date_of_birth']}\n{ANSWERS['first_name']}\n"
PERIOD = ("--from", "2020-01-01", "--to", "2020-02-01")
ADDRESS = "nobody@example.org\n"

As = Callable[[Role], Careroute]


@pytest.fixture
def keys_dir_of_its_own(postgresql_installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = postgresql_installation.folder / "own-keys"
    shutil.copytree(postgresql_installation.keys_dir, folder)
    monkeypatch.setenv("CAREROUTE_KEYS_DIR", str(folder))
    return folder


@pytest.fixture
def as_user(
    postgresql_installation: Installation,
    keys_dir_of_its_own: Path,
    monkeypatch: pytest.MonkeyPatch,
    _logging: None,  # noqa: F811 - a fixture
) -> As:
    """`as_user(role)(...)` runs the command as a database user of that group, with keys that it may change."""
    monkeypatch.setenv("CAREROUTE_DATA_DIR", str(postgresql_installation.folder))

    def become(role: Role) -> Careroute:
        monkeypatch.setenv("CAREROUTE_DATABASE_URL", database_as(postgresql_installation.database_url, role).url)
        return lambda *arguments, typed=None: CliRunner().invoke(
            app, list(arguments), input=typed, catch_exceptions=False
        )

    return become


def test_staff_can_do_everything_as_the_workers_user(
    as_user: As, postgresql_context: Context, keys_dir_of_its_own: Path, tmp_path: Path
) -> None:
    """Everything but what opens a log anew, archives it or changes the schema."""
    context, careroute = postgresql_context, as_user(Role.WORKER)
    dead, broken, withdrawn = dead_email(context), unreadable(context), submit(context, person(1))
    shared, erased = submit(context, person(2)), submit(context, person(3))
    drain(context)
    retired = KeyFolder(keys_dir_of_its_own).read(KeyPurpose.VAULT).primary.fingerprint
    reviewed = in_review(context, **CONTRADICTION)
    assert sequence(context) is not None
    addresses = tmp_path / "addresses.csv"
    addresses.write_text("email\nsomebody@example.org\n")

    refused = {}
    for arguments, typed in (
        (("status",), None),
        (("show", shared.reference), None),
        (("audit", "prove", dead.reference, "--output", str(tmp_path / "proof")), None),
        (("jobs", "list"), None),
        (("jobs", "retry", "--lane", "email"), None),
        (("lanes", "pause", "email", "--for", "1h", "--reason", "maintenance"), None),
        (("lanes", "list"), None),
        (("lanes", "resume", "email"), None),
        (("quarantine", "list"), None),
        (("quarantine", "remap", broken.reference), None),
        (("review", "list"), None),
        (("review", "show", reviewed.reference), None),
        (("review", "decide", reviewed.reference, "--no-match", "--reason", "None fits.", "--yes"), None),
        (("score", "--submission", shared.reference), None),
        (("providers", "what-if", str(ROOT / "config" / "providers.yaml"), "--last", "5"), None),
        (("providers", "import", str(ROOT / "config" / "providers.yaml"), "--yes"), None),
        (("suppressions", "add", "--reason", "asked by telephone"), ADDRESS),
        (("suppressions", "show"), ADDRESS),
        (("suppressions", "list"), None),
        (("suppressions", "unreachable"), None),
        (("suppressions", "lift", "--reason", "a mistake"), ADDRESS),
        (("suppressions", "import", str(addresses), "--as", "bounced", "--reason", "an export"), None),
        (("consent", "show", withdrawn.reference), None),
        (("consent", "withdraw", withdrawn.reference, "--purpose", "share", "--reason", "phone", "--yes"), None),
        (("holds", "place", shared.reference, "--matter", "case-1"), None),
        (("holds", "list"), None),
        (("holds", "lift", shared.reference, "--matter", "case-1"), None),
        (("audit", "disclosures", shared.reference), None),
        (("audit", "access", "--person"), WHO),
        (("audit", "breach", *PERIOD), None),
        (("audit", "activity", *PERIOD, "--sign-off", "nothing_unusual", "--yes"), None),
        (("audit", "verify"), None),
        (("audit", "export", "--output", str(tmp_path / "export")), None),
        (("erase", erased.reference, "--yes"), None),
        (("erase", "--person", "--yes"), WHO),
        (("erase", "--replay"), None),
        (("retention", "show"), None),
        (("retention", "run", "--yes"), None),
        (("keys", "status"), None),
        (("keys", "rotate", "vault"), None),
        (("keys", "retire", "vault", retired), None),
        (("keys", "rotate", "audit"), None),
        (("keys", "rotate", "log"), None),
        (("jobs", "discard", "--all", "--reason", "of no use"), None),
    ):
        if arguments[:2] == ("keys", "retire"):  # the file was just written
            settle(keys_dir_of_its_own, KeyPurpose.VAULT)
        done = careroute(*arguments, typed=typed)
        if done.exit_code:
            refused[arguments] = done.stderr
    assert refused == {}


def test_only_the_migrators_user_opens_the_next_log(as_user: As, postgresql_context: Context) -> None:
    context = postgresql_context
    record(context, None)
    signed = sequence(context)
    assert signed is not None
    # As if a backup from before it had been restored.
    lost = Checkpoint(signed.origin, signed.size + 5, bytes(32))
    open_anchors(context.settings).directory.put(
        sign_checkpoint(lost, load_signer(context.settings.effective_keys_dir).keys)
    )
    reopening = ("audit", "reopen", "--reason", "backup of last night")
    before = count(context.database, AuditEvent.table())
    for role in (Role.WORKER, Role.AUDITOR, Role.SEQUENCER):
        refused = as_user(role)(*reopening)
        assert (refused.exit_code, refused.stdout) == (1, "")
        (told,) = refused.stderr.splitlines()
        assert "`careroute audit reopen` needs one in careroute_migrator" in told
    assert count(context.database, AuditEvent.table()) == before
    done = as_user(Role.MIGRATOR)(*reopening)
    assert done.exit_code == 0, done.stderr
    assert actions_about(context, None)[-1] == "log:opened"


def test_a_user_who_may_not_is_told_who_may(as_user: As, postgresql_context: Context) -> None:
    submission = submit(postgresql_context)
    for role, arguments, needed in (
        (Role.AUDITOR, ("holds", "place", submission.reference, "--matter", "case-1"), Role.WORKER),
        (Role.SEQUENCER, ("jobs", "list"), Role.WORKER),
    ):
        refused = as_user(role)(*arguments)
        assert (refused.exit_code, refused.stdout) == (1, ""), arguments
        assert f"needs one in {needed} " in refused.stderr, refused.stderr
