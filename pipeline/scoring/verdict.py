"""Three values, so that what is not known is never taken for no: Kleene's strong logic.

`all` is the least of its parts, `any` the greatest, and negation turns the scale around.
"""

from enum import IntEnum


class Verdict(IntEnum):
    """Ordered: not met < unknown < met."""

    NOT_MET = 0
    UNKNOWN = 1
    MET = 2

    @property
    def letter(self) -> str:
        """How the stored explanation writes it: n, u or m."""
        return LETTERS[self]

    @classmethod
    def of_letter(cls, letter: str) -> "Verdict":
        """Raises ValueError for anything but n, u and m."""
        return cls(LETTERS.index(letter))


LETTERS = ("n", "u", "m")
"""`LETTERS[verdict]` is how the stored explanation writes it."""


def decided(fits: bool) -> Verdict:  # noqa: FBT001 - the one value it turns
    return Verdict.MET if fits else Verdict.NOT_MET


NEGATED = (Verdict.MET, Verdict.UNKNOWN, Verdict.NOT_MET)
"""`NEGATED[verdict]` is the verdict of "not this"."""
