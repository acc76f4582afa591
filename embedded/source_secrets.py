"""Secrets for the sources of `sources.yaml` on a machine of one's own, so that the shipped file works at once.

Each is a file of its own in the data directory, made once, readable by its owner only. The processes are given the
files' paths (`NAME_FILE`), so that no secret appears in an environment listing. A production database gets none: there
a secret is agreed upon with whoever sends.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from config.sources import load_sources

FOLDER = "sources"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class SourceSecrets:
    """The files by the variable's name, made now or earlier."""

    files: Mapping[str, Path]

    @property
    def environment(self) -> dict[str, str]:
        """What the processes need in their environment."""
        return {f"{name}_FILE": str(path) for name, path in self.files.items()}


def source_secrets(settings: Settings) -> SourceSecrets:
    """Make the secrets that `sources.yaml` names and our environment does not give. Raises `ConfigurationMistake`."""
    if not settings.embedded_database:
        return SourceSecrets({})
    missing = load_sources(settings.sources_file, os.environ).missing_secrets
    # A NAME_FILE that is given but cannot be read is somebody's mistake, to be shown and not to be papered over.
    names = sorted({name for name in missing if f"{name}_FILE" not in os.environ})
    folder = settings.data_dir.resolve() / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        _create(folder / name)
    return SourceSecrets({name: folder / name for name in names})


def _create(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(_BYTES) + "\n")
