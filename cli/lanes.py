"""`lanes`: which lanes there are and which rest; let one rest, or resume it. What changes something is on record."""

import datetime as dt
import re
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from cli.console import JsonOption, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.lane_names import LANE_NAMES
from pipeline.operations import lane_pauses
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.status_report import Pause

lanes = typer.Typer(name="lanes", help="Queues of work: list, pause, resume.", no_args_is_help=True)

_DURATION = re.compile(r"([1-9]\d{0,5})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 366

LaneArgument = Annotated[str, typer.Argument(metavar="LANE", help=f"One of {', '.join(LANE_NAMES)}.")]


@lanes.command("list")
def list_(*, as_json: JsonOption = False) -> None:
    """All lanes, and of those that rest: since when, until when, and why."""
    with open_database(read_settings()) as database, database.read() as connection:
        pauses = lane_pauses.list_pauses(connection)
    lanes_here = (*LANE_NAMES, *sorted(pauses.keys() - set(LANE_NAMES)))
    if as_json:
        print_json([_document(lane, pauses.get(lane)) for lane in lanes_here])
        return
    table = Table("lane", "state", "since", "until", "reason", box=box.SIMPLE_HEAD)
    for lane in lanes_here:
        if (each := pauses.get(lane)) is None:
            table.add_row(lane, "works")
            continue
        until = _local(each.until) if each.until else "it is resumed"
        table.add_row(lane, Text("rests", "yellow"), _local(each.since), until, Text(each.reason))
    out.print(table, soft_wrap=False)


@lanes.command()
def pause(
    lane: LaneArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record. No names and no health facts.")],
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="30m, 2h, 1d; without it: until it is resumed.")
    ] = None,
) -> None:
    """Let a lane rest. Its work is kept; what workers have in hand, they finish."""
    if lane not in LANE_NAMES:
        fail(f"there is no lane {lane}; there are {', '.join(LANE_NAMES)}", WRONG_USE)
    why = _checked(reason)
    seconds = None if for_ is None else _seconds(for_)
    settings = read_settings()
    with open_database(settings) as database:
        done = lane_pauses.pause(database, open_keys(settings, database), operator(), lane, why, seconds)
    if not done:
        fail(f"{lane} rests already, for as long or longer; `careroute lanes list` says why", FINDING)
    end = f"for {for_}" if for_ else f"until `careroute lanes resume {lane}`"
    say(f"{lane} rests {end}; what workers have in hand, they finish")


@lanes.command()
def resume(
    lane: LaneArgument,
    *,
    reason: Annotated[str | None, typer.Option(help="Why, for the record. No names and no health facts.")] = None,
) -> None:
    """Let a lane go on, whoever paused it."""
    why = None if reason is None else _checked(reason)
    settings = read_settings()
    with open_database(settings) as database:
        done = lane_pauses.resume(database, open_keys(settings, database), operator(), lane, why)
    if not done:
        fail(f"{lane} does not rest", FINDING)
    say(f"{lane} goes on; workers look every {settings.poll_seconds:g} s")


def _checked(reason: str) -> str:
    why = reason.strip()
    if not why or not why.isprintable() or len(why) > lane_pauses.LONGEST_REASON:
        fail(f"--reason has to say why, on one line of at most {lane_pauses.LONGEST_REASON} characters", WRONG_USE)
    return why


def _document(lane: str, pause: Pause | None) -> dict[str, str | None]:
    return {
        "lane": lane,
        "state": "rests" if pause else "works",
        "reason": pause.reason if pause else None,
        "since": pause.since.isoformat() if pause else None,
        "until": pause.until.isoformat() if pause and pause.until else None,
    }


def _seconds(duration: str) -> float:
    found = _DURATION.fullmatch(duration.strip().lower())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_DAYS * _SECONDS["d"]:
        fail("--for takes a number of seconds, minutes, hours or days, such as 30m, at most a year", WRONG_USE)
    return float(seconds)


def _local(at: dt.datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
