"""Sets of programs as whole numbers: bit n is program n, so that one operation joins ten thousand of them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Bits(NamedTuple):
    """For which programs something is met, and for which it is met or unknown."""

    met: int
    possible: int


def bits_of(members: Iterable[int], size: int) -> int:
    """The set of these programs out of `size`."""
    flags = np.zeros(size, dtype=bool)
    flags[list(members)] = True
    return bits_where(flags)


def bits_where(flags: NDArray[np.bool_]) -> int:
    """The set of the programs that are flagged."""
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def members_of(members: int, size: int) -> list[int]:
    """The programs of a set, in order."""
    packed = np.frombuffer(members.to_bytes((size + 7) // 8, "little"), dtype=np.uint8)
    found: list[int] = np.flatnonzero(np.unpackbits(packed, count=size, bitorder="little")).tolist()
    return found


def levels_at(planes: Iterable[Bits], programs: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    """One row per plane, of 2, 1 and 0: whether for each of these programs it is met, unknown or not met."""
    width = (size + 7) // 8
    packed = b"".join([each.to_bytes(width, "little") for plane in planes for each in plane])
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(-1, width)
    shifted = rows.take(programs >> 3, axis=1) >> (programs & 7).astype(np.uint8)
    flags = shifted & np.uint8(1)
    return flags[0::2] + flags[1::2]
