"""Which questions of the form would decide a criterion that is unknown; none, where only an expert can."""

from collections.abc import Iterable

from config.conditions import OTHER
from config.criteria import (
    TRAVEL,
    AgeInMonths,
    AgeRange,
    Budget,
    Distance,
    Leaf,
    NumberRange,
    Region,
    SpokenLanguage,
    Travel,
)
from config.providers import ProviderDocument
from pipeline.scoring.facts import Facts
from pipeline.scoring.geography import Place, place, squared_chord, squared_reach
from pipeline.scoring.planes import reach_of, regions_of


def open_questions(leaf: Leaf, facts: Facts, provider: ProviderDocument) -> tuple[str, ...]:
    """What to ask about a leaf that is unknown. An answer such as "not sure" may be given anew."""
    match leaf:
        case NumberRange():
            return (leaf.question,)
        case AgeRange() | AgeInMonths():
            return ("date_of_birth",)
        case Distance():
            return _about_distance(leaf, facts, provider)
        case Region():
            states = [region for region in regions_of(leaf, provider) if region.startswith("US-")]
            return _about_place(facts, zip_matters=bool(states) and "US" not in regions_of(leaf, provider))
        case Budget():
            return ("budget",)
        case SpokenLanguage():
            return ("language",)
        case _:
            own_words = leaf.question == "condition" and facts.answers.get("condition") == OTHER
            return () if own_words else (leaf.question,)


def is_borderline(leaf: Leaf, facts: Facts, provider: ProviderDocument) -> bool:
    """Whether an unknown leaf is so because the fact lies just outside of its limits."""
    match leaf:
        case NumberRange():
            return isinstance(facts.answers.get(leaf.question), int)
        case AgeRange() | AgeInMonths():
            return facts.age is not None
        case Distance() if leaf.distance != TRAVEL and facts.place.point is not None:
            reach = squared_reach(reach_of(leaf)[1])
            points = [location.point for location in _places(provider) if location.point is not None]
            return any(squared_chord(facts.place.point, point) <= reach for point in points)
        case _:
            return False


def _about_distance(leaf: Distance, facts: Facts, provider: ProviderDocument) -> tuple[str, ...]:
    on_the_map = any(location.point is not None for location in _places(provider))
    if leaf.distance != TRAVEL:
        return _about_place(facts, zip_matters=on_the_map)
    if facts.travel is None:
        return ("travel", *_about_place(facts, zip_matters=on_the_map))
    return _about_place(facts, zip_matters=on_the_map and facts.travel is not Travel.NATIONAL)


def _about_place(facts: Facts, *, zip_matters: bool) -> tuple[str, ...]:
    """A US place is known by its ZIP code, any other by its country. One that is not on the map is not asked again."""
    zip_code = ("postal_code",) if zip_matters and "postal_code" not in facts.answers else ()
    if facts.place.country is None:
        return ("country", *zip_code)
    return zip_code if facts.place.country == "US" else ()


def _places(provider: ProviderDocument) -> Iterable[Place]:
    return (place(location.country, location.postal_code) for location in provider.locations)
