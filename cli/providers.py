"""`providers`: checking and trying a provider file, and publishing it as new, immutable versions."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cli.console import out, say
from cli.failures import WRONG_USE, fail, named_file, read_settings
from cli.moment import EXPECTED, read_moment, tell_moment
from cli.providers_check import check, schema
from cli.providers_what_if import what_if
from config.conditions import load_conditions
from config.providers import load_providers
from config.screening import load_screening
from pipeline.db import utc_now
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.provider_changes import Change, Preview, preview
from pipeline.providers import PublicationRefused, publish
from pipeline.unit_of_work import begin

providers = typer.Typer(
    name="providers", help="The provider network: check, what-if, import, schema.", no_args_is_help=True
)

_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "retired": ("-", "red")}


@providers.callback()
def group() -> None:
    """The provider network: check, what-if, import, schema."""


providers.command("check")(check)
providers.command("what-if")(what_if)


@providers.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The reviewed file, such as config/providers.yaml.")],
    *,
    effective: Annotated[
        dt.datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help=f"When it takes effect, else at once: {EXPECTED}."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without asking.")] = False,
) -> None:
    """Show what a file changes, and publish it: what is scored from then on is scored by it, and nothing before.

    It is compared with what will be in force at that time. To take back or to
    alter what is scheduled, publish a file for the same time again.
    """
    settings = read_settings()
    if effective is not None and effective < utc_now():
        fail(f"--effective: {tell_moment(effective)} has passed; a change takes effect now or later", WRONG_USE)
    screening = load_screening(settings.screening_file)
    conditions = load_conditions(settings.conditions_file)
    with named_file():
        documents = load_providers(file, screening, conditions).providers
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.read() as connection:
            found = preview(connection, documents, effective)
        when = f"on {tell_moment(effective)}" if effective else "at once"
        if not found.changes:
            told = f"will be as the file says {when}" if effective else "is as the file says"
            say(f"Nothing to publish: the network {told}.")
            return
        _show(found)
        say(f"takes effect {when}")
        if not yes:
            typer.confirm(f"Publish {_counted(len(found.changes))}?", abort=True, err=True)
        try:
            with begin(database, keys, operator()) as unit:
                done = publish(unit, documents, effective, found.compared_with)
        except PublicationRefused as refused:
            fail(f"nothing was published: {refused}")
    told = f"{len(done.added)} added, {len(done.changed)} changed, {len(done.retired)} retired"
    say(f"published: {told}, in effect from {tell_moment(done.effective_at or utc_now())}")


def _show(found: Preview) -> None:
    for change in found.changes:
        _show_change(change)
    for later in found.replaced_later:
        say(
            f"warning: another version of {later.provider_id} is scheduled for {tell_moment(later.effective_at)} "
            "and will then replace this one"
        )


def _show_change(change: Change) -> None:
    sign, colour = _SIGNS[change.kind]
    out.print(f"{sign} {change.provider_id}", style=colour, markup=False)
    for line in change.lines:
        out.print(f"    {line}", markup=False)


def _counted(number: int) -> str:
    return f"{number} change{'' if number == 1 else 's'}"


providers.command("schema")(schema)
