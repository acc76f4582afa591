"""All commands on one screen."""

import typer

from cli import processes
from cli.audit import audit
from cli.demo import demo
from cli.doctor import doctor
from cli.email import email
from cli.failures import PlainFailures
from cli.jobs import jobs
from cli.keys import keys
from cli.lanes import lanes
from cli.looking import show, status
from cli.providers import providers
from cli.quarantine import quarantine
from cli.review import review
from cli.score import score
from cli.submit import submit
from cli.suppressions import suppressions

app = typer.Typer(
    name="careroute",
    cls=PlainFailures,
    help="Careroute takes screening submissions in and sends explained referrals out, every step on record.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show what people said.
    pretty_exceptions_enable=False,
)

_RUN, _LOOK, _ACT, _SET_UP = "Run", "Look", "Act, on record", "Set up"

app.command(rich_help_panel=_RUN)(demo)
app.command(rich_help_panel=_RUN)(processes.up)
app.command(rich_help_panel=_RUN)(processes.web)
app.command(rich_help_panel=_RUN)(processes.worker)
app.command(rich_help_panel=_RUN)(processes.beat)
app.command(rich_help_panel=_LOOK)(status)
app.command(rich_help_panel=_LOOK)(show)
app.command(rich_help_panel=_LOOK)(score)
app.command(rich_help_panel=_LOOK)(doctor)
app.add_typer(email, rich_help_panel=_LOOK)
app.add_typer(audit, rich_help_panel=_LOOK)
app.command(rich_help_panel=_ACT)(submit)
app.add_typer(jobs, rich_help_panel=_ACT)
app.add_typer(lanes, rich_help_panel=_ACT)
app.add_typer(quarantine, rich_help_panel=_ACT)
app.add_typer(review, rich_help_panel=_ACT)
app.add_typer(suppressions, rich_help_panel=_ACT)
app.command(rich_help_panel=_SET_UP)(processes.migrate)
app.add_typer(keys, rich_help_panel=_SET_UP)
app.add_typer(providers, rich_help_panel=_SET_UP)
