import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.keys import Keys, create_keysets, load_keysets
from pipeline.vault import SealBroken, Vault

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture(scope="module")
def vault(keys: Keys) -> Vault:
    return Vault(keys)


def test_a_document_opens_for_its_own_submission_and_part_only(vault: Vault) -> None:
    key, wrapped = vault.new_data_key(ONE)
    sealed = key.seal("answers", b"what was said")
    again = vault.data_key(ONE, wrapped)
    assert again.open("answers", sealed) == b"what was said"
    with pytest.raises(SealBroken, match="document problems"):
        again.open("problems", sealed)
    with pytest.raises(SealBroken, match="does not unwrap"):
        vault.data_key(OTHER, wrapped)
    other_key, _ = vault.new_data_key(OTHER)
    with pytest.raises(SealBroken):
        other_key.open("answers", sealed)


def test_a_document_moved_to_another_submission_does_not_open_even_under_the_same_key(vault: Vault) -> None:
    key, _ = vault.new_data_key(ONE)
    sealed = key.seal("answers", b"what was said")
    same_key = type(key)(OTHER, key._key)
    with pytest.raises(SealBroken):
        same_key.open("answers", sealed)


@given(plaintext=st.binary(max_size=200), data=st.data())
def test_any_changed_byte_is_noticed(keys: Keys, plaintext: bytes, data: st.DataObject) -> None:
    key, _ = Vault(keys).new_data_key(ONE)
    sealed = bytearray(key.seal("body", plaintext))
    assert plaintext not in sealed or not plaintext or len(plaintext) < 3
    assert key.open("body", bytes(sealed)) == plaintext
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        key.open("body", bytes(sealed))


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_is_sealed_comes_back(keys: Keys, value: object) -> None:
    key, _ = Vault(keys).new_data_key(ONE)
    assert key.open_json("answers", key.seal_json("answers", value)) == value


def test_a_commitment_says_nothing_without_the_key_and_is_the_same_with_it(vault: Vault) -> None:
    key, wrapped = vault.new_data_key(ONE)
    other, _ = vault.new_data_key(OTHER)
    assert key.commit_to(b"severe") == vault.data_key(ONE, wrapped).commit_to(b"severe")
    assert key.commit_to(b"severe") != other.commit_to(b"severe")


def test_an_index_finds_the_same_value_for_the_same_purpose_only(vault: Vault, keys_dir: Path) -> None:
    index = vault.blind_index("email", "zoë@example.org")
    assert Vault(load_keysets(keys_dir)).blind_index("email", "zoe\u0308@example.org") == index  # composed or not
    assert vault.blind_index("person", "zoë@example.org") != index
    assert len(index) == 32
    assert vault.derive_token("link", ONE) != vault.derive_token("code", ONE) != vault.derive_token("link", OTHER)


def test_another_vaults_keys_open_nothing(vault: Vault, tmp_path: Path) -> None:
    create_keysets(tmp_path)
    _, wrapped = vault.new_data_key(ONE)
    with pytest.raises(SealBroken):
        Vault(load_keysets(tmp_path)).data_key(ONE, wrapped)
