"""The language in which a program says whom it takes: leaves about one fact, joined by `all`, `any` and `none`.

A criterion is plain data. It is read here, given meaning in `pipeline.scoring.planes`, and stored inside immutable
provider versions, so a change here must keep reading what was written before.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictInt,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)

from config.screening import LocalizedText
from config.yaml_file import Location, refuse
from config.yaml_words import SYNONYMS, told_if_tight

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$", max_length=64)]
"""Lower-case letters, digits, single hyphens or underscores: what ids in configuration look like."""

OLDEST_YEARS = 130
TRAVEL = "travel"
LICENSED = "licensed"

Ids = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class Document(BaseModel):
    """Immutable configuration that is also stored as plain JSON.

    A field that holds its default is left out of the JSON, so a later release that adds a field with a default does
    not make every stored document look changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {name: value for name, value in handler(self).items() if getattr(self, name) != fields[name].default}


class CriterionBase(Document):
    """What every criterion may carry: an id for explanations, plain words for the person, a weight if preferred."""

    id: Identifier | None = None
    person: LocalizedText | None = None
    weight: Annotated[StrictInt, Field(ge=1, le=100)] | None = None


class LeafBase(CriterionBase):
    """A criterion about one fact. `ask` is the question put to the person if that is all that is missing.

    Left out, the form's own question is asked.
    """

    ask: LocalizedText | None = None


Margin = Annotated[StrictInt, Field(ge=1)]
"""How far outside of its limits a number may be for an expert to look at it, in the unit of the limits."""


class Equals(LeafBase):
    """The answer is exactly this."""

    question: str
    equals: str | StrictInt


class OneOf(LeafBase):
    """The single answer is one of these; an answer listed under `unknown` ("not sure") leaves it open."""

    question: str
    one_of: Ids
    unknown: tuple[str, ...] = ()


class NoneOf(LeafBase):
    """No answer is among these: how contraindications exclude."""

    question: str
    none_of: Ids
    unknown: tuple[str, ...] = ()


class Overlaps(LeafBase):
    """At least one of several answers is among these."""

    question: str
    overlaps: Ids
    unknown: tuple[str, ...] = ()


def _check_span(at_least: int | None, at_most: int | None) -> None:
    if at_least is None and at_most is None:
        raise ValueError("expected at_least, at_most or both")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError("expected at_least to be no greater than at_most")


class NumberRange(LeafBase):
    """A number (severity 0-10, onset in months) within limits, both ends included."""

    question: str
    at_least: StrictInt | None = None
    at_most: StrictInt | None = None
    borderline: Margin | None = None

    @model_validator(mode="after")
    def _span(self) -> "NumberRange":
        _check_span(self.at_least, self.at_most)
        return self


class Years(Document):
    """Completed years of age, both ends included."""

    at_least: Annotated[StrictInt, Field(ge=0, le=OLDEST_YEARS)] | None = None
    at_most: Annotated[StrictInt, Field(ge=0, le=OLDEST_YEARS)] | None = None

    @model_validator(mode="after")
    def _span(self) -> "Years":
        _check_span(self.at_least, self.at_most)
        return self


class Months(Document):
    """Completed months of age, both ends included."""

    at_least: Annotated[StrictInt, Field(ge=0, le=12 * OLDEST_YEARS)] | None = None
    at_most: Annotated[StrictInt, Field(ge=0, le=12 * OLDEST_YEARS)] | None = None

    @model_validator(mode="after")
    def _span(self) -> "Months":
        _check_span(self.at_least, self.at_most)
        return self


class AgeRange(LeafBase):
    """Age in completed years on the day the submission was received."""

    age: Years
    borderline: Margin | None = None


class AgeInMonths(LeafBase):
    """Age in completed months on the day the submission was received: for programs that take small children."""

    age_months: Months
    borderline: Margin | None = None


class Travel(StrEnum):
    """What a distance criterion understands as an answer to the question `travel`."""

    NONE = "none"
    LOCAL = "local"
    REGIONAL = "regional"
    NATIONAL = "national"
    INTERNATIONAL = "international"


_DISTANCE = r"^(travel|[1-9][0-9]{0,4} (miles|km))$"


def _distance_as_meant(value: object) -> object:
    """Raises ValueError with the distance that may be meant by one that is not written as it has to be."""
    if isinstance(value, str) and re.search(_DISTANCE, value):
        return value
    found = "nothing" if value is None else repr(value)
    told = f"expected travel, or a distance such as 50 miles or 80 km; found {found}"
    if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdecimal()):
        raise ValueError(f"{told}: say miles or km")
    if (meant := _distance_like(str(value))) is not None:
        raise ValueError(f"{told}: did you mean {meant}?")
    raise ValueError(told)


def _distance_like(written: str) -> str | None:
    words = re.fullmatch(r"\s*0*([1-9][0-9]{0,4})\s*([a-z]+)\.?\s*", written.lower())
    if words is None:
        return TRAVEL if get_close_matches(written.lower(), [TRAVEL], n=1, cutoff=0.7) else None
    number, unit = words.groups()
    if unit in {"mi", "m"} or get_close_matches(unit, ["mile", "miles"], n=1, cutoff=0.7):
        return f"{number} miles"
    metric = ["km", "kms", "kilometer", "kilometers", "kilometre", "kilometres"]
    return f"{number} km" if get_close_matches(unit, metric, n=1, cutoff=0.7) else None


class Distance(LeafBase):
    """The nearest location is as near as the person will travel (`travel`), or within "100 miles" or "160 km"."""

    distance: Annotated[str, StringConstraints(pattern=_DISTANCE), BeforeValidator(_distance_as_meant)]
    borderline: Margin | None = None

    @model_validator(mode="after")
    def _margin_has_a_unit(self) -> "Distance":
        if self.borderline is not None and self.distance == TRAVEL:
            raise ValueError('expected borderline only beside a distance such as "100 miles", whose unit it has')
        return self


class Region(LeafBase):
    """The person lives where the provider is `licensed`, or in one of these countries (`MX`) or US states (`US-TX`)."""

    region: Literal["licensed"] | Ids


class Budget(LeafBase):
    """The person's budget band is one of these; bands listed under `unknown` leave it open."""

    budget: Ids
    unknown: tuple[str, ...] = ()


class SpokenLanguage(LeafBase):
    """The provider speaks the language the person asked for."""

    language: Literal["spoken"]


class All(CriterionBase):
    """Met when every one is met."""

    all: Annotated[tuple["Criterion", ...], Field(min_length=1)]


class AnyOf(CriterionBase):
    """Met when at least one is met."""

    any: Annotated[tuple["Criterion", ...], Field(min_length=1)]


class Neither(CriterionBase):
    """Met when not one of them is met."""

    none: Annotated[tuple["Criterion", ...], Field(min_length=1)]


Leaf = (
    Equals
    | OneOf
    | NoneOf
    | Overlaps
    | NumberRange
    | AgeRange
    | AgeInMonths
    | Distance
    | Region
    | Budget
    | SpokenLanguage
)
Group = All | AnyOf | Neither

_KINDS: dict[str, type[CriterionBase]] = {
    "equals": Equals,
    "one_of": OneOf,
    "none_of": NoneOf,
    "overlaps": Overlaps,
    "at_least": NumberRange,
    "at_most": NumberRange,
    "age": AgeRange,
    "age_months": AgeInMonths,
    "region": Region,
    "distance": Distance,
    "budget": Budget,
    "language": SpokenLanguage,
    "all": All,
    "any": AnyOf,
    "none": Neither,
}


def _read(value: object, _try_each: ValidatorFunctionWrapHandler, info: ValidationInfo) -> CriterionBase:
    """Tells a criterion by the key only its kind has, so that a mistake is reported against that kind alone."""
    if isinstance(value, CriterionBase):
        return value
    for key, kind in _KINDS.items():
        if isinstance(value, dict) and key in value:
            refuse(_not_together(value, key, kind))
            return kind.model_validate(value, context=info.context)
    found = [str(key) for key in value] if isinstance(value, dict) else []
    for key in found:
        if tight := told_if_tight(key):
            raise ValueError(tight)
        if (meant := SYNONYMS.get(key)) is not None:
            raise ValueError(f"expected a criterion: did you mean {meant} where it says {key}?")
        if near := get_close_matches(key, _KINDS, n=1):
            raise ValueError(f"expected a criterion: did you mean {near[0]} where it says {key}?")
    told = f"; found only {', '.join(found)}" if found else ""
    raise ValueError(f"expected a criterion: one of the keys {', '.join(_KINDS)}{told}")


def _not_together(value: dict[str, object], key: str, kind: type[CriterionBase]) -> Iterator[tuple[Location, str]]:
    """Keys that are of another kind than the criterion's: (where, what goes with what)."""
    for other in value:
        if other in kind.model_fields:
            continue
        if other in _KINDS:
            yield (other,), f"one criterion asks one thing: write two, one with {key} and one with {other}"
        elif goes_with := [each for each, other_kind in _KINDS.items() if other in other_kind.model_fields]:
            told = goes_with if other != "borderline" else ["at_least", "at_most", "age", "age_months", "a distance"]
            yield (other,), f"{other} goes only with {', '.join(told[:-1])} or {told[-1]}: remove it"


Criterion = Annotated[Leaf | Group, WrapValidator(_read)]
for _group in (All, AnyOf, Neither):
    _group.model_rebuild()


def children(criterion: Group) -> tuple[str, tuple[Leaf | Group, ...]]:
    """The key that joins a group's parts, and the parts in the order they were written."""
    if isinstance(criterion, All):
        return "all", criterion.all
    if isinstance(criterion, AnyOf):
        return "any", criterion.any
    return "none", criterion.none


def nodes(criterion: Leaf | Group, path: Location = ()) -> Iterator[tuple[Location, Leaf | Group]]:
    """A criterion and everything under it in the order written, each with its path, which begins with `path`."""
    yield path, criterion
    if isinstance(criterion, Group):
        key, parts = children(criterion)
        for position, part in enumerate(parts):
            yield from nodes(part, (*path, key, position))


def leaves(criterion: Leaf | Group, path: Location = ()) -> Iterator[tuple[Location, Leaf]]:
    """Every leaf under a criterion in the order they were written, with its path, which begins with `path`."""
    return ((place, node) for place, node in nodes(criterion, path) if not isinstance(node, Group))


def subject(leaf: Leaf) -> str:
    """What a leaf is about: its question, or `age`, `distance`, `region`, `budget`, `language`."""
    match leaf:
        case Equals() | OneOf() | NoneOf() | Overlaps() | NumberRange():
            return leaf.question
        case AgeRange() | AgeInMonths():
            return "age"
        case Region():
            return "region"
        case Distance():
            return "distance"
        case Budget():
            return "budget"
        case SpokenLanguage():
            return "language"
