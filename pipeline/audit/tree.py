"""RFC 6962 Merkle trees over SHA-256: nodes, roots and inclusion proofs (sections 2.1 and 2.1.1).

Everything reads hashes of complete subtrees through one function, `Node`: `node(level, index)` is the root of the
leaves from `index * 2**level` to `(index + 1) * 2**level`. Where they come from is not this module's business.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
NODE_PREFIX = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = Callable[[int, int], bytes]


class ProofInvalid(Exception):
    """A proof does not show what it is said to show."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, all of them in hand. Meant for a tile; a log's root comes from `tree_root`."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*paired, level[-1]] if len(level) % 2 else paired
    return level[0]


def tree_root(size: int, node: Node) -> bytes:
    """The root of the first `size` leaves."""
    return _range_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, from its sibling up. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return [_range_root(start, end, node) for start, end in _path(index, size)]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162 section 2.1.3.2). Raises `ProofInvalid` if it cannot be one."""
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the path is too long")
        if place % 2 or place == last:
            found = node_hash(sibling, found)
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            found = node_hash(found, sibling)
        place, last = place // 2, last // 2
    if last:
        raise ProofInvalid("the path is too short")
    return found


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, node: Node) -> bytes:
    count = end - start
    if count & (count - 1) == 0 and start % count == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range_root(start, middle, node), _range_root(middle, end, node))


def _path(index: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of leaves beside the way from a leaf to the root, the nearest first."""
    beside = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return reversed(beside)
