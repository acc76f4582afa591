"""`careroute(...)` runs the command in this process, against a SQLite installation of its own."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from typer.testing import CliRunner, Result

from cli.app import app
from tests.support.installations import Installation

Careroute = Callable[..., Result]


@pytest.fixture
def _logging() -> Iterator[None]:
    """A process of its own would take its logging with it; here it must not outlast the test."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.fixture
def careroute(sqlite_installation: Installation, monkeypatch: pytest.MonkeyPatch, _logging: None) -> Careroute:
    monkeypatch.setenv("CAREROUTE_DATA_DIR", str(sqlite_installation.folder))
    monkeypatch.setenv("CAREROUTE_KEYS_DIR", str(sqlite_installation.keys_dir))

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=typed, catch_exceptions=False)

    return run
