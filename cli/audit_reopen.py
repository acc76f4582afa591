"""`audit reopen`: a new log, when the restored one can no longer be signed."""

from typing import Annotated

import typer

from cli.console import JsonOption, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from pipeline.audit.anchors import open_anchors
from pipeline.audit.checkpoints import SigningRefused
from pipeline.audit.reopening import CannotReopen
from pipeline.audit.reopening import reopen as open_next
from pipeline.audit.signing import load_public_keys
from pipeline.ledger import MAXIMUM_ERROR_LENGTH
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.unit_of_work import begin


def reopen(
    *,
    reason: Annotated[str, typer.Option(help="Which backup was restored and why, for the record. No names.")],
    as_json: JsonOption = False,
) -> None:
    """Open a new log after a backup older than the last checkpoint was restored.

    The old log stays, and every record goes into the new one. Exit code 1 if the log follows what is anchored: then
    nothing is done.
    """
    why = reason.strip()
    if not why or not why.isprintable() or len(why) > MAXIMUM_ERROR_LENGTH:
        fail(f"--reason has to say why, on one line of at most {MAXIMUM_ERROR_LENGTH} characters", WRONG_USE)
    settings = read_settings()
    directory = open_anchors(settings).directory
    try:
        with open_database(settings) as database:
            keys, signed_with = open_keys(settings, database), load_public_keys(settings.effective_keys_dir)
            with begin(database, keys, operator()) as unit:
                done = open_next(unit, directory, signed_with, why)
    except (CannotReopen, SigningRefused) as problem:
        fail(str(problem), FINDING)
    except OSError as error:
        fail(f"{directory.path} cannot be read: {error.strerror}", FINDING)
    if as_json:
        print_json({"origin": done.origin, "previous_origin": done.previous_origin, "problem": done.problem})
        return
    say(f"{done.previous_origin} ends: {done.problem}")
    say(f"{done.origin} is open; the worker of lane sequence puts every record into it")
