"""`consent`: what a person agreed to, line by line, and taking it back as the person asked staff to, on record."""

import uuid
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.contexts import open_cli_context
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.consent.ledger import NEVER_SAID, read_lines, read_standings
from pipeline.consent.purposes import WIDEST, ConsentPurpose
from pipeline.consent.withdrawing import HowAsked, TakenBack, UnknownProvider, take_back_by_staff
from pipeline.context import Context
from pipeline.operations.opening import open_database, operator
from pipeline.operations.timeline import find_submission

consent = typer.Typer(
    name="consent",
    help="What a person agreed to: show it, or take it back as they asked, on record.",
    no_args_is_help=True,
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An id, or a reference such as CR-7K4M-2QXD.")]

_COMES_OF_IT = {
    ConsentPurpose.CONTACT: "no more emails to the person about it; the request goes on",
    ConsentPurpose.SHARE: "everything about it stops, and providers that know of it are told; this cannot be undone",
}


@consent.command()
def show(submission: IdArgument, *, as_json: JsonOption = False) -> None:
    """Every line about a submission, the first one first, and what is live by them. Never an answer, so that looking
    is not on record: as with `careroute show`.
    """
    with open_database(read_settings()) as database, database.read() as connection:
        submission_id = find_submission(connection, submission)
        if submission_id is None:
            fail(f"there is no submission {submission}", FINDING)
        lines = read_lines(connection, submission_id)
        standings = read_standings(connection, [submission_id], ConsentPurpose)
    live = {purpose: standings.get((submission_id, purpose), NEVER_SAID) for purpose in ConsentPurpose}
    if as_json:
        print_json(
            {
                "id": str(submission_id),
                "live": {
                    purpose.value: {
                        WIDEST[purpose]: each.live,
                        **{recipient: each.allows(recipient) for recipient in each.apart},
                    }
                    for purpose, each in live.items()
                },
                "lines": [_document(line) for line in lines],
            }
        )
        return
    if not lines:
        out.print("Nothing was agreed to.")
        return
    table = Table("when", "decision", "purpose", "recipient", "text", "language", "said by", box=box.SIMPLE_HEAD)
    for line in lines:
        at = line.decided_at.astimezone().strftime("%Y-%m-%d %H:%M")
        text = (line.text_version or "-", line.language or "-")
        table.add_row(at, line.decision, line.purpose, line.recipient, *text, line.source)
    out.print(table, soft_wrap=False)
    for purpose, each in live.items():
        excluded = [recipient for recipient, allowed in each.apart.items() if not allowed] if each.live else []
        but = f", but not for {', '.join(excluded)}" if excluded else ""
        out.print(f"{purpose}: {'live' if each.live else 'not live'}{but}")


@consent.command("withdraw")
def withdraw_(
    submission: IdArgument,
    *,
    purpose: Annotated[ConsentPurpose, typer.Option(help="What the person no longer agrees to.")],
    provider: Annotated[
        str | None, typer.Option(metavar="PROVIDER", help="Sharing with this provider only; everything else goes on.")
    ] = None,
    reason: Annotated[HowAsked, typer.Option(help="How the person said so, for the record.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Take a consent back, as the person asked. Sharing with nobody at all stops everything about the request."""
    if provider is not None and purpose is not ConsentPurpose.SHARE:
        fail("--provider goes with --purpose share", WRONG_USE)
    comes_of_it = f"{provider} is told, and not asked again" if provider else _COMES_OF_IT[purpose]
    with open_cli_context(read_settings()) as context:
        submission_id = _find(context, submission)
        if not yes:
            typer.confirm(f"{submission}: {comes_of_it}. Go on?", abort=True, err=True)
        try:
            new = take_back_by_staff(context, operator(), submission_id, TakenBack(purpose, provider), reason)
        except UnknownProvider:
            fail(f"there is no provider {provider}; nothing was changed", FINDING)
    say(f"{submission}: {comes_of_it}" if new else f"{submission}: it was taken back before")


def _find(context: Context, name: str) -> uuid.UUID:
    with context.database.read() as connection:
        submission_id = find_submission(connection, name)
    if submission_id is None:
        fail(f"there is no submission {name}", FINDING)
    return submission_id


def _document(line: Any) -> dict[str, str | None]:
    return {
        "decided_at": line.decided_at.isoformat(),
        "recorded_at": line.recorded_at.isoformat(),
        "decision": line.decision,
        "purpose": line.purpose,
        "recipient": line.recipient,
        "text_version": line.text_version,
        "text_hash": bytes(line.text_hash).hex() if line.text_hash else None,
        "language": line.language,
        "source": line.source,
        "proof": bytes(line.proof).hex() if line.proof else None,
    }
