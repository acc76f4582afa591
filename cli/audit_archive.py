"""`audit archive`: audit records past their retention are moved to a verified file."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from cli.console import JsonOption, err, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from cli.moment import EXPECTED, read_moment, tell_moment
from pipeline.audit.archiving import Archived, ArchiveRefused, Stop, youngest_allowed
from pipeline.audit.archiving import archive as archive_records
from pipeline.audit.exporting import RecordDiffers
from pipeline.db import utc_now
from pipeline.operations.opening import open_database, open_keys, operator


def archive(
    *,
    before: Annotated[
        dt.datetime,
        typer.Option(parser=read_moment, metavar="TIME", help=f"Records older than this: {EXPECTED}."),
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Where the file goes; the same folder each time.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Move records past their retention to a verified file.

    Whole tiles of the log, from the first that is not archived yet up to the
    first record that must stay: younger, not yet anchored, or about a
    submission under a legal hold. Leaf hashes stay, so the log still verifies.
    """
    settings = read_settings()
    allowed = youngest_allowed(utc_now(), settings.retain_audit_years)
    if before > allowed:
        years = settings.retain_audit_years
        fail(f"records are kept for {years} years: nothing after {tell_moment(allowed)} may go", WRONG_USE)
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        columns = (TextColumn("  dropping"), BarColumn(32), MofNCompleteColumn())
        try:
            with Bars(*columns, console=err, disable=not err.is_terminal) as bars:
                task = bars.add_task("dropping", total=None)
                done = archive_records(
                    database,
                    keys,
                    operator(),
                    before,
                    output,
                    lambda count, total: bars.update(task, completed=count, total=total),
                )
        except (ArchiveRefused, RecordDiffers) as refused:
            fail(str(refused), FINDING)
        except OSError as error:
            fail(f"{output} cannot be written: {error.strerror}; nothing was dropped", WRONG_USE)
    if as_json:
        print_json(_document(done))
    else:
        _tell(done)


def _tell(done: Archived) -> None:
    if done.finished:
        say(f"{done.finished} records dropped that an archive cut off before had left")
    if done.file is None:
        why = "no whole tile is older than that" if done.stop is Stop.NO_MORE else done.stop
        say(f"nothing to archive: {why}")
        return
    say(f"{done.dropped} records, leaves {done.first_leaf} to {done.end_leaf - 1}, are in {done.file}")
    say(f"SHA-256 {done.digest}; it ends there since {done.stop}")


def _document(done: Archived) -> dict[str, str | int | None]:
    return {
        "first_leaf": done.first_leaf,
        "end_leaf": done.end_leaf,
        "file": str(done.file) if done.file else None,
        "digest": done.digest or None,
        "dropped": done.dropped,
        "finished": done.finished,
        "ends_since": done.stop.value,
    }
