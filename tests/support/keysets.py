"""Keyset files as an operator's commands leave them, without a database that knows of it."""

import os
import shutil
import time
from pathlib import Path

from pipeline.key_files import replacement
from pipeline.keys import KeyFolder, KeyPurpose, Keyset
from tests.support.installations import Installation


def with_own_keys(installation: Installation, folder: Path) -> Installation:
    """The same installation with a copy of its keys in `folder`, to be changed. To be closed before it."""
    shutil.copytree(installation.keys_dir, folder)
    return Installation(installation.folder, folder, installation.database_url)


def rotate(folder: Path, purpose: KeyPurpose) -> None:
    """Add a key and write with it from now on: the old ones stay for reading."""
    added = KeyFolder(folder).read(purpose).with_new_key()
    write(folder, added.with_primary(added.keys[-1]))


def write(folder: Path, keyset: Keyset) -> None:
    """Put a keyset in the place of the one that is there."""
    with replacement(KeyFolder(folder).file(keyset.purpose), keyset.text()) as put_in_place:
        put_in_place()


def settle(folder: Path, purpose: KeyPurpose) -> None:
    """As if the file had been there long enough for every process to have taken it up."""
    long_ago = time.time_ns() - 3600 * 10**9
    os.utime(KeyFolder(folder).file(purpose), ns=(long_ago, long_ago))
