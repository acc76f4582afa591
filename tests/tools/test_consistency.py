"""What the auditor's tool takes two roots from: RFC 6962's trees, of one set of nodes."""

from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.audit.test_tree import KNOWN, MANY, ROOTS, naive
from tests.tools.test_verify_audit import tool

Parts = dict[tuple[int, int], bytes]


def parts_of(leaves: list[bytes], old_size: int, size: int) -> Parts:
    return {(start, end): naive(leaves[start:end]) for start, end in tool.shared_ranges(old_size, size)}


def test_the_known_roots_of_an_earlier_and_a_later_tree() -> None:
    for size in range(1, len(ROOTS) + 1):
        for old_size in range(1, size + 1):
            parts = parts_of(KNOWN, old_size, size)
            found = [tool.joined(0, each, parts).hex() for each in (old_size, size)]
            assert found == [ROOTS[old_size - 1], ROOTS[size - 1]]


@given(st.integers(0, len(MANY)), st.data())
def test_both_roots_rest_on_the_same_nodes_each_leaf_in_one(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(0, size))
    parts = parts_of(MANY, old_size, size)
    ranges = list(parts)
    assert [end for _, end in ranges[:-1]] == [start for start, _ in ranges[1:]]
    assert [ranges[0][0], ranges[-1][1]] == [0, size] if ranges else size == 0
    # Each is one node: a tree of leaves that anybody may ask a tile for.
    assert all((end - start).bit_count() == 1 and start % (end - start) == 0 for start, end in ranges)
    assert tool.joined(0, old_size, parts) == naive(MANY[:old_size])
    assert tool.joined(0, size, parts) == naive(MANY[:size])
    for part in ranges:
        other = parts | {part: bytes(32)}
        assert tool.joined(0, size, other) != naive(MANY[:size])
        assert (tool.joined(0, old_size, other) != naive(MANY[:old_size])) == (part[1] <= old_size)
