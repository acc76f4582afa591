"""The provider network: who takes whom, where, how many at a time, and what must be said about what they offer.

`load_providers` reads the reviewed file and checks it against the questions and conditions it refers to. A
`ProviderDocument` is also what is stored: every change becomes a new immutable version, told apart by its digest.
"""

import hashlib
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Self

import pycountry
import rfc8785
from pydantic import (
    Field,
    StrictInt,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from config.availability import Availability, Credential
from config.claims import claims_in_model
from config.conditions import Conditions
from config.criteria import (
    LICENSED,
    Criterion,
    Document,
    Group,
    Identifier,
    Leaf,
    Neither,
    Region,
    leaves,
    nodes,
    subject,
)
from config.criteria_check import leaf_mistakes, region_mistake
from config.screening import LocalizedText, Screening
from config.suggestions import language_like, time_zone_like
from config.yaml_file import Location as Place
from config.yaml_file import load, refuse

US_ZIP_COUNTRIES = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
"""Countries and territories whose postal codes are US ZIP codes."""

EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$", max_length=254)]


class ProgramKind(StrEnum):
    CLINIC = "clinic"
    STUDY = "study"
    CONSULTATION = "consultation"


class ProductStatus(StrEnum):
    """What regulators say about what a program offers; decides which notice the person is shown."""

    NO_PRODUCT = "no_product"
    APPROVED_USE = "approved_use"
    UNAPPROVED_THERAPY = "unapproved_therapy"
    INVESTIGATIONAL = "investigational"


class Contact(Document):
    """Where referrals go. The address also receives the one-time codes that open them."""

    name: str
    email: EmailAddress


class Location(Document):
    """A place people are seen at. US places need a ZIP code, since distance is measured between ZIP centroids."""

    id: Identifier
    city: str
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    postal_code: str

    @property
    def uses_zip(self) -> bool:
        return self.country in US_ZIP_COUNTRIES


class Capacity(Document):
    """Most referrals open at once, and most new ones in a day, a week (from Monday) and a month of its own calendar.

    `target_per_month` is how many it would like: of two that fit equally and have waited equally long, the one with the
    lower share of its target comes first.
    """

    max_open: Annotated[StrictInt, Field(ge=1)]
    max_per_day: Annotated[StrictInt, Field(ge=1)]
    max_per_week: Annotated[StrictInt, Field(ge=1)] | None = None
    max_per_month: Annotated[StrictInt, Field(ge=1)] | None = None
    target_per_month: Annotated[StrictInt, Field(ge=1)] | None = None


class IrbApproval(Document):
    """The institutional review board that approved a study's conduct. It is not an approval of the product."""

    name: str
    number: str
    approved_on: date


class Program(Document):
    """One thing a provider offers, with what it requires of a person and what it would rather have.

    A study may state `inclusion` and `exclusion` as registries do, in place of or beside `require`: every inclusion
    criterion has to be met, and not one exclusion criterion. Somebody who is eligible and meets a criterion of
    `review_if`, or may meet it, is looked at by an expert before anybody is told.
    """

    id: Identifier
    kind: ProgramKind
    name: LocalizedText
    summary: LocalizedText
    product: ProductStatus
    irb: IrbApproval | None = None
    require: tuple[Criterion, ...] = ()
    inclusion: tuple[Criterion, ...] = ()
    exclusion: tuple[Criterion, ...] = ()
    prefer: tuple[Criterion, ...] = ()
    review_if: tuple[Criterion, ...] = ()

    @cached_property
    def eligibility(self) -> tuple[Leaf | Group, ...]:
        """All of what has to be met, in the order of `named_leaves`."""
        excluded = (Neither(none=self.exclusion),) if self.exclusion else ()
        return (*self.require, *self.inclusion, *excluded)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[tuple[Place, str]]:
        if self.kind is ProgramKind.STUDY and self.irb is None:
            yield ("kind",), "expected irb (name, number, approved_on) beside it, as this is a study"
        if self.kind is not ProgramKind.STUDY:
            if self.irb is not None:
                yield ("irb",), f"expected only for a study; this is a {self.kind}"
            for section in ("inclusion", "exclusion"):
                if getattr(self, section):
                    yield (section,), f"expected only for a study; this is a {self.kind}, which states require"
        yield from self._criteria_mistakes()

    def _criteria_mistakes(self) -> Iterator[tuple[Place, str]]:
        if not self.require and not self.inclusion:
            expected = "require or inclusion" if self.kind is ProgramKind.STUDY else "require"
            yield (), f"expected {expected} with at least one criterion: a program takes somebody, not everybody"
        for section, index, criterion in self._criteria():
            if criterion.weight is not None and section != "prefer":
                yield (section, index, "weight"), "expected only under prefer: what is required is not weighed"
        ids = [(path, leaf.id) for _, path, leaf in self.named_leaves() if leaf.id]
        for position, (path, leaf_id) in enumerate(ids):
            if any(leaf_id == earlier for _, earlier in ids[:position]):
                yield (*path, "id"), f"expected each criterion of a program to have its own id; found {leaf_id!r} again"

    def weights_in_groups(self) -> Iterator[Place]:
        """Where a part of a group has a weight, which counts for nothing."""
        for section, index, criterion in self._criteria():
            for path, part in nodes(criterion, (section, index)):
                if part is not criterion and part.weight is not None:
                    yield (*path, "weight")

    def _criteria(self) -> Iterator[tuple[str, int, Leaf | Group]]:
        for section, criteria in self._sections():
            yield from ((section, index, criterion) for index, criterion in enumerate(criteria))

    def _sections(self) -> tuple[tuple[str, tuple[Leaf | Group, ...]], ...]:
        return (
            ("require", self.require),
            ("inclusion", self.inclusion),
            ("exclusion", self.exclusion),
            ("prefer", self.prefer),
            ("review_if", self.review_if),
        )

    def named_leaves(self) -> Iterator[tuple[str, Place, Leaf]]:
        """Every leaf, section by section, with the id explanations use and its path within the program.

        A leaf without an id of its own is called after its subject, and `severity_2` if that name is taken.
        """
        written = [
            (path, leaf)
            for section, criteria in self._sections()
            for position, criterion in enumerate(criteria)
            for path, leaf in leaves(criterion, (section, position))
        ]
        taken = {leaf.id for _, leaf in written if leaf.id}
        for path, leaf in written:
            name = leaf.id or _free_name(subject(leaf), taken)
            taken.add(name)
            yield name, path, leaf


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


@dataclass(frozen=True, slots=True)
class References:
    """What a provider file may refer to. Given as validation context when a file is read, not when a row is."""

    screening: Screening
    conditions: Conditions


class ProviderDocument(Document):
    """One provider as published at one time."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    name: str
    contact: Contact
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    time_zone: str
    locations: Annotated[tuple[Location, ...], Field(min_length=1)]
    licensed_in: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    availability: Availability = Availability()
    capacity: Capacity
    programs: Annotated[tuple[Program, ...], Field(min_length=1)]

    def program(self, program_id: str) -> Program:
        """Raises KeyError for an id this version does not have."""
        for program in self.programs:
            if program.id == program_id:
                return program
        raise KeyError(program_id)

    @model_validator(mode="after")
    def _refers_to_what_exists(self, info: ValidationInfo) -> Self:
        # A stored version stays readable when a ZIP code, a time zone or an option is later withdrawn: only a file,
        # which is read with References, is held to what exists today.
        refuse(self._repeated_ids())
        if isinstance(info.context, References):
            refuse((*self._mistakes(), *self._criterion_mistakes(info.context), *claims_in_model(self)))
        return self

    def _repeated_ids(self) -> Iterator[tuple[Place, str]]:
        for key, parts in (("locations", self.locations), ("programs", self.programs)):
            ids = [part.id for part in parts]
            for index, part_id in enumerate(ids):
                if part_id in ids[:index]:
                    yield (key, index, "id"), f"expected each of the {key} to have its own id; found {part_id!r} again"

    def _mistakes(self) -> Iterator[tuple[Place, str]]:
        if self.time_zone not in _time_zones():
            meant = _perhaps(time_zone_like(self.time_zone, _time_zones()))
            told = f"expected an IANA time zone such as America/Chicago; found {self.time_zone!r}{meant}"
            yield ("time_zone",), told
        for index, language in enumerate(self.languages):
            if language != language.lower() or pycountry.languages.get(alpha_2=language) is None:
                meant = _perhaps(language_like(language))
                told = f"expected a two-letter language code such as es; found {language!r}{meant}"
                yield ("languages", index), told
        for index, region in enumerate(self.licensed_in):
            if (mistake := region_mistake(region)) is not None:
                yield ("licensed_in", index), mistake
        for index, location in enumerate(self.locations):
            if pycountry.countries.get(alpha_2=location.country) is None:
                message = f"expected a two-letter country code such as US; found {location.country!r}"
                yield ("locations", index, "country"), message
            elif location.uses_zip and not re.fullmatch(r"[0-9]{5}", location.postal_code):
                message = f"expected a US ZIP code of five digits; found {location.postal_code!r}"
                yield ("locations", index, "postal_code"), message

    def _criterion_mistakes(self, known: References) -> Iterator[tuple[Place, str]]:
        for index, program in enumerate(self.programs):
            for path in program.weights_in_groups():
                yield ("programs", index, *path), "expected at the whole group under prefer: its parts are not weighed"
            for _, path, leaf in program.named_leaves():
                for place, message in leaf_mistakes(leaf, known.screening, known.conditions):
                    yield ("programs", index, *path, *place), message
                if path[0] in _NOT_BY_BUDGET and subject(leaf) == "budget":
                    message = f"expected budget only under require: what somebody can pay {_NOT_BY_BUDGET[path[0]]}"
                    yield ("programs", index, *path), message
                if isinstance(leaf, Region) and leaf.region == LICENSED and not self.licensed_in:
                    message = "expected the provider to state licensed_in, such as [US-TX, US-OK]"
                    yield ("programs", index, *path, "region"), message


_NOT_BY_BUDGET = {
    "prefer": "plays no part in the order",
    "review_if": "plays no part in whom an expert looks at",
}


class ProviderFile(Document):
    """The whole network as one reviewed file."""

    providers: Annotated[tuple[ProviderDocument, ...], Field(min_length=1)]

    @cached_property
    def by_id(self) -> dict[str, ProviderDocument]:
        return {provider.id: provider for provider in self.providers}

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [provider.id for provider in self.providers]
        refuse(
            (("providers", index, "id"), f"expected each provider to have its own id; found {provider_id!r} again")
            for index, provider_id in enumerate(ids)
            if provider_id in ids[:index]
        )
        return self


def _perhaps(meant: str | None) -> str:
    return f"; did you mean {meant}?" if meant else ""


@cache
def _time_zones() -> frozenset[str]:
    """Read once: the library looks through its files each time."""
    return frozenset(zoneinfo.available_timezones())


def load_providers(path: Path, screening: Screening, conditions: Conditions) -> ProviderFile:
    """Read the network from `path`.

    Raises:
        ConfigurationMistake: the file does not fit, or refers to a question, answer, condition, ZIP code, country,
            language or time zone that does not exist; one problem per mistake, with file, line and column.
    """
    return load(path, ProviderFile, context=References(screening, conditions))


def document_digest(document: ProviderDocument) -> str:
    """SHA-256 (hex) of the document's RFC 8785 canonical JSON. Equal digests mean nothing was changed."""
    return hashlib.sha256(rfc8785.dumps(document.model_dump(mode="json"))).hexdigest()
