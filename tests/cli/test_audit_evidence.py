"""`audit verify`, `audit prove` and `audit export`, and what the tool for auditors makes of the latter two."""

import json
from pathlib import Path

from pipeline.audit.verify.logs import read_logs
from pipeline.audit.verify.resuming import write_reached
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import AuditEvent, Submission
from tests.cli.conftest import Careroute
from tests.pipeline.audit.attacker import Attacker
from tests.support.log import record, sequence
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, table
from tests.tools.test_verify_audit import tool


def test_verify_says_what_is_signed_and_names_what_is_wrong(careroute: Careroute, sqlite_context: Context) -> None:
    before = careroute("audit", "verify")
    assert before.exit_code == 0
    assert "1 records, all as they were written\nno log yet" in before.stdout
    submit(sqlite_context)
    drain(sqlite_context)
    sequence(sqlite_context)
    signed = json.loads(careroute("audit", "verify", "--json").stdout)
    count = len(table(sqlite_context.database, AuditEvent.table()))
    assert (signed["events"], signed["signed_size"], signed["anchored_size"], signed["findings"]) == (count,) * 3 + (
        [],
    )

    attacker = Attacker(sqlite_context)
    victim = attacker.records()[5]
    attacker.edit(victim, actor="staff:nobody")
    attacker.database.dispose()
    after = careroute("audit", "verify", "--without-keys", "--resume")
    assert after.exit_code == 1
    assert f"✗ leaf 5, {victim['id']}: its columns do not match its leaf hash" in after.stdout
    assert "! begun anew: no run was interrupted" in after.stdout


def test_verify_says_what_it_did_not_look_at_again(careroute: Careroute, sqlite_context: Context) -> None:
    record(sqlite_context, *[None] * 300)
    sequence(sqlite_context)
    began_at, folder = utc_now(), sqlite_context.settings.data_dir

    def interrupted() -> None:
        with sqlite_context.database.snapshot() as connection:
            write_reached(folder, connection, read_logs(connection)[-1], 256, began_at, macs=True)

    interrupted()
    told = json.loads(careroute("audit", "verify", "--resume", "--json").stdout)
    assert told["resumed_from"] == {"leaf": 256, "verified_at": began_at.isoformat()}
    interrupted()
    resumed = careroute("audit", "verify", "--resume").stdout
    assert f"leaves before 256 were verified at {began_at.isoformat(timespec='seconds')} and not looked at" in resumed


def test_what_is_proven_and_exported_is_accepted_by_the_auditors_tool(
    careroute: Careroute, sqlite_context: Context, tmp_path: Path
) -> None:
    kept = submit(sqlite_context)
    output = str(tmp_path / "out")
    assert careroute("audit", "prove", kept.reference, "--output", output).exit_code == 1
    assert "nothing of the log is signed yet" in careroute("audit", "export", "--output", output).output
    drain(sqlite_context)
    sequence(sqlite_context)

    proven = json.loads(careroute("audit", "prove", kept.reference, "--output", output, "--json").stdout)
    recorded = actions_about(sqlite_context, kept.submission_id)
    assert [json.loads(Path(each["record"]).read_bytes())["action"] for each in proven["proofs"]] == recorded
    (key,) = proven["keys"]
    for each in proven["proofs"]:
        assert tool.main(["proof", each["proof"], each["record"], "--key", key]) == 0

    assert careroute("audit", "export", "--output", output).exit_code == 2  # it is not empty
    exported = json.loads(careroute("audit", "export", "--output", f"{output}2", "--json").stdout)
    assert exported["records"] == exported["size"] == len(table(sqlite_context.database, AuditEvent.table())) - 1
    assert actions_about(sqlite_context, None)[-1] == "log:exported"
    assert tool.main(["export", exported["folder"], "--key", key]) == 0


def test_a_record_that_nobody_knows_is_wrong_use(careroute: Careroute, sqlite_context: Context) -> None:
    submit(sqlite_context)
    sequence(sqlite_context)
    assert len(table(sqlite_context.database, Submission.table())) == 1
    assert careroute("audit", "prove", "CR-NONE").exit_code == 2
