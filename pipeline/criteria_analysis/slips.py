"""What may be written, but hardly was meant: a country's code for a state's, `none` among answers, a borrowed name."""

from collections.abc import Iterator

import pycountry

from config.criteria import AgeInMonths, AgeRange, NoneOf, NumberRange, Overlaps, Region, subject
from config.providers import Program, ProviderDocument
from config.screening import Screening
from config.yaml_file import Location
from pipeline.criteria_analysis.findings import OTHERS, Finding, Kind, upkeep, without_effect
from pipeline.criteria_analysis.parts import Part
from pipeline.criteria_analysis.space import limits
from pipeline.scoring.geography import place


def slips(document: ProviderDocument, screening: Screening) -> Iterator[Finding]:
    """Each of a provider's, at the place to change."""
    yield from _licences(document)
    if document.availability.paused:
        yield upkeep(("availability", "paused"), "this provider is matched with nobody while paused is true")
    for index, program in enumerate(document.programs):
        here: Location = ("programs", index)
        yield from _borrowed_names(program, here)
        for _, path, leaf in program.named_leaves():
            if isinstance(leaf, Region) and not isinstance(leaf.region, str):
                yield from _countries_for_states(leaf.region, document, (*here, *path, "region"))
            elif isinstance(leaf, Overlaps | NoneOf):
                yield from _none_listed(leaf, (*here, *path), screening)
            elif isinstance(leaf, NumberRange | AgeRange | AgeInMonths):
                yield from _wide_margin(leaf, (*here, *path))


def _licences(document: ProviderDocument) -> Iterator[Finding]:
    mistaken = list(_countries_for_states(document.licensed_in, document, ("licensed_in",)))
    yield from mistaken
    places = [place(location.country, location.postal_code) for location in document.locations]
    if any(each.region is None for each in places):
        return  # where it is cannot be told, which is told at the ZIP code
    names = {name for each in places for name in (each.country, each.region) if name is not None}
    located = sorted({each.region or str(each.country) for each in places})
    if document.licensed_in and not mistaken and not names & set(document.licensed_in):
        told = (
            f"its locations are in {', '.join(located)}, and this names neither their states nor their countries: "
            "add where it is licensed, or correct this"
        )
        yield upkeep(("licensed_in",), told)


def _countries_for_states(listed: tuple[str, ...], document: ProviderDocument, here: Location) -> Iterator[Finding]:
    countries = {location.country for location in document.locations}
    for index, code in enumerate(listed):
        state = pycountry.subdivisions.get(code=f"US-{code}")  # type: ignore[no-untyped-call]
        country = pycountry.countries.get(alpha_2=code)
        if state is not None and country is not None and code not in countries:
            name = getattr(country, "common_name", country.name)
            told = f"{code} is the country {name}. For the state of {state.name} write US-{code}."
            yield upkeep((*here, index), told)


def _none_listed(leaf: Overlaps | NoneOf, here: Location, screening: Screening) -> Iterator[Finding]:
    none = screening.question(leaf.question).exclusive_option
    key, listed = ("overlaps", leaf.overlaps) if isinstance(leaf, Overlaps) else ("none_of", leaf.none_of)
    if none is None or none not in listed:
        return
    if key == "overlaps":
        told = f"who answers {none}, so has none of {leaf.question}, meets this"
    else:
        told = f"who answers {none}, so has none of {leaf.question}, does not meet this; only who has one can"
    yield Finding(Kind.UPKEEP, (*here, key, listed.index(none)), f"{told}: remove {none} if that is not meant")


def _wide_margin(leaf: NumberRange | AgeRange | AgeInMonths, here: Location) -> Iterator[Finding]:
    at_least, at_most = limits(leaf)
    if leaf.borderline is None or at_least is None or at_most is None:
        return
    inside = at_most - at_least + 1
    if leaf.borderline > inside:
        told = (
            f"the margin of {leaf.borderline} on each side is wider than what it surrounds, {at_least} to {at_most}: "
            "more people wait for an expert than meet this; make it smaller"
        )
        yield without_effect((*here, "borderline"), told)


def _borrowed_names(program: Program, here: Location) -> Iterator[Finding]:
    written = list(program.named_leaves())
    for _, path, leaf in written:
        if leaf.id == subject(leaf):
            continue  # of several that ask the same, one is called so anyhow
        unnamed = [
            (name, other_path, other)
            for name, other_path, other in written
            if other.id is None and subject(other) == leaf.id
        ]
        if unnamed:
            name, other_path, other = unnamed[0]
            told = f"{OTHERS} asks for {leaf.id} too, and is called {name} in explanations as this has its name"
            others = (Part((*here, *other_path), other),)
            yield Finding(Kind.UPKEEP, (*here, *path, "id"), f"{told}: choose another id", others)
