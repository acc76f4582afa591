"""`review`: submissions that wait for an expert, listed, shown (an access on record), and decided."""

import datetime as dt
import re
import uuid
from typing import Annotated, Any

import orjson
import typer
from babel.dates import format_timedelta
from rich import box
from rich.table import Table
from rich.text import Text

from cli.console import JsonOption, out, print_json, say
from cli.contexts import open_cli_context
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.operations.opening import open_database, operator
from pipeline.operations.review_case import ReviewCase, ReviewRefused, open_case
from pipeline.operations.reviews import Decision, Waiting, decide, list_in_review, name_condition
from pipeline.operations.timeline import find_submission
from pipeline.scoring.assess import ReviewReason
from pipeline.scoring.explanation import staff_lines
from pipeline.scoring.staff_words import REVIEW_REASONS

review = typer.Typer(
    name="review", help="Submissions that wait for an expert: list, show, decide.", no_args_is_help=True
)

FROM_STDIN = "-"

_REASONS = ", ".join(ReviewReason)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An id, or a reference such as CR-7K4M-2QXD.")]


@review.command("list")
def list_(
    *,
    reason: Annotated[
        ReviewReason | None, typer.Option(metavar="REASON", help=f"Only those that wait for one of: {_REASONS}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """What waits for an expert, why, and for how long. Never an answer."""
    with open_database(read_settings()) as database, database.read() as connection:
        found = list_in_review(connection, reason=reason, limit=limit)
    now = utc_now()
    if as_json:
        print_json([_waiting_document(each, now) for each in found])
        return
    if not found:
        out.print("Nothing waits for review.")
        return
    table = Table("reference", "source", "waiting", "for", "reasons", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for each in found:
        waiting = format_timedelta(now - each.queued_at, granularity="minute", locale="en")
        waits_for = "the person" if each.waits_for_person else "an expert"
        table.add_row(each.reference, each.source, waiting, waits_for, _in_words(each.reasons))
    out.print(table, soft_wrap=False)


@review.command()
def show(submission: IdArgument, *, as_json: JsonOption = False) -> None:
    """The answers in words, and what the software found. That you read it goes on record."""
    with open_cli_context(read_settings()) as context:
        submission_id = _find(context, submission)
        try:
            case = open_case(context, operator(), submission_id)
        except ReviewRefused as refused:
            fail(f"{submission}: {refused}", FINDING)
    if as_json:
        print_json(_case_document(case))
    else:
        out.print(_told(case))


@review.command("decide")
def decide_(
    submission: IdArgument,
    *,
    candidate: Annotated[bool, typer.Option("--candidate", help="Offer it to providers.")] = False,
    no_match: Annotated[bool, typer.Option("--no-match", help="No program fits; the person is told.")] = False,
    programs: Annotated[
        list[str] | None,
        typer.Option(
            "--program",
            metavar="PROVIDER/PROGRAM",
            help="Offer this one, several times for several; those that fit come first. Else all that fit.",
        ),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(metavar="CONDITION", help="Which listed condition the person's own words mean; scored again."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept sealed. `-` reads it from stdin, past the shell's history.")],
    yes: Annotated[bool, typer.Option("--yes", help="Decide without asking.")] = False,
) -> None:
    """Decide as an expert: the submission goes on as if the software had scored it so."""
    if [candidate, no_match, condition is not None].count(True) != 1:
        fail("say one of --candidate, --no-match and --condition", WRONG_USE)
    why = _reason(reason, yes=yes)
    named = _named(programs or [], candidate=candidate)
    with open_cli_context(read_settings()) as context:
        submission_id = _find(context, submission)
        if not yes:
            typer.confirm(f"{submission}: {_told_before(named, condition, candidate=candidate)}?", abort=True, err=True)
        try:
            if condition is not None:
                name_condition(context, operator(), submission_id, condition, why)
                say(f"{submission} is scored again; workers look every {_poll(context)}")
                return
            matches = decide(context, operator(), submission_id, Decision(candidate, why, named))
        except ReviewRefused as refused:
            fail(f"{submission}: {refused}; nothing was changed", FINDING)
    if candidate:
        say(f"{submission} is a candidate; its matches, best first:")
        for match in matches:
            say(f"  {match.provider_id}/{match.program_id}")
    else:
        say(f"{submission} is no match")
    say(f"workers look every {_poll(context)}")


def _told_before(named: tuple[str, ...], condition: str | None, *, candidate: bool) -> str:
    """What is about to be decided."""
    if condition is not None:
        return f"score it again, taking the person's words for {condition}"
    if not candidate:
        return "no match: the person is told. Decide so"
    return f"offer it to {', '.join(named) or 'every program that fits'}, and tell the person"


def _poll(context: Context) -> str:
    return f"{context.settings.poll_seconds:g} s"


def _named(programs: list[str], *, candidate: bool) -> tuple[str, ...]:
    """The programs to offer, or the end of the command: wrong use."""
    if programs and not candidate:
        fail("--program goes with --candidate", WRONG_USE)
    named = tuple(re.sub(r"\s*/\s*", "/", name.strip()) for name in programs)
    for name in named:
        if not re.fullmatch(r"[^\s/]+/[^\s/]+", name):
            fail(f"--program {name}: expected PROVIDER/PROGRAM, as `review show` names it", WRONG_USE)
    return named


def _reason(reason: str, *, yes: bool) -> str:
    """Why, or the end of the command: wrong use."""
    if reason == FROM_STDIN:
        if not yes:
            fail("--reason - needs --yes, since stdin cannot answer as well", WRONG_USE)
        reason = typer.get_text_stream("stdin").read()
    if not reason.strip():
        fail("--reason has to say why", WRONG_USE)
    if any("\ud800" <= letter <= "\udfff" for letter in reason):
        fail("--reason has to be text in UTF-8", WRONG_USE)
    return reason


def _find(context: Context, name: str) -> uuid.UUID:
    with context.database.read() as connection:
        submission_id = find_submission(connection, name)
    if submission_id is None:
        fail(f"there is no submission {name}", FINDING)
    return submission_id


def _told(case: ReviewCase) -> Text:
    """Everything on plain lines: a table would have to leave something out on a narrow terminal."""
    text = Text("\n")
    text.append(f"  {case.reference}", "bold").append(f"  in review since {_local(case.queued_at)}\n")
    text.append(f"  {case.submission_id}, from source {case.source}, received {_local(case.received_at)}\n", "dim")
    for line in case.answers:
        text.append(f"\n  {line.label}\n", "dim").append(f"    {line.value}")
    text.append("\n\n").append("".join(f"  {line}\n" for line in staff_lines(case.found)))
    if case.joined:
        text.append(
            f"\n  later forms of the same person, joined to this one, not shown above: {', '.join(case.joined)}\n"
        )
    sections = {
        "questions that would decide": [f"{words} ({question})" for question, words in case.questions.items()],
        "can be offered": [name for name, why in case.obstacles.items() if why is None],
        "cannot be offered": [f"{name}: {why}" for name, why in case.obstacles.items() if why is not None],
    }
    for title, lines in sections.items():
        text.append(f"\n  {title}\n", "bold").append("".join(f"    {line}\n" for line in lines or ["none"]))
    return text


def _waiting_document(each: Waiting, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": str(each.submission_id),
        "reference": each.reference,
        "source": each.source,
        "reasons": list(each.reasons),
        "waits_for": "person" if each.waits_for_person else "expert",
        "queued_at": each.queued_at.isoformat(),
        "waiting_seconds": round((now - each.queued_at).total_seconds(), 3),
    }


def _case_document(case: ReviewCase) -> dict[str, Any]:
    return {
        "id": str(case.submission_id),
        "reference": case.reference,
        "source": case.source,
        "received_at": case.received_at.isoformat(),
        "queued_at": case.queued_at.isoformat(),
        "reasons": list(case.reasons),
        "answers": [{"label": line.label, "value": line.value} for line in case.answers],
        "questions": dict(case.questions),
        "obstacles": dict(case.obstacles),
        "joined": list(case.joined),
        "found": orjson.loads(orjson.dumps(case.found)),
    }


def _in_words(reasons: tuple[str, ...]) -> str:
    """Reasons in words; one of a newer version as it is written."""
    return "; ".join(REVIEW_REASONS.get(reason, reason) for reason in reasons)


def _local(at: dt.datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
