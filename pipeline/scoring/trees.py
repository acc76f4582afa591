"""How a tree of criteria is judged once its leaves are, and which leaves the judgement hangs on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from config.criteria import AnyOf, Group, Leaf, Neither, children
from pipeline.scoring.verdict import NEGATED, Verdict


@dataclass(frozen=True, slots=True)
class JudgedLeaf:
    """A leaf with its verdict. `position` counts a program's leaves from 0."""

    criterion: Leaf
    verdict: Verdict
    position: int


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """A group with its verdict, and its parts with theirs."""

    criterion: Group
    verdict: Verdict
    parts: tuple["Judged", ...]


Judged = JudgedLeaf | JudgedGroup


def judge(criteria: Iterable[Leaf | Group], verdicts: Iterable[Verdict]) -> tuple[Judged, ...]:
    """The criteria with the verdicts of their leaves, which come in the order written."""
    numbered = iter(enumerate(verdicts))
    return tuple(_judge(criterion, numbered) for criterion in criteria)


def together(judged: Sequence[Judged]) -> Verdict:
    """The verdict of criteria that all have to be met."""
    return min((each.verdict for each in judged), default=Verdict.MET)


def deciding(judged: Iterable[Judged], verdict: Verdict) -> Iterator[JudgedLeaf]:
    """The leaves through which criteria that all have to be met come to `verdict`.

    For `UNKNOWN` these are exactly the leaves that could still change it; for `NOT_MET`, those that fail.
    """
    for each in judged:
        if each.verdict is not verdict:
            continue
        if isinstance(each, JudgedLeaf):
            yield each
        else:
            yield from deciding(each.parts, NEGATED[verdict] if isinstance(each.criterion, Neither) else verdict)


def joined(group: Group) -> Callable[[Sequence[Verdict]], Verdict]:
    """How a group's verdict follows from its parts' verdicts."""
    if isinstance(group, AnyOf):
        return max
    if isinstance(group, Neither):
        return lambda verdicts: NEGATED[max(verdicts)]
    return min


def _judge(criterion: Leaf | Group, verdicts: Iterator[tuple[int, Verdict]]) -> Judged:
    if not isinstance(criterion, Group):
        position, verdict = next(verdicts)
        return JudgedLeaf(criterion, verdict, position)
    parts = tuple(_judge(part, verdicts) for part in children(criterion)[1])
    return JudgedGroup(criterion, joined(criterion)([part.verdict for part in parts]), parts)
