"""`doctor`: is everything here that a process needs. Also the health check of worker and clock containers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from config.settings import Settings
from embedded.source_secrets import FOLDER
from pipeline.operations import mail_domain
from pipeline.operations.checks import Check, Outcome, run_checks
from pipeline.operations.connection_checks import look_at_connections
from pipeline.operations.dns_records import WrongServer
from pipeline.operations.log_checks import check_log
from pipeline.operations.privacy_report import check_erasures
from tasks.wake import broker_answers

_MARKS = {
    Outcome.NOTE: ("·", "dim"),
    Outcome.GOOD: ("✓", "green"),
    Outcome.WARNING: ("!", "yellow"),
    Outcome.FAILED: ("✗", "bold red"),
}


def doctor(
    *,
    dns: Annotated[
        bool, typer.Option("--dns", help="Also look up what the DNS says about the sending domain.")
    ] = False,
    dns_server: Annotated[
        str | None, typer.Option(metavar="ADDRESS:PORT", help="Ask this DNS server instead of this machine's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check settings, files, keys, database, broker and mail. Exit code 1 if a process could not work, or with --dns
    if mail would be refused.
    """
    if dns_server is not None and not dns:
        fail("--dns-server goes with --dns", WRONG_USE)
    settings = read_settings()
    folder = settings.data_dir / FOLDER if settings.embedded_database else None
    checks = []
    try:
        for check in _checks(settings, folder, dns_server, dns=dns):
            checks.append(check)
            if not as_json:
                _show(check)
    except WrongServer as mistake:
        fail(str(mistake), WRONG_USE)
    if as_json:
        print_json([{"check": check.name, "outcome": check.outcome, "told": check.told} for check in checks])
    if any(check.outcome is Outcome.FAILED for check in checks):
        raise typer.Exit(FINDING)


def _checks(settings: Settings, folder: Path | None, dns_server: str | None, *, dns: bool) -> Iterator[Check]:
    yield from run_checks(settings, broker_answers, folder)
    yield from check_log(settings)
    yield from look_at_connections(settings)
    yield from check_erasures(settings)
    yield from mail_domain.needs(settings)
    if dns:
        yield from mail_domain.look_up(settings, dns_server)


def _show(check: Check) -> None:
    mark, style = _MARKS[check.outcome]
    lines = check.told.splitlines() or [""]
    out.print(Text.assemble((f"  {mark} ", style), f"{check.name:<14}", lines[0]))
    for line in lines[1:]:
        out.print(f"    {'':<14}{line}", markup=False)
