"""`keys`: making the keysets of a new installation."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import say
from cli.failures import FINDING, fail
from pipeline.keys import KeyPurpose, create_keysets

keys = typer.Typer(name="keys", help="The keysets: new.", no_args_is_help=True)


@keys.callback()
def group() -> None:
    """The keysets: new."""


@keys.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")],
) -> None:
    """Write fresh keysets for a new installation. One that is there already is never overwritten."""
    present = [name for name in (f"{purpose}.json" for purpose in KeyPurpose) if (folder / name).exists()]
    if present:
        fail(f"{folder} has {', '.join(present)} already; nothing was written", FINDING)
    try:
        create_keysets(folder)
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}", FINDING)
    say(f"wrote {', '.join(f'{purpose}.json' for purpose in KeyPurpose)} to {folder.resolve()}, readable by you only")
    say("Keep a copy somewhere else: without them the data cannot be read, and new ones cannot replace them.")
