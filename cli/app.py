"""All commands on one screen: panel, name, module, and what the list says of it."""

from typing import ClassVar

import typer

from cli.commands import Commands

_RUN, _LOOK, _ACT, _SET_UP = "Run", "Look", "Act, on record", "Set up"

# The first paragraph of each command's own help. Taken from there, every listing would load every framework.
COMMANDS = (
    (
        _RUN,
        "demo",
        "cli.demo",
        "Start everything, post fictional submissions as web forms would, and show what became of them.",
    ),
    (_RUN, "up", "cli.processes", "Start everything on this machine and serve until Ctrl-C."),
    (_RUN, "web", "cli.processes", "Serve the form, the pages and the intake API."),
    (_RUN, "worker", "cli.processes", "Work on lanes until SIGTERM."),
    (_RUN, "beat", "cli.processes", "Send the sweep on time until SIGTERM."),
    (_LOOK, "status", "cli.looking", "Every queue, every source, and what waits for people."),
    (_LOOK, "show", "cli.looking", "A submission's journey as it is on record: when, who, what. Never an answer."),
    (
        _LOOK,
        "score",
        "cli.score",
        "Score answers without any effect: which programs fit by the criteria in force, and why.",
    ),
    (
        _LOOK,
        "doctor",
        "cli.doctor",
        (
            "Check settings, files, keys, database, broker and mail. "
            "Exit code 1 if a process could not work, or with --dns if mail would be refused."
        ),
    ),
    (_LOOK, "email", "cli.email", "What emails say and look like."),
    (_LOOK, "audit", "cli.audit", "The audit record: prove it, report from it."),
    (_ACT, "submit", "cli.submit", "Post a submission as the source network-site, and print its reference and status."),
    (_ACT, "jobs", "cli.jobs", "Jobs that were given up: list, retry, discard."),
    (_ACT, "lanes", "cli.lanes", "Queues of work: list, pause, resume."),
    (_ACT, "consent", "cli.consent", "What a person agreed to: show it, or take it back as they asked, on record."),
    (_ACT, "quarantine", "cli.quarantine", "Submissions that could not be read: list, remap."),
    (_ACT, "review", "cli.review", "Submissions that wait for an expert: list, show, decide."),
    (
        _ACT,
        "suppressions",
        "cli.suppressions",
        "Addresses that are not written to, and whose requests they are. An address is read from standard input.",
    ),
    (
        _ACT,
        "erase",
        "cli.erase",
        (
            "Destroy what a person said, for good. "
            "Exit code 1 if a legal hold forbids it, or a file could not be deleted."
        ),
    ),
    (
        _ACT,
        "holds",
        "cli.holds",
        "Submissions that must not be erased, for a legal matter: list, place, lift.",
    ),
    (
        _ACT,
        "retention",
        "cli.retention",
        "How long each class of data is kept, and letting go of it: show, run.",
    ),
    (
        _SET_UP,
        "migrate",
        "cli.processes",
        "Bring the database to this version's schema, check the keys, and publish the first provider network.",
    ),
    (_SET_UP, "keys", "cli.keys", "The keys: new, rotate, retire, status."),
    (_SET_UP, "providers", "cli.providers", "The provider network: check, what-if, import, schema."),
)


class _AllCommands(Commands):
    homes: ClassVar = {name: module for _, name, module, _ in COMMANDS}


app = typer.Typer(
    name="careroute",
    cls=_AllCommands,
    help="Careroute takes screening submissions in and sends explained referrals out, every step on record.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show what people said.
    pretty_exceptions_enable=False,
)


def _only_listed() -> None:
    """Stands for a command until it is loaded."""


for panel, name, _, told in COMMANDS:
    app.command(name, help=told, rich_help_panel=panel)(_only_listed)
