"""`holds`: submissions that must not be erased, for a legal matter. Listed, placed, lifted; on record."""

import uuid
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.db import Database
from pipeline.erasure import holds as legal
from pipeline.erasure.holds import MATTER_LOOKS_LIKE, Hold, HoldRefused, NotAMatter
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.timeline import find_submission

holds = typer.Typer(
    name="holds",
    help="Submissions that must not be erased, for a legal matter: list, place, lift.",
    no_args_is_help=True,
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An id, or a reference such as CR-7K4M-2QXD.")]
MatterOption = Annotated[str, typer.Option("--matter", metavar="NAME", help=f"{MATTER_LOOKS_LIKE}. It is on record.")]


@holds.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """What is held, for which matter, by whom and since when."""
    with open_database(read_settings()) as database, database.read() as connection:
        found = legal.list_holds(connection)
    if as_json:
        print_json([_document(each) for each in found])
        return
    if not found:
        out.print("Nothing is held.")
        return
    table = Table("reference", "stands at", "matter", "since", "placed by", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for each in found:
        since = each.placed_at.astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(each.reference, each.status.replace("_", " "), each.matter, since, each.placed_by)
    out.print(table, soft_wrap=False)


@holds.command("place")
def place_(submission: IdArgument, *, matter: MatterOption) -> None:
    """Hold a submission: neither a request nor retention erases it."""
    settings = read_settings()
    with open_database(settings) as database:
        submission_id = _find(database, submission)
        try:
            new = legal.place(database, open_keys(settings, database), operator(), submission_id, matter)
        except NotAMatter as mistake:
            fail(f"--matter: {mistake}", WRONG_USE)
        except HoldRefused as refused:
            fail(f"{submission}: {refused}", FINDING)
    say(f"{submission} is held for {matter}" if new else f"{submission} was held for {matter} already")


@holds.command("lift")
def lift_(submission: IdArgument, *, matter: MatterOption) -> None:
    """End a hold; others of the same submission stay. Exit code 1 if there is none for this matter."""
    settings = read_settings()
    with open_database(settings) as database:
        submission_id = _find(database, submission)
        try:
            lifted = legal.lift(database, open_keys(settings, database), operator(), submission_id, matter)
        except NotAMatter as mistake:
            fail(f"--matter: {mistake}", WRONG_USE)
        with database.read() as connection:
            left = [each.matter for each in legal.list_holds(connection, submission_id)]
    if not lifted:
        fail(f"{submission} is not held for {matter}", FINDING)
    say(f"{submission} is not held for {matter} any more" + (f"; it is for {', '.join(left)}" if left else ""))


def _find(database: Database, name: str) -> uuid.UUID:
    with database.read() as connection:
        submission_id = find_submission(connection, name)
    if submission_id is None:
        fail(f"there is no submission {name}", FINDING)
    return submission_id


def _document(each: Hold) -> dict[str, str]:
    return {
        "id": str(each.submission_id),
        "reference": each.reference,
        "status": each.status,
        "matter": each.matter,
        "placed_by": each.placed_by,
        "placed_at": each.placed_at.isoformat(),
    }
