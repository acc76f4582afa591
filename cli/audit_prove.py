"""`audit prove`: proofs of single records, for whoever has no access to the log."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, complain, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.notes import verifier_key
from pipeline.audit.proving import NotProvable, Proof, records_of
from pipeline.audit.proving import prove as prove_record
from pipeline.audit.signing import load_public_keys
from pipeline.audit.tiles import TileMissing
from pipeline.operations.opening import open_database


def prove(
    name: Annotated[str, typer.Argument(metavar="ID", help="A record's id, or a submission's id or reference.")],
    output: Annotated[Path, typer.Option(help="The folder for the proofs; made if it is not there.")] = Path(),
    *,
    as_json: JsonOption = False,
) -> None:
    """Write a proof that a record is in the log, for an outsider.

    Two files a record: its canonical form, and the proof, which `tools/verify_audit.py proof` checks with the log's
    public key. Of a submission, all its records. Exit code 1 if one is not covered by a checkpoint yet.
    """
    settings = read_settings()
    public_keys = load_public_keys(settings.effective_keys_dir)
    proofs: list[Proof] = []
    problems: list[str] = []
    with open_database(settings) as database, database.snapshot() as connection:
        log = current_log(connection)
        checkpoint = None if log is None else latest_checkpoint(connection, log.number)
        event_ids = records_of(connection, name)
        if not event_ids:
            fail(f"there is no record or submission {name!r}", WRONG_USE)
        for event_id in event_ids:
            try:
                proofs.append(prove_record(connection, log, checkpoint, event_id))
            except (NotProvable, TileMissing) as problem:
                problems.append(str(problem))
    written = [_write(proof, output) for proof in proofs]
    vkeys = [verifier_key(log.origin, key) for key in public_keys] if log else []
    if as_json:
        print_json({"proofs": written, "keys": vkeys, "problems": problems})
    else:
        for each in written:
            out.print(f"{each['proof']}  leaf {each['leaf']}", markup=False)
        if written:
            say("Check them with: python tools/verify_audit.py proof PROOF RECORD " + _options(vkeys))
        for told in problems:
            complain(told)
    if problems:
        raise typer.Exit(FINDING)


def _write(proof: Proof, folder: Path) -> dict[str, str | int]:
    record, text = folder / f"{proof.event_id}.json", folder / f"{proof.event_id}.tlog-proof"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record.write_bytes(proof.record)
        text.write_text(proof.text, encoding="utf-8")
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}", WRONG_USE)
    return {"event": str(proof.event_id), "leaf": proof.leaf, "proof": str(text), "record": str(record)}


def _options(vkeys: list[str]) -> str:
    return " ".join(f"--key {vkey}" for vkey in vkeys)
