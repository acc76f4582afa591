"""The schema that editors use says of a file what reading it would say, as far as a schema can."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from config.conditions import Conditions
from config.criteria import Group, Leaf
from config.providers_schema import providers_json_schema
from config.screening import Screening
from config.sources import _File
from config.yaml_file import _Loader
from config.yaml_words import PATTERNS
from tests.config.shipped import FOLDER
from tests.config.test_providers import SMALL

SCHEMA = providers_json_schema()


def mistakes(text: str) -> list[jsonschema.ValidationError]:
    document = yaml.load(text, _Loader)  # noqa: S506 - the project's own safe loader
    return list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document))


def test_the_committed_schema_is_up_to_date() -> None:
    committed = json.loads((FOLDER / "providers.schema.json").read_text(encoding="utf-8"))
    assert committed == SCHEMA, "run: careroute providers schema > config/providers.schema.json"


def test_the_shipped_network_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert mistakes((FOLDER / "providers.yaml").read_text(encoding="utf-8")) == []
    assert mistakes(SMALL) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("max_open: 5", "max_open: five", ["capacity", "max_open"]),
        ("max_open: 5, ", "", ["capacity"]),
        ("max_per_day: 2", "max_per_day: null", ["capacity", "max_per_day"]),
        ("max_per_day: 2", "max_per_day: 2, max_per_year: 9", ["capacity"]),
        ("max_per_day: 2", "max_per_day: 2, max_per_week: null", ["capacity", "max_per_week"]),
        ("distance: travel", "distance: 20 leagues", ["programs", 0, "require", 2]),
        ("distance: travel", "nearby: true", ["programs", 0, "require", 2]),
        ("distance: travel", "age: {}", ["programs", 0, "require", 2]),
        ("distance: travel", "any: []", ["programs", 0, "require", 2]),
        ("distance: travel", "any: [{none: [{question: severity}]}]", ["programs", 0, "require", 2]),
        ("kind: clinic", "kind: hospital", ["programs", 0, "kind"]),
        ("es: Clínica", "fr: Clinique", ["programs", 0, "name"]),
    ],
)
def test_a_broken_file_is_not(old: str, new: str, where: list[str | int]) -> None:
    assert SMALL.count(old) == 1
    assert ["providers", 0, *where] in [list(mistake.absolute_path) for mistake in mistakes(SMALL.replace(old, new))]


def test_every_kind_of_criterion_is_one_definition_with_a_title_and_its_meaning() -> None:
    kinds = {option["$ref"].removeprefix("#/$defs/") for option in SCHEMA["$defs"]["Criterion"]["anyOf"]}
    assert kinds == {kind.__name__ for kind in (*Leaf.__args__, *Group.__args__)}
    for name in kinds:
        definition = SCHEMA["$defs"][name]
        assert definition["additionalProperties"] is False
        assert definition["title"]
        assert definition["description"]
    for section in ("require", "inclusion", "exclusion", "prefer", "review_if"):
        assert SCHEMA["$defs"]["Program"]["properties"][section]["items"] == {"$ref": "#/$defs/Criterion"}


def test_every_pattern_is_said_in_words() -> None:
    schemas = (SCHEMA, *(model.model_json_schema() for model in (Screening, Conditions, _File)))
    assert {pattern for schema in schemas for pattern in patterns(schema)} == set(PATTERNS)


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from patterns(each)
