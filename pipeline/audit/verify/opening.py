"""What an installation's log is held against, by its settings."""

from config.settings import Settings
from pipeline.audit.anchors import open_anchors
from pipeline.audit.signing import PUBLIC_FILE, load_public_keys
from pipeline.audit.verify.log import Evidence
from pipeline.keys import Keys


def open_evidence(settings: Settings, keys: Keys | None) -> Evidence:
    """The public keys beside the keysets, and the anchor directory. Raises `KeyProblem` for keys that cannot be read.

    Without any public key, which is so until the first sequencer starts, nothing is taken for signed.
    """
    folder = settings.effective_keys_dir
    public_keys = load_public_keys(folder) if (folder / PUBLIC_FILE).exists() else ()
    return Evidence(public_keys, open_anchors(settings).directory, keys, folder)
