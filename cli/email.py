"""`email`: checking what emails say, and looking at them."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, CannotRun, fail, named_file, read_settings
from pipeline.claims.findings import Finding

email = typer.Typer(name="email", help="What emails say and look like.", no_args_is_help=True)


@email.callback()
def group() -> None:
    """What emails say and look like."""


@email.command("check")
def check(
    *,
    providers: Annotated[
        Path | None, typer.Option("--providers", help="A provider file or draft, else the one of this installation.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every email and page for claims that must not be made and notices that must. Exit code 1 if any is found.

    All kinds are rendered from samples, in every form and language, and so is
    what a person is shown of every program in the provider file.
    """
    from cli.email_check import everything  # noqa: PLC0415 - loads the web framework

    settings = read_settings()
    with named_file():
        looked = everything(settings, providers or settings.providers_file)
    if as_json:
        print_json([_as_json(finding) for finding in looked.findings])
    else:
        for finding in looked.findings:
            out.print(str(finding), markup=False)
        say(looked.summary)
    if looked.findings:
        raise typer.Exit(FINDING)


@email.command("preview")
def preview(
    *,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to; else email-preview in the data directory.")
    ] = None,
) -> None:
    """Write every email as a folder of pages: each kind, form and sample, in light and dark, on phone and desktop."""
    from pipeline.email.message import Sender  # noqa: PLC0415
    from pipeline.email.preview import write_gallery  # noqa: PLC0415

    settings = read_settings()
    try:
        sender = Sender.from_settings(settings)
    except ValueError as error:
        raise CannotRun(str(error)) from None
    target = (folder or settings.data_dir / "email-preview").resolve()
    try:
        count = write_gallery(target, sender)
    except OSError as error:
        fail(f"--out: {target} cannot be written: {error.strerror}", WRONG_USE)
    say(f"{count} emails; open this in a browser:")
    out.print(str(target / "index.html"), markup=False)


def _as_json(finding: Finding) -> dict[str, str | int]:
    return {
        "kind": finding.kind.value,
        "file": str(finding.file),
        "line": finding.line,
        "column": finding.column,
        "where": finding.where,
        "message": finding.message,
    }
