"""`erase`: a submission, or all of a person's, is destroyed for good. On record, in the database and outside it.

Who the person is is read from standard input: on a command line every user of the machine could read it.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.console import JsonOption, out, print_json, say
from cli.contexts import open_cli_context
from cli.erased_again import AND_WHEN, tell_files, tell_replayed, tell_what_is_left
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from cli.person import NONE_FOUND, find_person
from pipeline.context import Context
from pipeline.erasure.erasing import Done, Erased, UnderHold, erase_now
from pipeline.erasure.journal import CannotBeRead, CannotBeWritten, Cause
from pipeline.erasure.replaying import Replayed, replay
from pipeline.operations.opening import operator
from pipeline.operations.timeline import find_submission

_CAUSES = (Cause.REQUEST, Cause.ORDER, Cause.MISTAKE)


def erase(
    submission: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="An id, or a reference such as CR-7K4M-2QXD.")
    ] = None,
    *,
    person: Annotated[
        bool,
        typer.Option(
            "--person",
            help=(
                "All submissions of one person: address, date of birth, first name on three lines of stdin; "
                "a fourth may say y."
            ),
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--replay", help="After a backup was restored: erase again what was erased since.")
    ] = False,
    cause: Annotated[
        Cause, typer.Option(metavar="CAUSE", help=f"Why, for the record: {', '.join(_CAUSES)}.")
    ] = Cause.REQUEST,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy what a person said, for good. Exit code 1 if a legal hold forbids it, or a file could not be deleted.

    Exit code 1 as well if --person finds none. Erasing again what is erased
    deletes files that were left.
    """
    if (submission is not None) + person + again != 1:
        fail("say one of ID, --person and --replay", WRONG_USE)
    if cause not in _CAUSES:
        fail(f"--cause is one of {', '.join(_CAUSES)}", WRONG_USE)
    with open_cli_context(read_settings()) as context:
        try:
            if again:
                _replay(context, as_json=as_json)
            elif person:
                _erase_person(context, cause, yes=yes, as_json=as_json)
            else:
                _erase_one(context, str(submission), cause, yes=yes, as_json=as_json)
        except (CannotBeWritten, CannotBeRead) as error:
            fail(str(error), FINDING)


def _erase_one(context: Context, name: str, cause: Cause, *, yes: bool, as_json: bool) -> None:
    with context.database.read() as connection:
        submission_id = find_submission(connection, name)
    if submission_id is None:
        fail(f"there is no submission {name}", FINDING)
    _confirm(f"{name}: destroy what was said, for good?", yes=yes)
    done = _erase(context, [submission_id], cause)
    if not as_json and not done.erased:
        say(f"{name} was erased before")
    _tell(done, as_json=as_json)


def _erase_person(context: Context, cause: Cause, *, yes: bool, as_json: bool) -> None:
    found = find_person(context)
    if not found.submissions:
        if as_json:
            print_json(_document(Done((), frozenset(), no_trace=True)))
        fail(NONE_FOUND, FINDING)
    say(f"{len(found.submissions)}: {', '.join(f'{each.reference} ({each.status})' for each in found.submissions)}")
    _confirm("Destroy what was said in all of them, for good?", yes=yes)
    _tell(_erase(context, [each.submission_id for each in found.submissions], cause), as_json=as_json)


def _erase(context: Context, ids: Sequence[uuid.UUID], cause: Cause) -> Done:
    try:
        return erase_now(context, operator(), ids, cause)
    except UnderHold as hold:
        named = "; ".join(f"{id_}: {', '.join(matters)}" for id_, matters in sorted(hold.matters.items()))
        fail(f"under legal hold ({named}); nothing was changed", FINDING)


def _replay(context: Context, *, as_json: bool) -> None:
    done = replay(context, operator())
    if as_json:
        print_json(_replay_document(done))
        tell_what_is_left(done)
    else:
        tell_replayed(done)
    if done.held or done.failed or done.wrong or done.left:
        raise typer.Exit(FINDING)


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _tell(done: Done, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(done))
    else:
        for each in done.erased:
            mail = f", with {each.rendered} rendered emails" if each.rendered else ""
            out.print(f"{each.reference} erased (was {each.was}){mail}", markup=False)
        if not done.no_trace:
            say(AND_WHEN)
    tell_files(done.left)
    if done.left:
        raise typer.Exit(FINDING)


def _document(done: Done) -> Mapping[str, Any]:
    return {
        "erased": [_erased(each) for each in done.erased],
        "no_trace": done.no_trace,
        "files_left": list(done.left),
    }


def _replay_document(done: Replayed) -> Mapping[str, Any]:
    return {
        "named": done.named,
        "erased": [_erased(each) for each in done.erased],
        "held": {str(submission_id): list(matters) for submission_id, matters in done.held.items()},
        "failed": {str(submission_id): error for submission_id, error in done.failed.items()},
        "wrong_lines": list(done.wrong),
        "torn_lines": list(done.torn),
        "files_left": list(done.left),
        "no_trace": done.no_trace,
    }


def _erased(each: Erased) -> Mapping[str, Any]:
    return {
        "id": str(each.submission_id),
        "reference": each.reference,
        "was": each.was.value,
        "rendered_emails": each.rendered,
    }
