"""`doctor`: is everything here that a process needs. Also the health check of worker and clock containers."""

import typer
from rich.text import Text

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, read_settings
from embedded.source_secrets import FOLDER
from pipeline.operations.checks import Check, Outcome, run_checks
from tasks.wake import broker_answers

_MARKS = {Outcome.GOOD: ("✓", "green"), Outcome.WARNING: ("!", "yellow"), Outcome.FAILED: ("✗", "bold red")}


def doctor(*, as_json: JsonOption = False) -> None:
    """Check settings, files, keys, database, broker and mail. Exit code 1 if a process could not work."""
    settings = read_settings()
    folder = settings.data_dir / FOLDER if settings.embedded_database else None
    checks = []
    for check in run_checks(settings, broker_answers, folder):
        checks.append(check)
        if not as_json:
            _show(check)
    if as_json:
        print_json([{"check": check.name, "outcome": check.outcome, "told": check.told} for check in checks])
    if any(check.outcome is Outcome.FAILED for check in checks):
        raise typer.Exit(FINDING)


def _show(check: Check) -> None:
    mark, style = _MARKS[check.outcome]
    lines = check.told.splitlines() or [""]
    out.print(Text.assemble((f"  {mark} ", style), f"{check.name:<14}", lines[0]))
    for line in lines[1:]:
        out.print(f"    {'':<14}{line}", markup=False)
