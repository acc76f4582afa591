"""`audit`: proving what was recorded, and reporting from it. Each command has a module of its own room."""

from typing import ClassVar

import typer

from cli.commands import Commands

_PROVE, _REPORT = "Prove", "Report, on record"

COMMANDS = (
    (_PROVE, "verify", "cli.audit_verify", "Check every record, and that the log of them is what was signed."),
    (_PROVE, "prove", "cli.audit_prove", "Write a proof that a record is in the log, for an outsider."),
    (_PROVE, "export", "cli.audit_export", "Write the log to a folder that tools/verify_audit.py checks offline."),
    (_PROVE, "archive", "cli.audit_archive", "Move records past their retention to a verified file."),
    (
        _PROVE,
        "reopen",
        "cli.audit_reopen",
        "Open a new log after a backup older than the last checkpoint was restored.",
    ),
    (_REPORT, "disclosures", "cli.audit_reports", "To whom a person's facts were disclosed (45 CFR 164.528)."),
    (_REPORT, "access", "cli.audit_reports", "Who looked at a person's facts, or what somebody looked at."),
    (_REPORT, "activity", "cli.audit_reports", "What was done in a period, to be reviewed and signed off."),
    (_REPORT, "breach", "cli.audit_reports", "Whose facts reached whom between two times."),
)


class _AuditCommands(Commands):
    homes: ClassVar = {name: module for _, name, module, _ in COMMANDS}


audit = typer.Typer(
    name="audit", cls=_AuditCommands, help="The audit record: prove it, report from it.", no_args_is_help=True
)


@audit.callback()
def group() -> None:
    """The audit record: prove it, report from it."""


def _only_listed() -> None:
    """Stands for a command until it is loaded."""


for panel, name, _, told in COMMANDS:
    audit.command(name, help=told, rich_help_panel=panel)(_only_listed)
