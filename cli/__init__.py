"""The `careroute` command.

One module a group of commands; what they do is in `pipeline.operations`, `tasks`, `web` and `embedded`. Exit code 0 is
success, 1 a finding or a stack that cannot run as configured, 2 wrong use. With `--json` only JSON is on stdout.
"""

from cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """The `careroute` command."""
    app()
