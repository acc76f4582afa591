"""`audit export`: the whole log, for whoever checks it offline."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from config.settings import ROOT
from pipeline.audit.actions import Action, Detail
from pipeline.audit.exporting import RecordDiffers, export_log
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.notes import verifier_key
from pipeline.audit.signing import load_public_keys
from pipeline.audit.tiles import TileMissing
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.unit_of_work import begin

_NOTHING_SIGNED = (
    "nothing of the log is signed yet: while a worker serves the lane sequence that takes a minute at most"
)


def export(
    output: Annotated[Path, typer.Option(help="The folder: empty, or not there yet.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the log to a folder that tools/verify_audit.py checks offline.

    Records, hashes and checkpoints, up to the latest checkpoint. That it was exported is on record before.
    """
    settings = read_settings()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        fail(f"{output} is not an empty folder", WRONG_USE)
    public_keys = load_public_keys(settings.effective_keys_dir)
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.snapshot() as connection:
            log = current_log(connection)
            checkpoint = None if log is None else latest_checkpoint(connection, log.number)
        if log is None or checkpoint is None:
            fail(_NOTHING_SIGNED, FINDING)
        with begin(database, keys, operator()) as unit:
            unit.record(None, Action.LOG_EXPORTED, {Detail.ORIGIN: log.origin, Detail.END_LEAF: checkpoint.size})
        try:
            exported = export_log(database, log, checkpoint, output)
        except (RecordDiffers, TileMissing) as problem:
            fail(f"{problem}. `careroute audit verify` says more; what was written is not an export", FINDING)
        except OSError as error:
            fail(f"{output} cannot be written: {error.strerror}", WRONG_USE)
    vkeys = [verifier_key(log.origin, key) for key in public_keys]
    if as_json:
        print_json(
            {
                "origin": log.origin,
                "size": exported.size,
                "records": exported.records,
                "checkpoints": exported.checkpoints,
                "folder": str(output),
                "keys": vkeys,
            }
        )
        return
    out.print(f"{exported.records} records of {exported.size} leaves, {exported.checkpoints} checkpoints in {output}")
    out.print("Whoever checks it needs the tool and the key, from you, and not from the folder:", markup=False)
    keys_told = " ".join(f"--key {vkey}" for vkey in vkeys)
    out.print(f"  python {ROOT / 'tools' / 'verify_audit.py'} export {output} {keys_told}", markup=False)
