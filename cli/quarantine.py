"""`quarantine`: submissions that software could not read, listed, and sent through validation again."""

import uuid
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.db import Database
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.quarantine import Quarantined, list_quarantined, remap
from pipeline.operations.timeline import find_submission

quarantine = typer.Typer(
    name="quarantine", help="Submissions that could not be read: list, remap.", no_args_is_help=True
)

SourceOption = Annotated[str | None, typer.Option("--source", help="All of this source.")]


@quarantine.command("list")
def list_(
    *,
    source: SourceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Submissions that are kept and wait for a person, and why."""
    with open_database(read_settings()) as database, database.read() as connection:
        found = list_quarantined(connection, source=source, limit=limit)
    if as_json:
        print_json([_document(each) for each in found])
        return
    if not found:
        out.print("Nothing is in quarantine.")
        return
    table = Table("reference", "source", "since", "reason", box=box.SIMPLE_HEAD)
    for each in found:
        since = each.quarantined_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(each.reference, each.source, since, each.reason)
    out.print(table, soft_wrap=False)


@quarantine.command("remap")
def remap_(
    submissions: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids or references, as `quarantine list` shows them.")
    ] = None,
    *,
    source: SourceOption = None,
    every: Annotated[bool, typer.Option("--all", help="All that is in quarantine.")] = False,
) -> None:
    """Send them through validation again, after `sources.yaml` was corrected and the workers were restarted."""
    if bool(submissions) + (source is not None) + every != 1:
        fail("name ids, or --source SOURCE, or --all", WRONG_USE)
    settings = read_settings()
    with open_database(settings) as database:
        chosen = _chosen(database, submissions, source)
        sent = remap(database, open_keys(settings, database), operator(), chosen)
    say(f"{len(sent)} sent through validation again; workers look every {settings.poll_seconds:g} s")


def _chosen(database: Database, names: list[str] | None, source: str | None) -> list[uuid.UUID]:
    with database.read() as connection:
        if not names:
            return [each.submission_id for each in list_quarantined(connection, source=source)]
        found = {name: find_submission(connection, name) for name in names}
        ids = [submission_id for submission_id in found.values() if submission_id is not None]
        there = {each.submission_id for each in list_quarantined(connection, ids=ids)}
    absent = [name for name, submission_id in found.items() if submission_id not in there]
    if absent:
        fail(f"not in quarantine: {', '.join(absent)}; nothing was changed", FINDING)
    return ids


def _document(each: Quarantined) -> dict[str, str]:
    return {
        "id": str(each.submission_id),
        "reference": each.reference,
        "source": each.source,
        "reason": each.reason,
        "quarantined_at": each.quarantined_at.isoformat(),
    }
