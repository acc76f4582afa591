"""How the demo looks in a terminal; the run itself is in `embedded.demo`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from cli.console import command, out, say
from cli.failures import FINDING, CannotRun, read_settings
from embedded.demo import Demo, Progress, prepare_demo
from embedded.demo_forms import NoSuchSource
from embedded.demo_judgement import Judgement
from embedded.supervisor import termination_as_interrupt
from pipeline.email.kinds import EmailKind
from pipeline.status import EmailStatus, SubmissionStatus

_PLAIN_EVERY_SECONDS = 1.0
_COLOURS = {
    SubmissionStatus.CANDIDATE: "green",
    SubmissionStatus.NEEDS_REVIEW: "yellow",
    SubmissionStatus.QUARANTINED: "yellow",
    SubmissionStatus.REJECTED: "magenta",
    SubmissionStatus.DUPLICATE: "cyan",
    SubmissionStatus.NO_MATCH: "blue",
}
_MEANING = {
    SubmissionStatus.CANDIDATE: "criteria of providers fit; referrals made",
    SubmissionStatus.NEEDS_REVIEW: "waits for an expert, or for more answers",
    SubmissionStatus.NO_MATCH: "no criteria fit; told, with next steps",
    SubmissionStatus.REJECTED: "asked to correct",
    SubmissionStatus.DUPLICATE: "joined to the earlier request",
    SubmissionStatus.QUARANTINED: "unreadable: kept for a person to map",
}


def demo(
    count: Annotated[int, typer.Option(min=1, max=100_000, help="How many submissions to post.")] = 20,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve until Ctrl-C.")] = True,  # noqa: FBT002
    data_dir: Annotated[
        Path | None, typer.Option(help="An empty folder, or an earlier demo's, which is emptied.")
    ] = None,
) -> None:
    """Start everything, post fictional submissions as web forms would, and show what became of them."""
    out.print("\n[bold]Careroute demo[/bold]  fictional people, real processes\n")
    with termination_as_interrupt():
        try:
            judgement = _run(prepare_demo(read_settings(), data_dir), count, serve=serve)
        except NoSuchSource as error:
            raise CannotRun(str(error)) from None
        except KeyboardInterrupt:
            say("\nStopped before the end; everything that was started is stopped.")
            raise typer.Exit(FINDING) from None
    if judgement.findings:
        raise typer.Exit(FINDING)


def _run(demo: Demo, count: int, *, serve: bool) -> Judgement:
    with demo.stack(lambda line: out.print(f"  [dim]{escape(line)}[/dim]")) as stack:
        out.print()
        with _progress(count) as show:
            judgement = demo.run(stack, count, show)
        _show(judgement)
        _look_next(demo, judgement, serve=serve)
        if serve:
            with suppress(KeyboardInterrupt):
                out.print("\nServing. Ctrl-C stops everything.", style="bold")
                stack.wait()
            out.print("\nStopping …")
    if serve:
        out.print("Everything is stopped.")
    return judgement


@contextmanager
def _progress(count: int) -> Iterator[Callable[[Progress], None]]:
    """Bars where there is a terminal, else a line whenever something changed, one a second at most."""
    if not out.is_terminal:
        yield _plain_lines(count)
        return
    columns = (TextColumn("  {task.description:<22}"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=out) as bars:
        posted = bars.add_task("posted over HTTP", total=None)
        finished = bars.add_task("through the pipeline", total=count)
        emails = bars.add_task("emails handed over", total=None)

        def show(progress: Progress) -> None:
            bars.update(posted, completed=progress.posted, total=progress.wanted)
            bars.update(finished, completed=progress.finished)
            bars.update(emails, completed=progress.emails, total=progress.emails if progress.settled else None)

        yield show


def _plain_lines(count: int) -> Callable[[Progress], None]:
    said: Progress | None = None
    said_at = float("-inf")

    def show(progress: Progress) -> None:
        nonlocal said, said_at
        due = progress.settled or time.monotonic() - said_at >= _PLAIN_EVERY_SECONDS
        if progress != said and due:
            said, said_at = progress, time.monotonic()
            out.print(
                f"  posted {progress.posted}/{progress.wanted}, "
                f"through the pipeline {progress.finished}/{count}, emails handed over {progress.emails}, "
                f"jobs left {progress.open_jobs}"
            )

    return show


def _show(judgement: Judgement) -> None:
    out.print()
    out.print(_statuses(judgement), soft_wrap=False)
    out.print(_emails(judgement), soft_wrap=False)
    time_taken = judgement.confirmation
    if time_taken is not None:
        out.print(
            f"  Confirmation   p50 [bold]{time_taken.p50:.2f} s[/bold], p99 [bold]{time_taken.p99:.2f} s[/bold] "
            f"from intake to handed over ({time_taken.count} measured)"
        )
    out.print(
        f"  Audit record   {judgement.records} written, "
        f"[bold]{judgement.records - judgement.records_wrong}[/bold] verified, {_log(judgement)}"
    )
    out.print(
        f"  Deliveries     {judgement.accepted} accepted, "
        f"{judgement.repeated} of them sent again and answered as before"
    )
    out.print()
    if judgement.findings:
        for finding in judgement.findings:
            out.print(Text.assemble(("  ✗ ", "bold red"), finding))
    else:
        out.print("  [bold green]✓[/bold green] nothing lost, nothing twice, every record verified")


def _log(judgement: Judgement) -> str:
    if judgement.records_signed == 0:
        return "in no signed log yet"
    signed = f"in a log signed at size [bold]{judgement.records_signed}[/bold]"
    return signed if judgement.records_signed >= judgement.records else f"{signed} so far"


def _statuses(judgement: Judgement) -> Table:
    table = Table("submissions", "", "", box=box.SIMPLE, title_justify="left", padding=(0, 1))
    table.columns[1].justify = "right"
    for status in SubmissionStatus:
        if count := judgement.statuses.get(status, 0):
            colour = _COLOURS.get(status, "bold red")
            table.add_row(Text(status.replace("_", " "), colour), str(count), Text(_MEANING.get(status, ""), "dim"))
    table.add_section()
    table.add_row("all", str(sum(judgement.statuses.values())), "")
    return table


def _emails(judgement: Judgement) -> Table:
    seen = {status for _, status in judgement.emails}
    shown = [status for status in EmailStatus if status in seen or status is EmailStatus.HANDED_OVER]
    table = Table("emails", *(status.replace("_", " ") for status in shown), box=box.SIMPLE, padding=(0, 1))
    for column in table.columns[1:]:
        column.justify = "right"
    for kind in EmailKind:
        counts = [judgement.emails.get((kind, status), 0) for status in shown]
        if any(counts):
            table.add_row(kind.replace("-", " "), *map(str, counts))
    table.add_section()
    table.add_row("all", *(str(sum(n for (_, s), n in judgement.emails.items() if s == status)) for status in shown))
    return table


def _look_next(demo: Demo, judgement: Judgement, *, serve: bool) -> None:
    settings = demo.settings
    out.print("\n  [bold]Where to look next[/bold]")
    if serve:
        out.print(f"  form           {settings.effective_public_url}/screening", markup=False)
        out.print(f"  mailbox        {settings.effective_public_url}{demo.mailbox_path}", markup=False, soft_wrap=True)
    out.print(f"  emails         {settings.effective_mailbox_dir}", markup=False)
    out.print(f"  every queue    {command('status', settings)}", markup=False)
    if judgement.example is not None:
        out.print(f"  one journey    {command(f'show {judgement.example}', settings)}", markup=False)
