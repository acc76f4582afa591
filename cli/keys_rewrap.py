"""Data keys wrapped anew before the operator's eyes."""

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.console import complain, err, say
from cli.failures import FINDING
from pipeline.audit.actions import Actor
from pipeline.db import Database
from pipeline.keys import KeyFolder, KeyPurpose, Keys
from pipeline.rewrapping import Rewrapped, left_to_rewrap, rewrap


def rewrap_with_progress(database: Database, keys: Keys, actor: Actor, folder: KeyFolder) -> None:
    """Wrap what is left by the vault's primary key, with a bar on a terminal. Ends with exit code 1 if not all went."""
    with database.read() as connection:
        total = left_to_rewrap(connection, folder.read(KeyPurpose.VAULT).primary)
    columns = (TextColumn("wrapping data keys"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        bar = progress.add_task("", total=total)
        done = rewrap(database, keys, actor, folder, lambda number: progress.update(bar, completed=number))
    _tell(done)


def _tell(done: Rewrapped) -> None:
    say(f"{done.done} data keys were wrapped anew")
    if done.unreadable:
        named = ", ".join(map(str, done.unreadable[:10]))
        complain(f"{len(done.unreadable)} cannot be unwrapped by any key of vault, and were left: {named}")
    if done.left > len(done.unreadable):
        say(f"{done.left - len(done.unreadable)} more came or were in use: `careroute keys rotate vault --rewrap`")
    if done.left:
        raise typer.Exit(FINDING)
