"""Looks a provider file over before it is published: what is wrong with it, and what is only odd."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from config.conditions import Conditions
from config.providers import Capacity, ProviderDocument, ProviderFile, References
from config.screening import Screening
from config.yaml_file import CannotBeRead, ConfigurationMistake, Location, Problem, read
from pipeline.criteria_analysis.findings import OTHERS, Finding, upkeep
from pipeline.criteria_analysis.parts import Part
from pipeline.criteria_analysis.program import may_take_somebody, odd_criteria
from pipeline.criteria_analysis.sample import takes_nobody
from pipeline.criteria_analysis.slips import slips
from pipeline.criteria_analysis.space import Space
from pipeline.scoring.geography import place

EXPIRES_SOON = timedelta(days=30)
DEFAULT_SAMPLE = 2_000
"""People made up for each program. A program that takes one in three hundred is found to take somebody."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, in the order of the file. A file with errors is not looked over for more."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    providers: int = 0
    programs: int = 0


def check_providers(
    file: Path, screening: Screening, conditions: Conditions, at: datetime, sample: int = DEFAULT_SAMPLE
) -> Checked:
    """Everything that is wrong or odd at the moment `at`. `sample` people are made up for each program; 0 for none.

    Raises:
        CannotBeRead: there is no such file, or it may not be read.
    """
    try:
        found = read(file, ProviderFile, context=References(screening, conditions))
    except CannotBeRead:
        raise
    except ConfigurationMistake as mistake:
        return Checked(mistake.problems)
    warnings = [
        warning
        for index, document in enumerate(found.model.providers)
        for warning in _warnings(document, ("providers", index), found.problem, screening, conditions, at, sample)
    ]
    return Checked(
        errors=(),
        warnings=tuple(sorted(warnings, key=lambda problem: (problem.line, problem.column))),
        providers=len(found.model.providers),
        programs=_programs(found.model),
    )


def _programs(file: ProviderFile) -> int:
    return sum(len(document.programs) for document in file.providers)


def _warnings(
    document: ProviderDocument,
    here: Location,
    problem: Callable[[Location, str], Problem],
    screening: Screening,
    conditions: Conditions,
    at: datetime,
    sample: int,
) -> Iterator[Problem]:
    def named(part: Part) -> str:
        return f"{part.name} (line {problem((*here, *part.location), '').line})"

    for finding in _findings(document, screening, conditions, at, sample):
        others = " and ".join(named(part) for part in finding.others)
        yield problem((*here, *finding.location), finding.message.replace(OTHERS, others))


def _findings(
    document: ProviderDocument, screening: Screening, conditions: Conditions, at: datetime, sample: int
) -> Iterator[Finding]:
    today = at.astimezone(ZoneInfo(document.time_zone)).date()
    yield from _credentials(document, today)
    yield from _absences(document, today)
    yield from _places(document)
    yield from _capacity(document.capacity)
    yield from slips(document, screening)
    space = Space(document, screening, conditions)
    yield from odd_criteria(document, space)
    for index, program in enumerate(document.programs):
        # What can take nobody at all is told already, with its reason.
        if sample and may_take_somebody(program, space):
            found = takes_nobody(document, index, sample, screening, conditions, at)
            yield from [found] if found is not None else []


def _credentials(document: ProviderDocument, today: date) -> Iterator[Finding]:
    for index, credential in enumerate(document.credentials):
        here: Location = ("credentials", index, "expires_on")
        if credential.expires_on < today:
            told = f"{credential.name} has expired: nobody is matched with this provider until it is renewed here"
            yield upkeep(here, told)
        elif credential.expires_on <= today + EXPIRES_SOON:
            days = (credential.expires_on - today).days
            when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
            told = (
                f"{credential.name} expires {when}: enter the new date in time, or nobody is matched from the day after"
            )
            yield upkeep(here, told)


def _absences(document: ProviderDocument, today: date) -> Iterator[Finding]:
    for index, absence in enumerate(document.availability.absences):
        if absence.last_day < today:
            yield upkeep(("availability", "absences", index), "this absence is over: remove it, or correct its year")


def _places(document: ProviderDocument) -> Iterator[Finding]:
    for index, location in enumerate(document.locations):
        if location.uses_zip and place(location.country, location.postal_code).point is None:
            told = (
                f"no place is known for the ZIP code {location.postal_code}, so no distance to it can be told: "
                "check it, or enter the ZIP code of the nearest town"
            )
            yield upkeep(("locations", index, "postal_code"), told)


def _capacity(capacity: Capacity) -> Iterator[Finding]:
    caps = [("max_per_day", "day"), ("max_per_week", "week"), ("max_per_month", "month")]
    stated = [(key, span, getattr(capacity, key)) for key, span in caps if getattr(capacity, key) is not None]
    for index, (key, span, most) in enumerate(stated):
        lower = next(((longer, cap) for _, longer, cap in stated[index + 1 :] if cap < most), None)
        if lower is not None:
            told = (
                f"{most} a {span} are never reached, as at most {lower[1]} a {lower[0]} are allowed: change one of them"
            )
            yield upkeep(("capacity", key), told)
    target, month = capacity.target_per_month, capacity.max_per_month
    if target is not None and month is not None and target > month:
        told = (
            f"a target of {target} a month is never reached, as at most {month} a month are allowed: change one of them"
        )
        yield upkeep(("capacity", "target_per_month"), told)
