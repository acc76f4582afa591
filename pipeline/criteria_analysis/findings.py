"""What the analysis found, in words for somebody who keeps the network's file and does not program."""

from dataclasses import dataclass
from enum import StrEnum

from config.criteria import AgeInMonths, AgeRange, Group, Leaf, NumberRange, SpokenLanguage
from config.providers import ProviderDocument
from config.screening import LANGUAGES, Screening
from config.yaml_file import Location
from pipeline.criteria_analysis.parts import Part, Role

OTHERS = "{others}"
"""Where a message names other criteria; replaced by their names and lines once these are known."""


class Kind(StrEnum):
    """How a criterion, or a setting of it, is odd."""

    CONTRADICTORY = "contradictory"
    UNREACHABLE = "unreachable"
    VACUOUS = "vacuous"
    SHADOWED = "shadowed"
    NO_EFFECT = "no_effect"
    NOBODY_IN_SAMPLE = "nobody_in_sample"
    UPKEEP = "upkeep"


@dataclass(frozen=True, slots=True)
class Finding:
    """One odd thing. `others` are the criteria that its message speaks of."""

    kind: Kind
    location: Location
    message: str
    others: tuple[Part, ...] = ()


_IF_NOBODY = {
    Role.REQUIRE: "so nobody can ever fit this program",
    Role.EXCLUDE: "so it excludes nobody",
    Role.ALTERNATIVE: "so this alternative lets nobody in",
    Role.PREFER: "so it never gives points",
    Role.REVIEW: "so it never asks for an expert",
}
_IF_EVERYBODY = {
    Role.REQUIRE: "so it excludes nobody",
    Role.EXCLUDE: "so nobody can ever fit this program",
    Role.ALTERNATIVE: "so the other alternatives beside it do not matter",
    Role.PREFER: "so everybody gets its points and it tells nobody apart",
    Role.REVIEW: "so everybody whom the program takes waits for an expert",
}


def never_met(part: Part, document: ProviderDocument, screening: Screening) -> Finding:
    """Nobody can meet it, whatever else they say."""
    cause = _cause(part.criterion, document, screening)
    return Finding(Kind.UNREACHABLE, part.location, f"{cause}, {_IF_NOBODY[part.role]}: change or remove it")


def never_met_beside(part: Part, others: tuple[Part, ...]) -> Finding:
    """Nobody who meets the others can meet it."""
    message = f"nobody who fits {OTHERS} can meet this, {_IF_NOBODY[part.role]}: change one of them, or remove this"
    return Finding(Kind.UNREACHABLE, part.location, message, others)


def always_met(part: Part, screening: Screening, *, may_be_left_out: bool) -> Finding:
    """Everybody meets it, or everybody who answers its question."""
    if may_be_left_out and part.role in {Role.REQUIRE, Role.ALTERNATIVE}:
        told = "every answer meets this, so it only makes sure that the question is answered"
        return Finding(Kind.VACUOUS, part.location, f"{told}: list fewer answers, or remove it")
    who = "whoever answers" if may_be_left_out else "everybody"
    cause = f"{who} meets this{_range_of(part.criterion, screening)}"
    return Finding(Kind.VACUOUS, part.location, f"{cause}, {_IF_EVERYBODY[part.role]}: change or remove it")


def always_met_beside(part: Part, others: tuple[Part, ...]) -> Finding:
    """Who meets the others meets it too."""
    message = f"everybody who fits {OTHERS} meets this as well, {_IF_EVERYBODY[part.role]}: change or remove it"
    return Finding(Kind.VACUOUS, part.location, message, others)


def contradictory(part: Part, others: tuple[Part, ...]) -> Finding:
    """All of them together can be met by nobody."""
    both = "both this and" if len(others) == 1 else "all of this,"
    message = f"nobody can fit {both} {OTHERS}: change one of them"
    return Finding(Kind.CONTRADICTORY, part.location, message, others)


def shadowed(part: Part, other: Part) -> Finding:
    """It changes nothing beside the other."""
    if part.excludes and other.excludes:
        told = f"whoever meets this is already excluded by {OTHERS}"
    elif part.excludes:
        told = f"nobody who fits {OTHERS} meets this, so it excludes nobody else"
    else:
        told = f"everybody who fits {OTHERS} fits this as well"
    return Finding(Kind.SHADOWED, part.location, f"{told}: it adds nothing; change or remove one of the two", (other,))


def shadowed_alternative(part: Part, other: Part) -> Finding:
    """The other already lets in everybody whom it lets in."""
    message = f"whoever meets this meets {OTHERS} as well: it adds nothing; change or remove one of the two"
    return Finding(Kind.SHADOWED, part.location, message, (other,))


def _cause(criterion: Leaf | Group, document: ProviderDocument, screening: Screening) -> str:
    match criterion:
        case NumberRange() | AgeRange() | AgeInMonths():
            return f"nobody can meet this{_range_of(criterion, screening)}"
        case SpokenLanguage():
            spoken, asked = ", ".join(document.languages), ", ".join(LANGUAGES)
            return f"nobody can meet this, as the form asks for {asked} and the provider speaks {spoken}"
        case _:
            return "nobody can meet this"


def _range_of(criterion: Leaf | Group, screening: Screening) -> str:
    match criterion:
        case NumberRange():
            question = screening.question(criterion.question)
            return f", as {question.id} goes from {question.minimum} to {question.maximum}"
        case AgeRange() | AgeInMonths():
            return ", as the form takes people of 0 to 120 years"
        case _:
            return ""


def program_never_better(location: Location, earlier: str) -> Finding:
    """An earlier program of the provider takes everybody whom this one takes, with the same points."""
    message = (
        f"everybody whom this program takes is taken by {earlier}, which stands before it, with the same points: "
        "nobody is ever referred to this one; give it requirements or preferences of its own"
    )
    return Finding(Kind.SHADOWED, location, message)


def without_effect(location: Location, message: str) -> Finding:
    """A setting of a criterion that changes nothing."""
    return Finding(Kind.NO_EFFECT, location, message)


def nobody_in_sample(location: Location, most: Part, size: int, times: int) -> Finding:
    """Not one of so many made-up people fits, and one criterion stood in the way of most of them."""
    message = (
        f"not one of {size} made-up people who ask about its conditions and live near it fits this program; "
        f"{OTHERS} stood in the way of {times} of them: check it, or expect very few referrals"
    )
    return Finding(Kind.NOBODY_IN_SAMPLE, location, message, (most,))


def upkeep(location: Location, message: str) -> Finding:
    """Something beside the criteria that is out of date or does not agree with itself."""
    return Finding(Kind.UPKEEP, location, message)
