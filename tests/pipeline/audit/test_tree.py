import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.tree import (
    EMPTY_ROOT,
    Node,
    ProofInvalid,
    inclusion_proof,
    root_from_inclusion,
    root_of,
    tree_root,
)

# The test vectors of the certificate-transparency project (merkle_tree_test), which every implementation of RFC 6962
# is held against. Written out: what the code computes is nowhere taken as what is expected.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
LEAVES_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
LEAVES_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
LEAVES_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
INCLUSION = {
    (0, 1): [],
    (0, 8): [LEAF_1, LEAVES_2_3, LEAVES_4_7],
    (5, 8): [LEAF_4, LEAVES_6_7, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], LEAVES_2_3, LEAF_4],
}


def leaf(value: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + value).digest()


def naive(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:half]) + naive(leaves[half:])).digest()


def nodes(leaves: Sequence[bytes]) -> Node:
    def node(level: int, index: int) -> bytes:
        chosen = leaves[index << level : index + 1 << level]
        assert len(chosen) == 1 << level, "only complete subtrees may be asked for"
        return naive(chosen)

    return node


KNOWN = [leaf(bytes.fromhex(value)) for value in LEAVES]


def test_known_roots() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree_root(0, nodes([])) == root_of([]) == EMPTY_ROOT
    assert [tree_root(size, nodes(KNOWN)).hex() for size in range(1, 9)] == ROOTS
    assert [root_of(KNOWN[:size]).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_known_inclusion_proofs(index: int, size: int) -> None:
    path = inclusion_proof(index, size, nodes(KNOWN))
    assert [each.hex() for each in path] == INCLUSION[index, size]
    assert root_from_inclusion(KNOWN[index], index, size, path).hex() == ROOTS[size - 1]


MANY = [leaf(number.to_bytes(2, "big")) for number in range(600)]
sizes = st.integers(1, len(MANY))


@st.composite
def spoiled(draw: st.DrawFn, path: list[bytes]) -> list[bytes]:
    """Another list of hashes than `path`, by one change."""
    changed = list(path)
    kind = draw(st.sampled_from(["bit", "length", "drop", "swap"] if path else ["add"]))
    place = draw(st.integers(0, len(path) - 1)) if path else 0
    match kind:
        case "bit":
            bit = draw(st.integers(0, 255))
            changed[place] = (int.from_bytes(changed[place], "big") ^ 1 << bit).to_bytes(32, "big")
        case "length":
            changed[place] = draw(st.binary(max_size=64).filter(lambda raw: raw != path[place]))
        case "drop":
            del changed[place]
        case "swap" if len(path) > 1:
            changed[place], changed[place - 1] = changed[place - 1], changed[place]
        case _:
            changed.append(draw(st.binary(min_size=32, max_size=32)))
    return changed


@given(sizes, st.data())
def test_every_inclusion_proof_shows_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = naive(MANY[:size])
    path = inclusion_proof(index, size, nodes(MANY))
    assert root_from_inclusion(MANY[index], index, size, path) == root

    def shows(leaf: bytes, place: int, proof: list[bytes]) -> bool:
        try:
            return root_from_inclusion(leaf, place, size, proof) == root
        except ProofInvalid:
            return False

    assert not shows(MANY[index], index, data.draw(spoiled(path)))
    assert not shows(leaf(b"another"), index, path)
    other = data.draw(st.integers(-1, size).filter(lambda place: place != index))
    assert not shows(MANY[index], other, path)


@given(st.integers(-2, 9), st.integers(-2, 9), st.lists(st.binary(max_size=40), max_size=6))
def test_whatever_a_proof_is_it_shows_nothing_or_is_refused(index: int, size: int, proof: list[bytes]) -> None:
    try:
        found = root_from_inclusion(leaf(b"unknown"), index, size, proof)
    except ProofInvalid:
        found = b""
    assert found.hex() not in ROOTS


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_proof_of_what_is_not_in_the_tree(index: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_proof(index, 8, nodes(KNOWN))
