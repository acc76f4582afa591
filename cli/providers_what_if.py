"""`providers what-if`: who would gain and lose by a draft of the network, told from stored submissions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from cli.console import JsonOption, err, out, print_json, say
from cli.failures import FINDING, fail, named_file, read_settings
from config.conditions import load_conditions
from config.providers import ProviderDocument, load_providers
from config.screening import Screening, load_screening
from config.settings import Settings
from pipeline.audit.actions import Action, Detail
from pipeline.db import utc_now
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.what_if import FEWEST_COUNTED, Demand, Moved, Outlook, ProviderOutlook, disclose, latest_scored
from pipeline.operations.what_if import what_if as judge_again
from pipeline.providers import draft_network, read_network
from pipeline.scoring.compare import Outcome
from pipeline.unit_of_work import begin
from pipeline.vault import Vault


def what_if(
    file: Annotated[Path, typer.Argument(help="The draft, such as a changed copy of config/providers.yaml.")],
    *,
    last: Annotated[int, typer.Option(min=1, help="How many of the latest scored submissions to judge again.")] = 1000,
    every: Annotated[bool, typer.Option("--all", help="Also list providers for which nothing changes.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Name the submissions; that is on record with each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge stored submissions again by a draft, and tell who would gain, who would lose, and whom nobody would take.

    Nothing is changed and nobody is told. That answers were read, and by which
    draft, is on record. Both networks are judged as if every submission came in
    now, in turn, and as if every provider had room: so it shows where a cap
    would be passed. Without --list there are only counts, as which submissions
    a draft moves can tell what a person answered. So can counts of a few: under
    eleven, it is on record with each all the same.
    """
    settings = read_settings()
    screening = load_screening(settings.screening_file)
    conditions = load_conditions(settings.conditions_file)
    with named_file():
        documents = load_providers(file, screening, conditions).providers
    outlook = _rehearse(settings, screening, documents, last, listed=listed)
    if as_json:
        print_json(_document(outlook, listed=listed))
        return
    _show(outlook, every=every, listed=listed)


def _rehearse(
    settings: Settings, screening: Screening, documents: Sequence[ProviderDocument], last: int, *, listed: bool
) -> Outlook:
    """The outlook; if its submissions are to be listed, or are few, that is on record with each when this returns."""
    now, draft = utc_now(), draft_network(documents)
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.read() as connection:
            wanted = latest_scored(connection, last)
        if not wanted:
            fail("no submission was scored yet, so there is nothing to judge again", FINDING)
        with begin(database, keys, operator()) as unit:
            unit.record(
                None, Action.PROVIDERS_REHEARSED, {Detail.SUBMISSIONS: len(wanted), Detail.NETWORK: draft.digest}
            )
        with database.read() as connection, _progress() as bar:
            in_force = read_network(connection, now)
            task = bar.add_task("submissions", total=len(wanted))
            outlook = judge_again(
                connection,
                Vault(keys),
                wanted,
                in_force.network,
                draft.network,
                recipients=screening.consent("consent_share").recipients_open,
                at=now,
                on_progress=lambda done: bar.update(task, completed=done),
            )
        told = [each.submission_id for each in outlook.moved] if listed else []
        if len(wanted) < FEWEST_COUNTED:
            told = wanted
        if told:
            with begin(database, keys, operator()) as unit:
                disclose(unit, told)
    return outlook


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err
    )


def _show(outlook: Outlook, *, every: bool, listed: bool) -> None:
    say(f"{outlook.compared} submissions judged by the network in force and by the draft")
    if outlook.unreadable:
        say(f"{outlook.unreadable} could not be read: their keys are gone, or what is stored was altered")
    out.print(_outcomes(outlook), soft_wrap=False)
    for title, moved in (
        ("newly unmatched", outlook.newly_unmatched),
        ("newly matched", outlook.newly_matched),
        ("newly for an expert", outlook.newly_in_review),
    ):
        if moved:
            names = f" ({', '.join(_references(moved))})" if listed else ""
            out.print(f"{title}: {len(moved)}{names}", markup=False)
    shown = [each for each in outlook.providers if every or _is_changed(each)]
    if not shown:
        out.print("Nothing would change for any provider.")
        return
    out.print(_providers(shown), soft_wrap=False)


def _outcomes(outlook: Outlook) -> Table:
    table = Table("outcome", "now", "with the draft", box=box.SIMPLE_HEAD)
    for outcome in Outcome:
        now = sum(count for (before, _), count in outlook.outcomes.items() if before is outcome)
        then = sum(count for (_, after), count in outlook.outcomes.items() if after is outcome)
        table.add_row(outcome.value.replace("_", " "), str(now), str(then))
    return table


def _providers(shown: Sequence[ProviderOutlook]) -> Table:
    table = Table(
        Column("provider", no_wrap=True),
        Column("gains", justify="right"),
        Column("loses", justify="right"),
        "fits",
        "would be offered",
        "newly over capacity",
        box=box.SIMPLE_HEAD,
    )
    for each in sorted(shown, key=lambda one: (one.loses - one.gains, one.provider_id)):
        table.add_row(
            each.provider_id,
            f"+{each.gains}" if each.gains else "",
            f"-{each.loses}" if each.loses else "",
            _moved(each.before.fits, each.after.fits),
            _moved(each.before.offers, each.after.offers),
            ", ".join(_counted(each.after.over_capacity[period], period) for period in each.newly_over_capacity),
        )
    return table


def _counted(number: int, period: str) -> str:
    return f"{number} {period}{'' if number == 1 else 's'}"


def _moved(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} → {after}"


def _is_changed(each: ProviderOutlook) -> bool:
    return bool(each.gains or each.loses or each.before != each.after)


def _references(moved: Sequence[Moved]) -> list[str]:
    return [each.reference for each in moved]


def _document(outlook: Outlook, *, listed: bool) -> dict[str, Any]:
    moved = {
        "newly_unmatched": outlook.newly_unmatched,
        "newly_matched": outlook.newly_matched,
        "newly_in_review": outlook.newly_in_review,
    }
    listing = {name: _references(submissions) for name, submissions in moved.items()}
    return {
        "compared": outlook.compared,
        "unreadable": outlook.unreadable,
        "outcomes": [
            {"now": before.value, "then": after.value, "submissions": count}
            for (before, after), count in sorted(outlook.outcomes.items())
        ],
        **{name: len(submissions) for name, submissions in moved.items()},
        **({"submissions": listing} if listed else {}),
        "providers": [
            {
                "provider": each.provider_id,
                "gains": each.gains,
                "loses": each.loses,
                "now": _demand(each.before),
                "then": _demand(each.after),
                "newly_over_capacity": each.newly_over_capacity,
            }
            for each in outlook.providers
        ],
    }


def _demand(demand: Demand) -> dict[str, Any]:
    over = {period: demand.over_capacity[period] for period in ("day", "week", "month")}
    return {"fits": demand.fits, "offers": demand.offers, "periods_over_capacity": over}
