"""A program's criteria in as small parts as they come in, so that a finding points at the line to change."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from config.criteria import All, AnyOf, Group, Leaf, Neither, children, subject
from config.providers import Program
from config.yaml_file import Location


class Role(StrEnum):
    """What a criterion is for, and so what it means that nobody can meet it, or everybody does."""

    REQUIRE = "require"
    EXCLUDE = "exclude"
    ALTERNATIVE = "alternative"
    PREFER = "prefer"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Part:
    """A criterion and where it stands in its provider. `excludes`: it has to be not met, as under `none`."""

    location: Location
    criterion: Leaf | Group
    role: Role = Role.REQUIRE
    excludes: bool = False

    @property
    def name(self) -> str:
        """What people call it: its id, else what it asks, else the key that joins it."""
        if self.criterion.id is not None:
            return self.criterion.id
        return children(self.criterion)[0] if isinstance(self.criterion, Group) else subject(self.criterion)


def required(program: Program, here: Location) -> tuple[Part, ...]:
    """Everything that has to be met, and everything that has to be not met, in order."""
    parts: list[Part] = []
    for section in ("require", "inclusion"):
        for index, criterion in enumerate(getattr(program, section)):
            parts += conjuncts(criterion, (*here, section, index))
    for index, criterion in enumerate(program.exclusion):
        parts += _excluded(criterion, (*here, "exclusion", index))
    return tuple(parts)


def listed(program: Program, section: str, role: Role, here: Location) -> tuple[Part, ...]:
    """The criteria of one section as they stand there."""
    return tuple(
        Part((*here, section, index), criterion, role) for index, criterion in enumerate(getattr(program, section))
    )


def conjuncts(criterion: Leaf | Group, location: Location) -> list[Part]:
    """What has to be met for the criterion to be met."""
    if isinstance(criterion, All | Neither):
        key, parts = children(criterion)
        flatten: Callable[[Leaf | Group, Location], list[Part]] = conjuncts if key == "all" else _excluded
        return [found for index, part in enumerate(parts) for found in flatten(part, (*location, key, index))]
    return [Part(location, criterion)]


def alternatives(criterion: Leaf | Group, location: Location) -> list[Part]:
    """What of which one is enough for the criterion to be met."""
    return [Part(place, each, Role.ALTERNATIVE) for place, each in _disjuncts(criterion, location)]


def _excluded(criterion: Leaf | Group, location: Location) -> list[Part]:
    return [Part(place, each, Role.EXCLUDE, excludes=True) for place, each in _disjuncts(criterion, location)]


def _disjuncts(criterion: Leaf | Group, location: Location) -> list[tuple[Location, Leaf | Group]]:
    if not isinstance(criterion, AnyOf):
        return [(location, criterion)]
    return [found for index, part in enumerate(criterion.any) for found in _disjuncts(part, (*location, "any", index))]
