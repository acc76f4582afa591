"""Every warning about a criterion is held against the plain meaning of matching: it is never a false alarm."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from config.criteria import Group, Leaf
from config.providers import Program, ProviderDocument
from config.screening import LANGUAGES
from config.yaml_file import Location
from pipeline.criteria_analysis.findings import Finding, Kind
from pipeline.criteria_analysis.program import may_take_somebody, odd_criteria
from pipeline.criteria_analysis.regions import Region
from pipeline.criteria_analysis.space import AGE, FAILED, HOME, MET, Space, fact_of
from tests.config.shipped import CONDITIONS, SCREENING
from tests.pipeline.scoring import naive
from tests.pipeline.scoring.network_files import program, provider
from tests.pipeline.scoring.strategies import PLACES, RECEIVED, REGIONS, some_answers, some_of, trees

PROVIDERS = 200
PEOPLE = 150
DECIDING = {"require", "inclusion", "exclusion"}


@cache
def people() -> list[dict[str, naive.Answer]]:
    random = Random(7)
    everybody = [some_answers(random, malformed=False) for _ in range(PEOPLE)]
    return [answers for answers in everybody if answers.get("language", "en") in LANGUAGES]


def providers() -> list[ProviderDocument]:
    return [a_provider(Random(seed)) for seed in range(PROVIDERS)]


def a_provider(random: Random) -> ProviderDocument:
    """Two programs of random trees; the second sometimes asks for more than the first, with equal preferences."""
    used: list[dict[str, Any]] = []
    first = a_program(random, "first", used)
    second = a_program(random, "second", used)
    if first["require"] and random.random() < 0.3:
        more = trees(random, used, 0, 1)
        second = program([*first["require"], *more], first["prefer"], id="second")
    locations = [
        {"id": f"at-{number}", "city": "Somewhere", "country": country, "postal_code": postal_code}
        for number, (country, postal_code) in enumerate(random.sample(PLACES, random.randint(1, 3)))
    ]
    languages = some_of(random, ["en", "es", "fr"])
    licensed_in = some_of(random, REGIONS, at_least=0)
    return provider(first, second, languages=languages, licensed_in=licensed_in, locations=locations)


def a_program(random: Random, program_id: str, used: list[dict[str, Any]]) -> dict[str, Any]:
    prefer = trees(random, used, 0, 3)
    if random.random() < 0.5:
        review_if = trees(random, used, 0, 2)
        return program(trees(random, used, 1, 4), prefer, id=program_id, review_if=review_if)
    return program(
        trees(random, used, 0, 1),
        prefer,
        id=program_id,
        kind="study",
        irb={"name": "Fictional Board", "number": "F-1", "approved_on": "2026-02-01"},
        inclusion=trees(random, used, 1, 3),
        exclusion=trees(random, used, 0, 2),
    )


def at(document: ProviderDocument, location: Location) -> Any:
    here: Any = document
    for part in location:
        here = here[part] if isinstance(part, int) else getattr(here, part)
    return here


def letter(criterion: Leaf | Group, document: ProviderDocument, answers: naive.Answers) -> str:
    return naive.judge_tree(criterion, document, answers, RECEIVED).replace("b", "u")


def takes(program: Program, document: ProviderDocument, answers: naive.Answers) -> str:
    return naive.eligible(program, document, answers, RECEIVED).replace("b", "u")


def without(document: ProviderDocument, location: Location) -> ProviderDocument | None:
    """The document without what stands there, and without lists that this leaves empty; `None` if that says nothing."""
    stored = document.model_dump(mode="json")
    while True:
        holder: Any = stored
        for part in location[:-1]:
            holder = holder[part]
        del holder[location[-1]]
        if holder or location[-2] in {"require", "inclusion", "exclusion", "prefer", "review_if", "unknown"}:
            break
        location = location[:-2]
    try:
        return ProviderDocument.model_validate(stored)
    except ValidationError:
        return None


def told_by_section(document: ProviderDocument, location: Location, answers: naive.Answers) -> object:
    """What the section in which a criterion stands comes to, by every criterion that is not itself removed."""
    offered = document.programs[int(location[1])]
    section = location[2]
    if section in DECIDING:
        return takes(offered, document, answers)
    if section == "review_if":
        return naive.for_an_expert(offered, document, answers, RECEIVED)
    return naive.points(offered, document, answers, RECEIVED)


def check_shadowed(document: ProviderDocument, finding: Finding) -> None:
    if len(finding.location) == 2:
        later = document.programs[int(finding.location[1])]
        [earlier] = [each for each in document.programs if f"taken by {each.id}," in finding.message]
        for answers in people():
            if takes(later, document, answers) == "m":
                assert takes(earlier, document, answers) == "m"
                points = [naive.points(each, document, answers, RECEIVED) for each in (earlier, later)]
                assert points[0] == points[1]
    elif (rest := without(document, finding.location)) is not None:
        for answers in people():
            before = told_by_section(document, finding.location, answers)
            assert told_by_section(rest, finding.location, answers) == before


def check_unreachable(document: ProviderDocument, finding: Finding) -> None:
    offered, criterion = document.programs[int(finding.location[1])], at(document, finding.location)
    for answers in people():
        if letter(criterion, document, answers) == "m":
            assert finding.others
            assert takes(offered, document, answers) != "m"


def check_vacuous(document: ProviderDocument, finding: Finding) -> None:
    offered, criterion = document.programs[int(finding.location[1])], at(document, finding.location)
    for answers in people():
        found = letter(criterion, document, answers)
        if finding.others:
            assert found == "m" or takes(offered, document, answers) != "m"
        else:
            assert found != "n"


def check_contradictory(document: ProviderDocument, finding: Finding) -> None:
    """The parts it names, of which those under `none` and `exclusion` have to be not met, are never all in order."""
    if len(finding.others) > 3:
        return  # not all of them are named
    first = finding.others[0]
    excludes = first.excludes ^ turned_around(first.location, finding.location)
    excludes ^= turned_around(finding.location, first.location)
    together = [(at(document, finding.location), excludes)]
    together += [(other.criterion, other.excludes) for other in finding.others]
    wanted = ["n" if excludes else "m" for _, excludes in together]
    for answers in people():
        assert [letter(criterion, document, answers) for criterion, _ in together] != wanted


def turned_around(location: Location, other: Location) -> bool:
    """Whether what stands there is under an odd number of negations that the other is not under."""
    shared = next(
        (place for place, (one, two) in enumerate(zip(location, other, strict=False)) if one != two), len(other)
    )
    return sum(part in {"none", "exclusion"} for part in location[shared:]) % 2 == 1


def check_no_effect(document: ProviderDocument, finding: Finding) -> None:
    names = ("unknown", "borderline", "age", "age_months", "at_least", "at_most")
    leaf = finding.location[: next(place for place, part in enumerate(finding.location) if part in names)]
    rest = without(document, finding.location)
    if rest is not None:
        for answers in people():
            assert letter(at(document, leaf), document, answers) == letter(at(rest, leaf), rest, answers)


CHECKS: dict[Kind, Callable[[ProviderDocument, Finding], None]] = {
    Kind.SHADOWED: check_shadowed,
    Kind.UNREACHABLE: check_unreachable,
    Kind.VACUOUS: check_vacuous,
    Kind.CONTRADICTORY: check_contradictory,
    Kind.NO_EFFECT: check_no_effect,
}


@pytest.mark.parametrize("part", range(4))
def test_what_is_told_is_true_of_everybody(part: int) -> None:
    seen: Counter[Kind] = Counter()
    for document in providers()[part::4]:
        for finding in odd_criteria(document, Space(document, SCREENING, CONDITIONS)):
            seen[finding.kind] += 1
            CHECKS[finding.kind](document, finding)
    assert set(seen) == set(CHECKS), "the random networks show every kind of oddness"


def test_a_program_that_can_take_nobody_takes_nobody() -> None:
    taking_nobody = 0
    for document in providers():
        space = Space(document, SCREENING, CONDITIONS)
        for offered in document.programs:
            if not may_take_somebody(offered, space):
                taking_nobody += 1
                assert not any(takes(offered, document, answers) == "m" for answers in people())
    assert taking_nobody > 20


LEAVES: list[dict[str, Any]] = [
    {"question": "severity", "at_least": 3, "at_most": 6, "borderline": 2},
    {"question": "onset_months", "at_most": 11},
    {"question": "severity", "equals": 4},
    {"age": {"at_least": 18, "at_most": 64}, "borderline": 1},
    {"age_months": {"at_least": 12, "at_most": 66}, "borderline": 6},
    {"region": "licensed"},
    {"region": ["US", "MX"]},
    {"region": ["US-PR", "DE"]},
    {"question": "country", "none_of": ["US"]},
    {"question": "condition", "one_of": ["lupus"], "unknown": ["autism"]},
    {"budget": ["nothing"], "unknown": ["undecided"]},
]


@pytest.mark.parametrize("number", range(len(LEAVES)))
def test_a_fact_has_the_verdict_of_the_plain_meaning(number: int) -> None:
    document = provider(program(LEAVES), licensed_in=["US-TX", "DE"])
    space, leaf = Space(document, SCREENING, CONDITIONS), document.programs[0].require[number]
    assert not isinstance(leaf, Group)
    seen = set()
    for answers in people():
        found = letter(leaf, document, answers)
        seen.add(found)
        regions = [space.region(leaf, MET), space.region(leaf, FAILED)]
        assert [holds(region, leaf, space, answers) for region in regions] == [found == "m", found == "n"]
    assert len(seen) > 1


def holds(region: Region, leaf: Leaf, space: Space, answers: naive.Answers) -> bool:
    """Whether the fact that a person's answers tell is in a region about this one fact."""
    fact = fact_of(leaf)
    values = space._values[fact]
    value: Any = answers.get(fact)
    if fact == AGE:
        value = naive._months_of_age(answers, RECEIVED)
    elif fact == HOME and value == "US":
        state = naive._zip_codes().get(str(answers.get("postal_code"))[:5])
        value = f"US-{state[0]}" if state else "US"
    if isinstance(value, int):
        value = max(each for each in values if isinstance(each, int) and each <= value)
    return any(bool(each[fact].bits >> values.index(value) & 1) for each in region)  # type: ignore[union-attr]
