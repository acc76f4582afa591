"""`providers`: publishing the reviewed provider file as new, immutable versions."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import out, say
from cli.failures import read_settings
from config.conditions import load_conditions
from config.providers import load_providers
from config.screening import load_screening
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.provider_changes import Change, provider_changes
from pipeline.providers import publish
from pipeline.unit_of_work import begin

providers = typer.Typer(name="providers", help="The provider network: import.", no_args_is_help=True)

_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "retired": ("-", "red")}


@providers.callback()
def group() -> None:
    """The provider network: import."""


@providers.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The reviewed file, such as config/providers.yaml.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without asking.")] = False,
) -> None:
    """Show what a file changes, and publish it: submissions scored from then on are scored by it."""
    settings = read_settings()
    screening = load_screening(settings.screening_file)
    documents = load_providers(file, screening, load_conditions(settings.conditions_file)).providers
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.read() as connection:
            changes = provider_changes(connection, documents)
        if not changes:
            say("Nothing to publish: the network is as the file says.")
            return
        for change in changes:
            _show(change)
        if not yes:
            typer.confirm(f"Publish {len(changes)} changes?", abort=True, err=True)
        with begin(database, keys, operator()) as unit:
            done = publish(unit, documents)
    say(f"published: {len(done.added)} added, {len(done.changed)} changed, {len(done.retired)} retired")


def _show(change: Change) -> None:
    sign, colour = _SIGNS[change.kind]
    out.print(f"{sign} {change.provider_id}", style=colour, markup=False)
    for line in change.lines:
        out.print(f"    {line}", markup=False)
