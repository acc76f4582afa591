"""What pages name in backticks: files and folders of the project, and tests in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from config.settings import ROOT

_NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)(?:::(\w+))?`")
_OURS = frozenset(path.name for path in ROOT.iterdir() if path.is_dir())


def missing(page: Path) -> list[str]:
    """What a page names and is not there. A path counts as one of ours by its first folder."""
    return [f"{page.name}: {name}" for name, exists in _named(page.read_text(encoding="utf-8")) if not exists]


def referred_tests(text: str) -> list[str]:
    """The names of the tests that a text refers to."""
    return [test for _, test in _NAMED.findall(text) if test]


def _named(text: str) -> Iterator[tuple[str, bool]]:
    for path, test in _NAMED.findall(text):
        if path.split("/")[0] in _OURS:
            file = ROOT / path
            defined = not test or (file.is_file() and f"def {test}(" in file.read_text(encoding="utf-8"))
            yield f"{path}::{test}" if test else path, file.exists() and defined
