"""The list of commands, which loads none of them."""

import subprocess
import sys

import pytest

from cli.app import COMMANDS
from cli.audit import COMMANDS as AUDIT_COMMANDS
from cli.commands import load


@pytest.mark.parametrize(("name", "module", "told"), [row[1:] for row in (*COMMANDS, *AUDIT_COMMANDS)])
def test_what_the_list_says_is_how_the_help_of_the_command_begins(name: str, module: str, told: str) -> None:
    command = load(module, name)
    assert command.name == name
    assert " ".join(command.help.split("\n\n")[0].split()) == told


def test_the_list_loads_no_framework_and_a_command_only_its_own() -> None:
    script = """
import sys
from typer.testing import CliRunner
from cli.app import app

def loaded(*arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return {"pydantic", "sqlalchemy", "fastapi", "celery", "alembic", "numpy"} & sys.modules.keys()

assert loaded("--help") == set(), loaded()
assert loaded("beat", "--help") == {"pydantic", "sqlalchemy"}, loaded()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
