"""`jobs`: dead letters, listed, tried again, or given up for good. What changes something is on record."""

from typing import Annotated

import typer
from rich import box
from rich.table import Table

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from config.settings import Settings
from pipeline.db import Database
from pipeline.operations import dead_letters
from pipeline.operations.dead_letters import DeadLetter
from pipeline.operations.opening import open_database, open_keys, operator

jobs = typer.Typer(name="jobs", help="Jobs that were given up: list, retry, discard.", no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Ids as `jobs list` shows them.")]
LaneOption = Annotated[str | None, typer.Option("--lane", help="All dead letters of this lane.")]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@jobs.command("list")
def list_(
    *,
    lane: LaneOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Jobs that were given up, and why."""
    with open_database(read_settings()) as database, database.read() as connection:
        letters = dead_letters.list_dead(connection, lane=lane, limit=limit)
    if as_json:
        print_json([_document(letter) for letter in letters])
        return
    if not letters:
        out.print("No dead letters.")
        return
    table = Table("id", "lane", "submission", "attempts", "died", "reason", "email", box=box.SIMPLE_HEAD)
    for letter in letters:
        table.add_row(
            str(letter.id),
            letter.lane,
            str(letter.submission_id or ""),
            str(letter.attempts),
            letter.died_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            letter.reason,
            letter.email_status or "",
        )
    out.print(table, soft_wrap=False)


@jobs.command()
def retry(
    ids: Ids = None,
    *,
    lane: LaneOption = None,
    every: AllOption = False,
    resend_uncertain: Annotated[
        bool, typer.Option("--resend-uncertain", help="Also emails that may have been sent: somebody may get two.")
    ] = False,
) -> None:
    """Try dead letters again."""
    settings = read_settings()
    with open_database(settings) as database:
        chosen = _chosen(database, ids, lane, every=every)
        keys = open_keys(settings, database)
        done = dead_letters.retry(database, keys, operator(), chosen, resend_uncertain=resend_uncertain)
    _say_missing(ids, (*done.retried, *done.uncertain, *done.settled))
    say(f"{len(done.retried)} queued again; workers look every {settings.poll_seconds:g} s")
    if done.settled:
        say(f"{len(done.settled)} needed nothing any more and were removed: {_listed(done.settled)}")
    if done.uncertain:
        say(
            f"{len(done.uncertain)} left alone, because their emails may have been sent: {_listed(done.uncertain)}. "
            "Ask the mail provider; --resend-uncertain sends them again."
        )
        raise typer.Exit(FINDING)


@jobs.command()
def discard(
    ids: Ids = None,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record. No names and no health facts.")],
    lane: LaneOption = None,
    every: AllOption = False,
) -> None:
    """Give dead letters up for good."""
    if not reason.strip() or not reason.isprintable():
        fail("--reason has to say why, on one line", WRONG_USE)
    settings: Settings = read_settings()
    with open_database(settings) as database:
        chosen = _chosen(database, ids, lane, every=every)
        keys = open_keys(settings, database)
        gone = dead_letters.discard(database, keys, operator(), chosen, reason.strip())
    _say_missing(ids, gone)
    say(f"{len(gone)} discarded")


def _chosen(database: Database, ids: list[int] | None, lane: str | None, *, every: bool) -> list[int]:
    if bool(ids) + (lane is not None) + every != 1:
        fail("name ids, or --lane LANE, or --all", WRONG_USE)
    with database.read() as connection:
        found = [letter.id for letter in dead_letters.list_dead(connection, ids=ids or None, lane=lane)]
    if ids and not found:
        fail(f"no dead letter has the id {_listed(ids)}; see `careroute jobs list`", FINDING)
    return found


def _say_missing(ids: list[int] | None, done: tuple[int, ...]) -> None:
    if missing := sorted(set(ids or ()) - set(done)):
        say(f"not among the dead letters: {_listed(missing)}")


def _listed(ids: tuple[int, ...] | list[int]) -> str:
    return ", ".join(map(str, ids))


def _document(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "lane": letter.lane,
        "submission_id": str(letter.submission_id) if letter.submission_id else None,
        "target_id": str(letter.target_id),
        "attempts": letter.attempts,
        "reason": letter.reason,
        "died_at": letter.died_at.isoformat(),
        "email_status": letter.email_status,
    }
