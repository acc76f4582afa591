"""The three keysets: `vault` wraps data keys, `index` makes blind indexes and tokens, `audit` authenticates records.

They live as Tink keysets in files of one folder, never in the database. They are created automatically only for the
embedded data directory; anywhere else a missing file is an operator's mistake that must not be papered over, because
records written under a new key could not be read with the old one back.
"""

from pipeline.key_files import KeyProblem
from pipeline.keys.folder import KeyFolder
from pipeline.keys.keyset import KeyPurpose, Keyset, KeysetKey
from pipeline.keys.loading import Keys, Wrap, check_fingerprints, create_keysets, load_keysets
from pipeline.keys.reloading import LOOK_SECONDS

__all__ = [
    "LOOK_SECONDS",
    "KeyFolder",
    "KeyProblem",
    "KeyPurpose",
    "Keys",
    "Keyset",
    "KeysetKey",
    "Wrap",
    "check_fingerprints",
    "create_keysets",
    "load_keysets",
]
