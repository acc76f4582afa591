"""From an error to what the terminal shows: what is wrong and what to do, without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from cli.console import complain
from config.settings import PREFIX, Settings
from config.yaml_file import CannotBeRead, ConfigurationMistake
from embedded.failures import BrokerFailed, StackFailed, SupervisorFailed
from pipeline.db import is_transient
from pipeline.erasure.journal import ErasuresInDoubt
from pipeline.keys import KeyProblem
from pipeline.schema import SchemaProblem
from pipeline.vault import SealBroken

FINDING = 1
WRONG_USE = 2


class CannotRun(Exception):
    """The command cannot do its work; the message says why and what to do."""


_EXPECTED = (
    BrokerFailed,
    CannotRun,
    ConfigurationMistake,
    ErasuresInDoubt,
    KeyProblem,
    SchemaProblem,
    SealBroken,
    StackFailed,
    SupervisorFailed,
)


_MIGRATOR, _WORKER = "careroute_migrator", "careroute_worker"
_GROUPS = {
    "audit archive": _MIGRATOR,
    "audit reopen": _MIGRATOR,
    "migrate": _MIGRATOR,
    "web": "careroute_web",
    "worker": f"{_WORKER}, or for lane sequence in careroute_sequencer",
}
"""The groups whose users may do what commands do (`pipeline.privileges`), where it is not the worker's."""
_NOT_ALLOWED = "42501"
"""PostgreSQL's insufficient_privilege."""


def explain(error: Exception, command: str) -> str | None:
    """What is wrong and what to do, of an error that is expected to happen; `None` for any other.

    `command` is what was asked for, such as `migrate` or `audit reopen`.
    """
    if isinstance(error, _EXPECTED):
        return str(error)
    if isinstance(error, DBAPIError) and is_transient(error):
        # Drivers quote statements and values; the type is enough here, and the server's own log has the rest.
        return f"the database does not answer ({_reason(error)}): check CAREROUTE_DATABASE_URL, and that it is up"
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
        return (
            f"the database refuses this to its user ({_denied(error)}): `careroute {command}` needs one in "
            f'{_GROUPS.get(command, _WORKER)} (docs/operations.md, "Database roles")'
        )
    return None


def fail(message: str, code: int = FINDING) -> Never:
    """Say what is wrong on stderr and end."""
    complain(message)
    raise typer.Exit(code)


@contextmanager
def named_file() -> Iterator[None]:
    """Around the reading of a file that the command names: that it cannot be read is wrong use."""
    try:
        yield
    except CannotBeRead as error:
        fail(str(error), WRONG_USE)


def read_settings() -> Settings:
    """The settings of this process. Raises `CannotRun` naming each variable that is wrong, without its value."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{PREFIX}{_variable(detail['loc'])}: {detail['msg']}" for detail in error.errors(include_input=False)]
        raise CannotRun("\n".join(lines)) from None
    except OSError as error:
        raise CannotRun(f"{error.filename}, which a {PREFIX}…_FILE names, cannot be read: {error.strerror}") from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "…"


def _denied(error: DBAPIError) -> str:
    """The server's own words. Of this error they name a table or the like, never a value."""
    diagnosis: Any = getattr(error.orig, "diag", None)
    return diagnosis.message_primary or type(error.orig).__name__


def _reason(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None)
    return f"{type(error.orig).__name__}, {state}" if state else type(error.orig).__name__
