"""`providers check` and `providers schema`: is a provider file right, and what editors need to know about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, named_file, read_settings
from config.conditions import load_conditions
from config.providers_schema import providers_json_schema
from config.screening import load_screening
from config.yaml_file import Problem
from pipeline.db import utc_now
from pipeline.operations.provider_check import DEFAULT_SAMPLE, Checked, check_providers


def check(
    file: Annotated[Path, typer.Argument(help="A provider file, such as config/providers.yaml.")],
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are findings too.")] = False,
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="People made up for each program; 0 leaves that check out.")
    ] = DEFAULT_SAMPLE,
    as_json: JsonOption = False,
) -> None:
    """Check a provider file before it is published. Exit code 1 if it has errors; warnings say what is odd."""
    settings = read_settings()
    screening, conditions = load_screening(settings.screening_file), load_conditions(settings.conditions_file)
    with named_file():
        checked = check_providers(file, screening, conditions, utc_now(), sample)
    if as_json:
        print_json({"errors": _as_json(checked.errors), "warnings": _as_json(checked.warnings)})
    else:
        _show(checked)
    if checked.errors or (strict and checked.warnings):
        raise typer.Exit(FINDING)


def schema() -> None:
    """Print the JSON schema of provider files, by which editors complete and check them."""
    print_json(providers_json_schema())


def _as_json(problems: Sequence[Problem]) -> list[dict[str, str | int]]:
    return [
        {
            "file": str(problem.file),
            "line": problem.line,
            "column": problem.column,
            "path": problem.path,
            "message": problem.message,
        }
        for problem in problems
    ]


def _show(checked: Checked) -> None:
    for problem in checked.errors:
        _show_problem(problem, "✗", "bold red")
    for problem in checked.warnings:
        _show_problem(problem, "!", "yellow")
    if checked.errors:
        out.print(f"{_counted(len(checked.errors), 'error')}. Mend and check again, as a second round may find more:")
        out.print("names of questions, answers and conditions are checked where all else of a provider is right,")
        out.print("and what is only odd is told once there are no errors.")
        return
    network = f"{_counted(checked.providers, 'provider')}, {_counted(checked.programs, 'program')}"
    out.print(f"{network}: 0 errors, {_counted(len(checked.warnings), 'warning')}")


def _show_problem(problem: Problem, mark: str, style: str) -> None:
    where = f"{problem.file}:{problem.line}:{problem.column}"
    out.print(Text.assemble((f"{mark} ", style), (where, "bold"), "  ", (problem.path, "dim")))
    if out.is_terminal:
        out.print(Padding(Text(problem.message), (0, 0, 1, 4)), soft_wrap=False)
    else:
        out.print(f"    {problem.message}", markup=False)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
