"""`keys`: making the keys of a new installation, changing them while it runs, and what keys there are."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from cli.keys_rewrap import rewrap_with_progress
from config.settings import Settings
from pipeline.audit.signing import PRIVATE_FILE, PUBLIC_FILE
from pipeline.db import Database
from pipeline.keys import KeyFolder, KeyPurpose, create_keysets
from pipeline.operations.key_rotation import NotRotated, Rotation
from pipeline.operations.key_status import KeyLine, KeysetLine, read_status
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.signing_keys import SigningRotation

keys = typer.Typer(name="keys", help="The keys: new, rotate, retire, status.", no_args_is_help=True)

_FILES = (*(f"{purpose}.json" for purpose in KeyPurpose), PRIVATE_FILE, PUBLIC_FILE)

_VERIFIERS = f"Where {PUBLIC_FILE} is mounted by itself (docker-compose.yml), restart whatever else has it."


class Named(StrEnum):
    """The keysets, and the keys that sign the audit log's checkpoints."""

    VAULT = "vault"
    INDEX = "index"
    AUDIT = "audit"
    LOG = "log"


KeysetArgument = Annotated[
    Named, typer.Argument(metavar="KEYSET", help=f"One of {', '.join(Named)}; log signs checkpoints.")
]


@keys.callback()
def group() -> None:
    """The keys: new, rotate, retire, status."""


@keys.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")],
) -> None:
    """Write fresh keys for a new installation. One that is there already is never overwritten."""
    present = [name for name in _FILES if (folder / name).exists()]
    if present:
        fail(f"{folder} has {', '.join(present)} already; nothing was written", FINDING)
    try:
        create_keysets(folder)
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}", FINDING)
    say(f"wrote {', '.join(_FILES)} to {folder.resolve()}, readable by you only")
    say("Keep a copy somewhere else: without them the data cannot be read, and new ones cannot replace them.")
    say(f"Only the process that sequences the audit log needs {PRIVATE_FILE}: no other should be able to read it.")


@keys.command()
def rotate(
    keyset: KeysetArgument,
    *,
    stage: Annotated[
        bool, typer.Option("--stage", help="Only add a key, so that every machine can be given the file first.")
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Write with the key that was staged, from now on.")
    ] = False,
    rewrap: Annotated[bool, typer.Option("--rewrap", help="Only go on wrapping data keys by vault's key.")] = False,
) -> None:
    """Write with a fresh key from now on, while everything runs. The old ones stay, for reading, until retired.

    With several machines, or files that are mounted one by one (container
    secrets): --stage, give every process the file, by a restart where it is
    mounted by itself, then --promote. Once vault's key is promoted, every data
    key is wrapped by it; --rewrap goes on where that was stopped. Every step is
    on record.
    """
    if stage + promote + rewrap > 1:
        fail("one of --stage, --promote and --rewrap at a time", WRONG_USE)
    if keyset is Named.LOG and (stage or promote):
        fail("log needs no staging: its old and new keys sign side by side", WRONG_USE)
    if keyset is not Named.VAULT and rewrap:
        fail("only vault wraps data keys", WRONG_USE)
    settings = read_settings()
    with open_database(settings) as database:
        try:
            if keyset is Named.LOG:
                _rotate_log(settings, database)
            else:
                _rotate_keyset(settings, database, KeyPurpose(keyset), add=not promote, promote=not stage, only=rewrap)
        except NotRotated as reason:
            fail(str(reason), FINDING)


@keys.command()
def retire(
    keyset: KeysetArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id or fingerprint, as `keys status` shows them.")],
) -> None:
    """Take an old key out of its file for good. Refused while something is still read by it. On record.

    Every process must have been given the file in which the new key is
    promoted: one that still wrote with this key would write what nobody can
    read. Nor can a backup of the database from before its data keys were
    wrapped anew be read any more, without a copy of the key.
    """
    settings = read_settings()
    with open_database(settings) as database:
        opened, folder = open_keys(settings, database), KeyFolder(settings.effective_keys_dir)
        try:
            if keyset is Named.LOG:
                name = SigningRotation(database, opened, operator(), folder).retire(key)
                say(f"retired {name}: {PUBLIC_FILE} keeps its public half, and what it signed can be checked still")
                say("Restart the worker that serves lane sequence: until then it goes on signing with it.")
                say(_VERIFIERS)
            else:
                retired = Rotation(database, opened, operator(), folder).retire(KeyPurpose(keyset), key)
                say(f"retired {retired.fingerprint} of {keyset}: it is gone from {folder.file(KeyPurpose(keyset))}")
        except NotRotated as reason:
            fail(str(reason), FINDING)


@keys.command()
def status(*, as_json: JsonOption = False) -> None:
    """Which keys there are, which is written with, what each still holds. Exit code 1 if everybody can read a file."""
    settings = read_settings()
    with open_database(settings) as database, database.read() as connection:
        lines = read_status(KeyFolder(settings.effective_keys_dir), connection)
    if as_json:
        print_json([_document(line) for line in lines])
    else:
        out.print(_table(lines), soft_wrap=False)
        for key in (key for line in lines for key in line.keys if key.verifier):
            out.print(f"checks checkpoints: {key.verifier}", markup=False)
    for line in lines:
        if line.problem:
            say(line.problem)
        if line.readable_by:
            say(f"{line.file} can be read by {line.readable_by}: chmod 600")
    if any(line.readable_by == "everybody" for line in lines):
        raise typer.Exit(FINDING)


def _rotate_keyset(
    settings: Settings, database: Database, purpose: KeyPurpose, *, add: bool, promote: bool, only: bool
) -> None:
    opened, folder = open_keys(settings, database), KeyFolder(settings.effective_keys_dir)
    rotation = Rotation(database, opened, operator(), folder)
    if add and not only:
        added = rotation.add(purpose)
        say(f"added {added.fingerprint} to {folder.file(purpose)}")
        if not promote:
            say(f"Give every process the file, then `careroute keys rotate {purpose} --promote`.")
    if promote and not only:
        promoted = rotation.promote(purpose)
        say(f"{promoted.fingerprint} is what {purpose} writes with from now on; running processes follow in seconds")
    if purpose is KeyPurpose.VAULT and promote:
        rewrap_with_progress(database, opened, operator(), folder)


def _rotate_log(settings: Settings, database: Database) -> None:
    folder = KeyFolder(settings.effective_keys_dir)
    name = SigningRotation(database, open_keys(settings, database), operator(), folder).add()
    say(f"added {name} to {PRIVATE_FILE} and {PUBLIC_FILE}, beside the keys that were there")
    say("Restart the worker that serves lane sequence, and give auditors the new line of `careroute keys status`.")
    say(_VERIFIERS)


def _table(lines: list[KeysetLine]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)  # 80 columns wide
    for name in ("keyset", "key", "id", "", "data keys", "file written", "mode"):
        table.add_column(name, no_wrap=True)
    for line in lines:
        written = line.changed_at.astimezone().strftime("%Y-%m-%d %H:%M") if line.changed_at else "-"
        mode = f"{line.mode:04o}" if line.mode is not None else "-"
        for number, key in enumerate(line.keys or (None,)):
            whose = (line.name, written, mode) if number == 0 else ("", "", "")
            table.add_row(whose[0], *_cells(key), *whose[1:])
    return table


def _cells(key: KeyLine | None) -> tuple[str, str, str, str]:
    if key is None:
        return "-", "-", "-", "-"
    rows = "" if key.rows is None else str(key.rows)
    return key.fingerprint, "" if key.key_id is None else str(key.key_id), key.state, rows


def _document(line: KeysetLine) -> dict[str, Any]:
    return {
        "keyset": line.name,
        "file": str(line.file),
        "file_written_at": line.changed_at.isoformat() if line.changed_at else None,
        "mode": f"{line.mode:04o}" if line.mode is not None else None,
        "problem": line.problem,
        "keys": [
            {
                "fingerprint": key.fingerprint,
                "id": key.key_id,
                "state": key.state,
                "data_keys": key.rows,
                "verifier_key": key.verifier,
            }
            for key in line.keys
        ],
    }
