"""`suppressions`: addresses that are not written to, listed, looked up, added, lifted, imported. On record.

An address is read from standard input: on a command line every user of the machine could read it.
"""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Any, Never

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.db import utc_now
from pipeline.email.kinds import MailClass
from pipeline.operations import suppressions as staff
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.suppressions import WITHOUT_THE_OWNER, Entry, NotAnAddress, NotSuchAFile
from pipeline.operations.unreachable import DAYS, list_unreachable
from pipeline.suppression import COVERS, SAID_BY_THE_OWNER, Reason

suppressions = typer.Typer(
    name="suppressions",
    help="Addresses that are not written to, and whose requests they are. An address is read from standard input.",
    no_args_is_help=True,
)

_REASONS = ", ".join(Reason)
_CLASSES = ", ".join(MailClass)

WhyOption = Annotated[str, typer.Option("--reason", help="Why, for the record. No names, no addresses.")]


@suppressions.command("list")
def list_(
    *,
    reason: Annotated[
        Reason | None, typer.Option("--as", metavar="REASON", help=f"Only those that are on it as: {_REASONS}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """What is on the list, why, since when, and which request led to it. The addresses themselves are not kept."""
    with open_database(read_settings()) as database, database.read() as connection:
        found = staff.list_suppressions(connection, reason=reason, limit=limit)
    if as_json:
        print_json([_document(each) for each in found])
    elif found:
        out.print(_table(found), soft_wrap=False)
    else:
        out.print("Nobody is on the list.")


@suppressions.command()
def unreachable(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Requests of the last 30 days whose person cannot be written to at all: somebody has to see to them."""
    with open_database(read_settings()) as database, database.read() as connection:
        found = list_unreachable(connection, utc_now(), limit=limit)
    if as_json:
        print_json(
            [
                {
                    "reference": each.reference,
                    "status": each.status,
                    "received_at": each.received_at.isoformat(),
                    "reason": each.reason,
                    "since": each.since.isoformat(),
                }
                for each in found
            ]
        )
        return
    if not found:
        out.print(f"Everybody whose request came in the last {DAYS} days can be written to.")
        return
    table = Table("request", "stands at", "received", "not written to as", "since", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for each in found:
        status = each.status.replace("_", " ")
        table.add_row(each.reference, status, _local(each.received_at), each.reason, _local(each.since))
    out.print(table, soft_wrap=False)


@suppressions.command()
def show(*, as_json: JsonOption = False) -> None:
    """Whether an address is on the list, and why. That you asked goes on record."""
    settings, address = read_settings(), _read_address()
    with open_database(settings) as database:
        try:
            found = staff.look_up(database, open_keys(settings, database), operator(), address)
        except NotAnAddress:
            _not_an_address()
    if as_json:
        print_json([_document(each) for each in found])
    elif found:
        out.print(_table(found), soft_wrap=False)
    else:
        out.print("Not on the list.")


@suppressions.command()
def add(
    *,
    why: WhyOption,
    reason: Annotated[
        Reason, typer.Option("--as", metavar="REASON", help=f"What it is on the list as: {_REASONS}.")
    ] = Reason.STAFF,
) -> None:
    """Put an address on the list."""
    why = _checked(why)
    settings, address = read_settings(), _read_address()
    with open_database(settings) as database:
        try:
            new = staff.add(database, open_keys(settings, database), operator(), address, reason, why)
        except NotAnAddress:
            _not_an_address()
    covered = ", ".join(sorted(COVERS[reason]))
    say(f"on the list as {reason}: no {covered} mail is sent there" if new else f"it was on the list as {reason}")


@suppressions.command("lift")
def lift_(
    *,
    why: WhyOption,
    reason: Annotated[
        Reason | None,
        typer.Option(
            "--as",
            metavar="REASON",
            help=f"Only as this: {_REASONS}. Without it, all but what the owner of the address said.",
        ),
    ] = None,
    mail_class: Annotated[
        MailClass | None, typer.Option("--class", metavar="CLASS", help=f"Only for this class of mail: {_CLASSES}.")
    ] = None,
) -> None:
    """Take an address off the list. Exit code 1 if it is still on it."""
    why = _checked(why)
    settings, address = read_settings(), _read_address()
    with open_database(settings) as database:
        try:
            lifted, left = staff.take_off(
                database,
                open_keys(settings, database),
                operator(),
                address,
                why,
                reasons=[reason] if reason else WITHOUT_THE_OWNER,
                classes=[mail_class] if mail_class else tuple(MailClass),
            )
        except NotAnAddress:
            _not_an_address()
    for each in sorted({was for _, was in lifted}):
        classes = ", ".join(sorted(of for of, was in lifted if was is each))
        say(f"lifted: {each}, for {classes} mail")
    if lifted:
        say("A mail provider may keep a list of its own: take the address off there as well.")
    for entry in left:
        say(f"still on the list as {entry.reason}, for {', '.join(entry.classes)} mail{_how_to_lift(entry, reason)}")
    if left:
        raise typer.Exit(FINDING)
    if not lifted:
        say("it was not on the list")


@suppressions.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a column named email.")],
    *,
    reason: Annotated[
        Reason, typer.Option("--as", metavar="REASON", help=f"What they are on the list as: {_REASONS}.")
    ],
    why: WhyOption,
) -> None:
    """Put the addresses of a file on the list, such as one that a mail provider exported."""
    why = _checked(why)
    settings = read_settings()
    try:
        with (
            open_database(settings) as database,
            file.open(encoding="utf-8-sig", newline="") as lines,
        ):
            keys = open_keys(settings, database)
            done = staff.import_file(database, keys, operator(), lines, reason, why)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG_USE)
    except NotSuchAFile as mistake:
        fail(f"{file} {mistake}", WRONG_USE)
    say(f"{done.added} added, {done.known} were on the list as {reason}")
    if done.bad_lines:
        say(f"no address in line {', '.join(map(str, done.bad_lines))}")
        raise typer.Exit(FINDING)


def _how_to_lift(entry: Entry, asked: Reason | None) -> str:
    if entry.reason in SAID_BY_THE_OWNER and asked is not entry.reason:
        return f": its owner said so; if they take it back, --as {entry.reason} lifts it"
    return ""


def _read_address() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Address", err=True))
    return sys.stdin.readline()


def _not_an_address() -> Never:
    fail("standard input has to be one email address", WRONG_USE)


def _checked(why: str) -> str:
    if not why.strip() or not why.isprintable():
        fail("--reason has to say why, on one line", WRONG_USE)
    if "@" in why:
        fail("--reason goes on record as it is: leave the address out", WRONG_USE)
    return why.strip()


def _table(entries: list[Entry]) -> Table:
    table = Table("as", "no mail of class", "since", "after", box=box.SIMPLE_HEAD)
    table.columns[3].no_wrap = True
    for each in entries:
        covered = "all mail" if len(each.classes) == len(MailClass) else ", ".join(each.classes)
        table.add_row(each.reason, covered, _local(each.since), _after(each))
    return table


def _local(at: dt.datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def _after(entry: Entry) -> str:
    if entry.kind is None:
        return "-"
    return f"{entry.reference or '-'}, {entry.kind}, {entry.recipient}"


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "reason": entry.reason,
        "classes": list(entry.classes),
        "since": entry.since.isoformat(),
        "reference": entry.reference,
        "email_kind": entry.kind,
        "recipient": entry.recipient,
    }
