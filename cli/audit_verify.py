"""`audit verify`: recomputing what was recorded, and holding it against the log and its signatures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from cli.console import JsonOption, command, err, out, print_json, say
from cli.failures import FINDING, read_settings
from pipeline.audit.verify import Finding, Progress, Resume, Verification, verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.operations.opening import open_database, open_keys

_SHOWN = 20


def verify(
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last one was interrupted.")] = False,
    without_keys: Annotated[
        bool,
        typer.Option("--without-keys", help="Without the keysets: hashes and signatures, no authentication codes."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every record, and that the log of them is what was signed.

    Exit code 1 if anything is not as it was written, signed and anchored.
    """
    settings = read_settings()
    with open_database(settings) as database:
        evidence = open_evidence(settings, None if without_keys else open_keys(settings, database))
        try:
            with _progress() as show:
                found = verify_log(database, evidence, Resume(settings.data_dir, resume), show)
        except KeyboardInterrupt:
            say(f"\nInterrupted. Go on with: {command('audit verify --resume', settings)}")
            raise typer.Exit(FINDING) from None
    if as_json:
        print_json(_document(found))
    else:
        _show(found)
    if found.findings_count:
        raise typer.Exit(FINDING)


def _show(found: Verification) -> None:
    for finding in found.findings[:_SHOWN]:
        out.print(f"✗ {_place(finding)}{finding.about}: {finding.problem}", markup=False)
    if found.findings_count > _SHOWN:
        out.print(f"… and {found.findings_count - _SHOWN} more")
    if found.resumed_from is not None:
        since = found.resumed_from
        told = f"leaves before {since.leaf} were verified at {since.verified_at.isoformat(timespec='seconds')}"
        out.print(f"! {told} and not looked at again", markup=False)
    if found.begun_anew is not None:
        out.print(f"! begun anew: {found.begun_anew}", markup=False)
    for told in found.lost:
        out.print(f"! {told}", markup=False)
    verdict = f"{found.findings_count} findings" if found.findings_count else "all as they were written"
    out.print(f"{found.events} records, {verdict}")
    if found.origin is None:
        out.print("no log yet: none of them is signed")
        return
    archived = f", {found.archived} of them archived" if found.archived else ""
    out.print(f"log {found.origin}: {found.size} leaves{archived}, {found.checkpoints} checkpoints", markup=False)
    out.print(
        f"signed at size {found.signed_size}, anchored at size {found.anchored_size}, {found.pending} not in it yet"
    )


def _place(finding: Finding) -> str:
    return "" if finding.leaf is None else f"leaf {finding.leaf}, "


def _document(found: Verification) -> dict[str, Any]:
    return {
        "events": found.events,
        "origin": found.origin,
        "size": found.size,
        "archived": found.archived,
        "pending": found.pending,
        "checkpoints": found.checkpoints,
        "signed_size": found.signed_size,
        "anchored_size": found.anchored_size,
        "lost": list(found.lost),
        "resumed_from": found.resumed_from
        and {"leaf": found.resumed_from.leaf, "verified_at": found.resumed_from.verified_at.isoformat()},
        "begun_anew": found.begun_anew,
        "findings_count": found.findings_count,
        "findings": [{"leaf": each.leaf, "about": each.about, "problem": each.problem} for each in found.findings],
    }


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A bar on stderr where that is a terminal."""
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("leaves of the log"), BarColumn(32), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=err, transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
