"""`audit`: recomputing what was recorded."""

import typer

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, read_settings
from pipeline.audit.verify import verify_events
from pipeline.operations.opening import open_database, open_keys

audit = typer.Typer(name="audit", help="The audit record: verify.", no_args_is_help=True)


@audit.callback()
def group() -> None:
    """The audit record: verify."""


@audit.command()
def verify(*, as_json: JsonOption = False) -> None:
    """Check hash, authentication code and number of every record. Exit code 1 if one is not as it was written."""
    settings = read_settings()
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.snapshot() as connection:
            found = verify_events(connection, keys)
    if as_json:
        findings = [{"event": finding.event_id, "problem": finding.problem} for finding in found.findings]
        print_json({"events": found.events, "findings": findings})
    else:
        for finding in found.findings:
            out.print(f"✗ {finding.event_id}: {finding.problem}", markup=False)
        verdict = f"{len(found.findings)} findings" if found.findings else "all as they were written"
        out.print(f"{found.events} records, {verdict}")
    if found.findings:
        raise typer.Exit(FINDING)
