"""`retention`: how long each class of data is kept, and letting go of what is past that. On record."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.console import JsonOption, err, out, print_json, say
from cli.contexts import open_cli_context
from cli.erased_again import AND_WHEN, tell_files
from cli.failures import FINDING, fail, read_settings
from pipeline.db import database_time
from pipeline.erasure.journal import CannotBeWritten
from pipeline.operations.opening import open_database, operator
from pipeline.retention import Let, let_go
from pipeline.retention_classes import (
    WARN_DAYS,
    RetentionClass,
    Standing,
    count_last_days_in_quarantine,
    read_standings,
)

retention = typer.Typer(
    name="retention", help="How long each class of data is kept, and letting go of it: show, run.", no_args_is_help=True
)

_COMES_OF_IT = {
    RetentionClass.SUBMISSIONS: "answered requests, erased",
    RetentionClass.UNREAD: "rejected, withdrawn, joined, in quarantine: erased",
    RetentionClass.MAIL_EVENTS: "what mail providers reported, deleted",
    RetentionClass.SESSIONS: "one-time codes and sessions, deleted",
    RetentionClass.ADDRESSES: "keyed hashes of where emails about erased requests went, emptied",
    RetentionClass.AUDIT: "audit records: may be archived (`careroute audit archive`)",
}


@retention.command()
def show(*, as_json: JsonOption = False) -> None:
    """Each class: how long it is kept, how much is past that, and how much of it is under a legal hold."""
    settings = read_settings()
    with open_database(settings) as database, database.read() as connection:
        now = database_time(connection)
        standings = read_standings(connection, settings, now)
        last_days = count_last_days_in_quarantine(connection, settings, now)
    if as_json:
        print_json(
            {
                "classes": {each.retention_class.value: _document(each) for each in standings},
                "quarantine_last_days": last_days,
            }
        )
        return
    out.print(_table(standings), soft_wrap=False)
    if last_days:
        out.print(
            f"  {last_days} in quarantine are erased in less than {WARN_DAYS} days, unless somebody sees to them: "
            "`careroute quarantine list`",
            style="yellow",
        )


@retention.command()
def run(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much there is.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Let go without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let go of all that is past its time, now. Workers do so by themselves, a bounded number each hour."""
    settings = read_settings()
    with open_cli_context(settings) as context:
        with context.database.read() as connection:
            standings = read_standings(connection, settings, database_time(connection))
        if dry_run:
            if as_json:
                print_json({each.retention_class.value: _document(each) for each in standings})
            else:
                out.print(_table(standings), soft_wrap=False)
            return
        if not as_json:
            out.print(_table(standings), soft_wrap=False)
        if not yes:
            typer.confirm("Let go of what is past its time, for good?", abort=True, err=True)
        try:
            with _progress(standings) as bars:
                let = let_go(context, operator(), on_progress=bars)
        except CannotBeWritten as error:
            fail(str(error), FINDING)
    _tell(let, as_json=as_json)
    if let.failed or let.left:
        raise typer.Exit(FINDING)


class _Bars:
    """How far each class is; what is due may become more or less meanwhile."""

    def __init__(self, progress: Progress, standings: list[Standing]) -> None:
        self._progress = progress
        self._tasks = {
            each.retention_class: progress.add_task(each.retention_class.value.replace("_", " "), total=each.due)
            for each in standings
            if each.due and each.retention_class is not RetentionClass.AUDIT
        }

    def __call__(self, of: RetentionClass, count: int) -> None:
        if of in self._tasks:
            self._progress.update(self._tasks[of], completed=count)


@contextmanager
def _progress(standings: list[Standing]) -> Iterator[_Bars]:
    columns = (TextColumn("  {task.description:<12} {task.completed:.0f} of {task.total:.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        yield _Bars(progress, standings)


def _tell(let: Let, *, as_json: bool) -> None:
    if as_json:
        print_json({of.value: number for of, number in let.counts.items()})
        _tell_what_is_left(let)
        return
    told = ", ".join(f"{number} {of.value.replace('_', ' ')}" for of, number in let.counts.items())
    say(f"let go: {told}" if told else "nothing was past its time")
    if not let.no_trace:
        say(AND_WHEN)
    _tell_what_is_left(let)


def _tell_what_is_left(let: Let) -> None:
    for submission_id, error in sorted(let.failed.items()):
        say(f"not erased: {submission_id} ({error}); the others are")
    tell_files(let.left)


def _table(standings: list[Standing]) -> Table:
    table = Table("class", "days kept", "past that", "held", "what comes of it", box=box.SIMPLE_HEAD)
    for column in table.columns[1:4]:
        column.justify = "right"
    for each in standings:
        name = each.retention_class.value.replace("_", " ")
        table.add_row(name, str(each.days), str(each.due), str(each.held), _COMES_OF_IT[each.retention_class])
    return table


def _document(each: Standing) -> Mapping[str, Any]:
    return {"days": each.days, "due": each.due, "held": each.held}
