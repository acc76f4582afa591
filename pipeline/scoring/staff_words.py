"""What a criterion says, in one short English line for staff: by ids, as the provider file has it."""

from collections.abc import Iterable

from config.criteria import (
    LICENSED,
    TRAVEL,
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Equals,
    Leaf,
    NoneOf,
    NumberRange,
    OneOf,
    Overlaps,
    Region,
    SpokenLanguage,
)

_MOST_LISTED = 6

REVIEW_REASONS = {
    "free_text_condition": "the condition is in the person's own words",
    "contradiction": "answers contradict each other",
    "expert_rule": "a program's own rule asks for an expert",
    "borderline": "an answer is just outside of a program's limits",
    "information_missing": "no program fits yet, and answers are missing that would decide",
    "not_decidable": "no program fits yet, and no question of the form would decide",
}
OUTCOMES = {"candidate": "candidate", "needs_review": "needs review", "no_match": "no match"}
CLOSED = {"paused": "paused", "credential_expired": "a credential has expired"}


def describe(leaf: Leaf) -> str:
    """What has to be so for the leaf to be met."""
    match leaf:
        case Equals():
            return f"{leaf.question} is {leaf.equals}"
        case OneOf():
            return f"{leaf.question} is one of {_listed(leaf.one_of)}"
        case NoneOf():
            return f"{leaf.question} has none of {_listed(leaf.none_of)}"
        case Overlaps():
            return f"{leaf.question} has one or more of {_listed(leaf.overlaps)}"
        case Budget():
            return f"budget is one of {_listed(leaf.budget)}"
        case SpokenLanguage():
            return "the provider speaks the person's language"
        case _:
            return _describe_limits(leaf)


def _describe_limits(leaf: NumberRange | AgeRange | AgeInMonths | Distance | Region) -> str:
    match leaf:
        case NumberRange():
            return f"{leaf.question} is {_span(leaf.at_least, leaf.at_most)}{_margin(leaf.borderline)}"
        case AgeRange():
            return f"age is {_span(leaf.age.at_least, leaf.age.at_most)} years{_margin(leaf.borderline)}"
        case AgeInMonths():
            return f"age is {_span(leaf.age_months.at_least, leaf.age_months.at_most)} months{_margin(leaf.borderline)}"
        case Distance() if leaf.distance == TRAVEL:
            return "a location is as near as the person will travel"
        case Distance():
            return f"a location is within {leaf.distance}{_margin(leaf.borderline)}"
        case Region() if leaf.region == LICENSED:
            return "the person lives where the provider is licensed"
        case Region():
            return f"the person lives in {_listed(leaf.region)}"


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    further = len(all_names) - _MOST_LISTED
    if further <= 1:
        return ", ".join(all_names)
    return f"{', '.join(all_names[:_MOST_LISTED])} and {further} more"


def _span(at_least: int | None, at_most: int | None) -> str:
    if at_least is None:
        return f"at most {at_most}"
    return f"at least {at_least}" if at_most is None else f"{at_least} to {at_most}"


def _margin(borderline: int | None) -> str:
    return "" if borderline is None else f" (borderline: up to {borderline} outside)"
