"""What pydantic finds wrong, in words for somebody who edits a configuration file and does not program."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.yaml_syntax import ODD_SPACE, has_odd_space

Place = tuple[str | int, ...]

PATTERNS: Mapping[str, str] = {
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "lower-case letters, digits and single hyphens, such as blue-mesa",
    r"^[a-z0-9]+([_-][a-z0-9]+)*$": "lower-case letters, digits, and single hyphens or underscores, such as back-pain",
    r"^[a-z][a-z0-9_]{0,39}$": "at most 40 lower-case letters, digits and underscores, such as first_name",
    r"^[a-z][a-z0-9-]{0,39}$": "at most 40 lower-case letters, digits and hyphens, such as network-site",
    r"^env:[A-Z][A-Z0-9_]*$": "env: and the name of a variable in capitals, such as env:SITE_KEY",
    r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$": "an email address, such as referrals@blue-mesa.example",
    r"^[A-Z]{2}$": "a two-letter country code in capitals, such as US",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$": "a time from 00:00 to 24:00 with four digits, such as 08:30",
    r"^(travel|[1-9][0-9]{0,4} (miles|km))$": "travel, or a distance such as 50 miles or 80 km",
    r"^[0-9A-Za-z][0-9A-Za-z.-]{0,39}$": "at most 40 letters, digits, dots and hyphens, such as 2026-11-01",
    r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$": "an ICD-10-CM code, such as M79.7",
}
"""What text has to look like, by the pattern it is held against. A pattern that is not here is shown as it is."""

SYNONYMS: Mapping[str, str] = {
    "min": "at_least",
    "minimum": "at_least",
    "from": "at_least",
    "over": "at_least",
    "max": "at_most",
    "maximum": "at_most",
    "to": "at_most",
    "under": "at_most",
}
"""Keys that somebody may write, and the one that is meant."""

NEEDS_QUOTES = "a text with a comma needs quotes"
_BESIDE_LIMITS = frozenset({"id", "person", "weight", "ask", "borderline"})
_OF_CRITERIA = frozenset({"require", "inclusion", "exclusion", "prefer", "review_if", "all", "any", "none"})


def problems_in_words(
    details: Iterable[ErrorDetails], model: type[BaseModel], value: object
) -> Iterator[tuple[Place, str]]:
    """(location in the file, what is expected) of each mistake that pydantic found in `value`.

    A mistake that only follows from another one is left out. A place where one of several things may stand is told
    once. A model with `hide_input_in_errors` keeps what it found out of the messages.
    """
    hidden = bool(model.model_config.get("hide_input_in_errors"))
    by_place: dict[Place, list[ErrorDetails]] = {}
    branches: set[Place] = set()
    for detail in details:
        place = _place(detail, value)
        by_place.setdefault(place, []).append(detail)
        if len(place) < len(detail["loc"]):
            branches.add(place)
    for place, found in by_place.items():
        beneath = [other for other in by_place if len(other) > len(place) and other[: len(place)] == place]
        follows = beneath and (place in branches or all(detail["type"] == "too_short" for detail in found))
        if not follows and not _follows_from_a_list(place, found, by_place, value):
            yield place, _message(found, model, place, value, hidden=hidden)


def _follows_from_a_list(
    place: Place, found: Sequence[ErrorDetails], by_place: Mapping[Place, object], value: object
) -> bool:
    """Whether it is the rest of a list without brackets, which has its own mistake: `one_of: a, b` in braces."""
    if found[0]["type"] != "extra_forbidden" or not place:
        return False
    above = _at(value, place[:-1])
    keys = list(above) if isinstance(above, dict) else []
    index = keys.index(place[-1]) if place[-1] in keys else 0
    while index > 0 and above[keys[index]] is None:
        index -= 1
    return index < len(keys) and keys[index] != place[-1] and (*place[:-1], keys[index]) in by_place


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def _place(detail: ErrorDetails, value: object) -> Place:
    """Where it stands in the file: pydantic also names the branch of a union, such as `str`, which is not there."""
    place: list[str | int] = []
    here = value
    for index, part in enumerate(detail["loc"]):
        last = index == len(detail["loc"]) - 1
        if isinstance(here, dict | list) and _is_in(part, here):
            here = here[part]  # type: ignore[index]
        elif not last or detail["type"] not in {"missing", "configuration"}:
            continue
        place.append(part)
    return tuple(place)


def _is_in(part: str | int, here: dict[str, object] | list[object]) -> bool:
    return part in here if isinstance(here, dict) else isinstance(part, int) and part < len(here)


def _message(
    found: Sequence[ErrorDetails], model: type[BaseModel], place: Place, value: object, *, hidden: bool
) -> str:
    kind = found[0]["type"]
    if kind == "missing":
        return "expected this key; it is missing"
    if kind == "extra_forbidden":
        return _unknown_key(model, place, value)
    if kind in {"configuration", "value_error"}:
        return found[0]["msg"].removeprefix("Value error, ")
    expected = " or ".join(dict.fromkeys(_expected(detail) for detail in found))
    shown = found[0]["input"]
    if isinstance(shown, dict) and kind in {"tuple_type", "list_type"}:
        return f"expected a list: begin each {_part_of(place)}"
    if hidden or isinstance(shown, dict | list):
        return f"expected {expected}"
    if isinstance(shown, str) and has_odd_space(shown):
        return ODD_SPACE
    quoted = kind == "string_type" and isinstance(shown, int | float) and not isinstance(shown, bool)
    hint = f': put it in quotes, "{shown}"' if quoted and len(found) == 1 else _meant(found[0])
    return f"expected {expected}; found {_as_written(shown)}{hint}"


def _part_of(place: Place) -> str:
    return "criterion with a dash: - {…}" if place and place[-1] in _OF_CRITERIA else "part with a dash: - …"


def _meant(detail: ErrorDetails) -> str:
    """What may be meant by a word that is not one of those expected."""
    shown, context = detail["input"], detail.get("ctx", {})
    if not isinstance(shown, str) or detail["type"] not in {"literal_error", "enum"}:
        return ""
    options = re.findall(r"'([^']*)'", str(context["expected"]))
    plain = shown.lower().replace(" ", "_")
    near = [
        each for each in options if plain and (plain.startswith(each) or each.startswith(plain))
    ] or get_close_matches(plain, options, n=1)
    return f"; did you mean {near[0]}?" if near else ""


_EXPECTED = {
    "string_type": "text",
    "string_too_short": "some text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list, such as [a, b]",
    "list_type": "a list, such as [a, b]",
    "dict_type": "keys and values under it",
    "too_short": "at least one thing in the list",
}


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case kind if kind in _EXPECTED:
            return _EXPECTED[kind]
        case "literal_error" | "enum":
            options = str(context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"one of {options}" if "," in options else options
        case "string_pattern_mismatch":
            return PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
        case "string_too_long":
            return f"at most {context['max_length']} characters"
        case "model_type" | "model_attributes_type":
            return f"keys under it{_keys_beneath(detail)}{_limits_such_as(detail)}"
        case "greater_than_equal":
            return f"{context['ge']} or more"
        case "less_than_equal":
            return f"{context['le']} or less"
        case kind if kind.startswith("date"):
            return "a date, such as 2026-11-30"
        case _:
            told = detail["msg"].replace("Input should be ", "").replace("should", "is expected to")
            return told[0].lower() + told[1:]


def _keys_beneath(detail: ErrorDetails) -> str:
    name = detail.get("ctx", {}).get("class_name")
    if name is None:
        return ""
    fields = next((each.model_fields for each in _subclasses(BaseModel) if each.__name__ == name), {})
    return f" ({', '.join(fields)})" if fields else ""


def _limits_such_as(detail: ErrorDetails) -> str:
    if "at_least" not in _keys_beneath(detail):
        return ""
    numbers = re.findall(r"[0-9]+", str(detail["input"]))
    lower = numbers[0] if numbers else "21"
    upper = numbers[1] if len(numbers) > 1 else None
    return f", such as {{at_least: {lower}, at_most: {upper}}}" if upper else f", such as {{at_least: {lower}}}"


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _as_written(shown: object) -> str:
    if isinstance(shown, bool):
        return str(shown).lower()
    return "nothing" if shown is None else repr(shown)


def _unknown_key(model: type[BaseModel], place: Place, value: object) -> str:
    keys = _keys_of(model, place[:-1], value)
    key = str(place[-1])
    first, space, _ = key.partition(" ")
    if _at(value, place) is None and first in keys and space:
        return f"a colon is missing after {first}"
    if _at(value, place) is None and (space or set(keys) == {"en", "es"}):
        return NEEDS_QUOTES
    if keys == ["at_least", "at_most"] and key in _BESIDE_LIMITS:
        return f"expected {key} beside {place[-2]}, not under it"
    if tight := told_if_tight(key):
        return tight
    if (meant := SYNONYMS.get(key)) in keys:
        return f"unknown key; expected one of {', '.join(keys)}; did you mean {meant}?"
    if not keys:
        return "this key does not go together with those beside it; write two, or remove one"
    near = get_close_matches(key, keys, n=1)
    return f"unknown key; expected one of {', '.join(keys)}" + (f"; did you mean {near[0]}?" if near else "")


def told_if_tight(key: str) -> str | None:
    """That `age:18`, which is one word to YAML, lacks a space; `None` for any other key."""
    before, colon, after = key.partition(":")
    return f"a space is missing after the colon: write {before}: {after}" if colon and before and after else None


def _keys_of(model: type[BaseModel], place: Place, value: object) -> list[str]:
    """The keys allowed in the mapping at `place` of a `model`, or nothing if that is not plain to see.

    Of several models that may stand there it is the one that has the most of the keys there are.
    """
    here: Any = model
    for part in place:
        chosen = _model_like(here, value)
        value = value[part]  # type: ignore[index]
        if chosen is not None and isinstance(part, str) and part in chosen.model_fields:
            here = chosen.model_fields[part].annotation
        elif isinstance(part, str):
            return []
    chosen = _model_like(here, value)
    return list(chosen.model_fields) if chosen is not None else []


def _model_like(annotation: object, value: object) -> type[BaseModel] | None:
    models = list(dict.fromkeys(_models_in(annotation)))
    if len(models) <= 1:
        return models[0] if models else None
    keys = set(value) if isinstance(value, dict) else set()
    counts = [len(keys & set(each.model_fields)) for each in models]
    best = [each for each, count in zip(models, counts, strict=True) if count == max(counts)]
    return best[0] if len(best) == 1 else None


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
