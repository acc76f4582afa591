from pathlib import Path

import pytest

from pipeline.audit.signing import PRIVATE_FILE, PUBLIC_FILE, create_signing_key, load_public_keys, load_signer
from pipeline.key_files import KeyProblem


def test_a_key_is_made_once_and_never_beside_the_public_half_of_another(tmp_path: Path) -> None:
    create_signing_key(tmp_path)
    made = (tmp_path / PRIVATE_FILE).read_text()
    create_signing_key(tmp_path)
    assert (tmp_path / PRIVATE_FILE).read_text() == made
    assert [key.public_bytes_raw() for key in load_public_keys(tmp_path)] == [
        key.public_bytes_raw() for key in load_signer(tmp_path).public_keys
    ]
    (tmp_path / PRIVATE_FILE).unlink()
    with pytest.raises(KeyProblem, match=r"put log\.pem back beside it"):
        load_signer(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == [PUBLIC_FILE]


def test_a_public_half_that_was_not_written_any_more_is_made_from_the_key(tmp_path: Path) -> None:
    create_signing_key(tmp_path)
    known = (tmp_path / PUBLIC_FILE).read_text()
    (tmp_path / PUBLIC_FILE).unlink()
    create_signing_key(tmp_path)
    assert (tmp_path / PUBLIC_FILE).read_text() == known
