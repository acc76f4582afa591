"""The root command: loads the module of a command when it is asked for, and not to list it."""

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class PlainFailures(TyperGroup):
    """Shows expected errors as plain text and ends with the code that goes with them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from cli.failures import explain, fail  # noqa: PLC0415 - the command has loaded it

            group = f"{ctx.info_name} " if ctx.parent else ""
            told = explain(error, f"{group}{ctx.invoked_subcommand}")
            if told is None:
                raise
            fail(told)


class Commands(PlainFailures):
    """Knows every command by name and help; `homes` has the module of each, where it bears the same name."""

    homes: ClassVar[dict[str, str]]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the command itself where only its help was."""
        if args and args[0] in self.homes:
            self.commands[args[0]] = load(self.homes[args[0]], args[0])
        return super().resolve_command(ctx, args)


def load(module: str, name: str) -> Any:
    """The command, or group of commands, that `module` has under `name`."""
    found = getattr(import_module(module), name)
    root = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        root.add_typer(found)
        group: Any = get_command(root)
        return group.commands[name]
    root.command(name)(found)
    return get_command(root)
