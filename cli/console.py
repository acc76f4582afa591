"""What is shown where: answers and tables on stdout, everything else on stderr."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from config.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str = "") -> None:
    """A line for people, on stderr; its brackets are text, not markup."""
    err.print(line, markup=False)


def complain(message: str) -> None:
    """An error for people, on stderr."""
    err.print("careroute:", style="bold red", end=" ")
    err.print(message, markup=False)


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """The one thing on stdout when `--json` was asked for."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def command(arguments: str, settings: Settings) -> str:
    """A `careroute` command line that reaches the same data as this process does, for people to copy."""
    line = f"{_program()} {arguments}"
    if "data_dir" not in settings.model_fields_set:
        return line
    return f"CAREROUTE_DATA_DIR={shlex.quote(str(settings.data_dir.resolve()))} {line}"


def _program() -> str:
    """`careroute`, or where `make` has put it when that is not on PATH."""
    beside = Path(sys.executable).with_name("careroute")
    if shutil.which("careroute") or not beside.exists():
        return "careroute"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


JsonOption = Annotated[bool, typer.Option("--json", help="Only JSON on stdout, for programs.")]
