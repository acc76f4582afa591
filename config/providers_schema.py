"""The provider file as JSON Schema, from the models that read it, for editors that complete and check."""

import re
from typing import Any

from config.providers import ProviderFile
from config.yaml_words import PATTERNS

_WITH_EITHER_END = ("NumberRange", "Years", "Months")


def providers_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `providers.yaml`.

    It is less strict than reading the file is, which also holds it against the form, the conditions and the calendar.
    """
    schema = ProviderFile.model_json_schema()
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        definition["title"] = _spaced(name)
    for name in _WITH_EITHER_END:
        definitions[name]["anyOf"] = [{"required": ["at_least"]}, {"required": ["at_most"]}]
    definitions["Criterion"] = {
        "title": "Criterion",
        "description": "One criterion about one fact, or several joined by `all`, `any` or `none`.",
        **definitions["All"]["properties"]["all"]["items"],
    }
    kinds = definitions["Criterion"]["anyOf"]
    _clean(schema, kinds)
    schema["$defs"] = dict(sorted(definitions.items()))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Careroute providers",
    }


def _spaced(name: str) -> str:
    """`NumberRange` as `Number range`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _clean(schema: Any, kinds: list[Any]) -> None:
    """Leaves out what only repeats a key or its absence, and says in words what a pattern asks for."""
    if isinstance(schema, list):
        for each in schema:
            _clean(each, kinds)
    if not isinstance(schema, dict):
        return
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
        options = [option for option in each.get("anyOf", []) if option != {"type": "null"}]
        if each.get("default", ...) is None and len(options) == 1:
            # Left out is left out: `null` is not how it is written.
            del each["anyOf"], each["default"]
            each.update(options[0])
    if isinstance(schema.get("items"), dict) and schema["items"].get("anyOf") == kinds:
        schema["items"] = {"$ref": "#/$defs/Criterion"}
    if schema.get("pattern") in PATTERNS:
        words = PATTERNS[schema["pattern"]]
        schema |= {"description": schema.get("description", words), "patternErrorMessage": f"expected {words}"}
    if "description" in schema:
        schema["description"] = " ".join(str(schema["description"]).split())
    for each in list(schema.values()):
        _clean(each, kinds)
