"""The conditions people ask about, read from `conditions.yaml`: names, codes, and what is known about treating them."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.plain_name import plain_name
from config.screening import LocalizedText, QuestionId
from config.yaml_file import Location, load, refuse

# Letter, digit, letter or digit, then up to four more after a dot: the form of every ICD-10-CM code.
Icd10Cm = Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]

OTHER = "other"


class EvidenceLevel(StrEnum):
    """What published research says about cell treatments for a condition. Anything but the default needs a source."""

    NOT_ESTABLISHED = "not_established"
    EARLY_RESEARCH = "early_research"
    UNDER_STUDY = "under_study"
    SUPPORTED = "supported"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Evidence(_Part):
    """A level, and for anything but `not_established` who says so, who checked it, and when."""

    level: EvidenceLevel = EvidenceLevel.NOT_ESTABLISHED
    citation: Line | None = None
    reviewer: Line | None = None
    reviewed_on: date | None = None

    @model_validator(mode="after")
    def _is_backed(self) -> Self:
        if self.level is not EvidenceLevel.NOT_ESTABLISHED:
            refuse(
                ((key,), f"expected this key, as the level is {self.level}; it is missing")
                for key in ("citation", "reviewer", "reviewed_on")
                if getattr(self, key) is None
            )
        return self


class Group(_Part):
    """A heading that conditions stand under in a list."""

    id: QuestionId
    label: LocalizedText


class Condition(_Part):
    """One condition. `icd10cm` is empty only for `other`; synonyms are in English and Spanish alike."""

    id: QuestionId
    group: str
    label: LocalizedText
    icd10cm: tuple[Icd10Cm, ...] = ()
    synonyms: tuple[Line, ...] = ()
    evidence: Evidence = Field(default_factory=Evidence)


class Conditions(_Part):
    """All conditions, in the order they are listed."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    groups: tuple[Group, ...] = Field(min_length=1)
    conditions: tuple[Condition, ...] = Field(min_length=1)

    # As for Screening: equal lists have equal versions.
    def __hash__(self) -> int:
        return hash(self.version)

    @cached_property
    def by_id(self) -> dict[str, Condition]:
        return {condition.id: condition for condition in self.conditions}

    def find(self, name: str) -> Condition | None:
        """The condition of this id, label or synonym, whatever its case, accents and punctuation; else nothing."""
        return self.by_id.get(name) or self._by_name.get(plain_name(name))

    @cached_property
    def _by_name(self) -> dict[str, Condition]:
        return {name: condition for condition in self.conditions for name in _names(condition)}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[tuple[Location, str]]:
        groups = [group.id for group in self.groups]
        taken: dict[str, str] = {}
        for index, condition in enumerate(self.conditions):
            here: Location = ("conditions", index)
            if condition.group not in groups:
                yield (*here, "group"), f"expected one of {', '.join(groups)}; found {condition.group!r}"
            if not condition.icd10cm and condition.id != OTHER:
                yield (*here, "icd10cm"), "expected at least one ICD-10-CM code"
            if condition.id in {earlier.id for earlier in self.conditions[:index]}:
                yield (*here, "id"), f"expected each condition once; found {condition.id!r} again"
            for name in _names(condition):
                if taken.setdefault(name, condition.id) != condition.id:
                    yield (*here, "synonyms"), f"expected names of this condition only; {name!r} is also {taken[name]}"
        if OTHER not in {condition.id for condition in self.conditions}:
            yield ("conditions",), f"expected a condition {OTHER!r} for what is not listed; it is missing"


def load_conditions(path: Path) -> Conditions:
    """Read the conditions.

    Raises:
        ConfigurationMistake: naming line and column of everything that is wrong.
    """
    return load(path, Conditions)


def _names(condition: Condition) -> Iterator[str]:
    names = (condition.id, condition.label.en, condition.label.es, *condition.synonyms)
    yield from dict.fromkeys(plain_name(name) for name in names)
