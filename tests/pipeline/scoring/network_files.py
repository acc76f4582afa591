"""Small networks for the scoring tests."""

from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

from config.providers import ProviderDocument

Criteria = list[dict[str, Any]]


def version_id(provider_id: str) -> UUID:
    return uuid5(NAMESPACE_DNS, provider_id)


def program(require: Criteria, prefer: Criteria | None = None, **other: Any) -> dict[str, Any]:
    words = {"en": "Examination", "es": "Examen"}
    return {
        "id": "clinic",
        "kind": "clinic",
        "product": "no_product",
        "name": words,
        "summary": words,
        "require": require,
        "prefer": prefer or [],
    } | other


def provider(*programs: dict[str, Any], **other: Any) -> ProviderDocument:
    document = {
        "id": "blue-mesa",
        "name": "Blue Mesa",
        "contact": {"name": "Desk", "email": "desk@blue-mesa.example"},
        "languages": ["en", "es"],
        "time_zone": "America/Denver",
        "locations": [{"id": "denver", "city": "Denver", "country": "US", "postal_code": "80202"}],
        "capacity": {"max_open": 5, "max_per_day": 2},
        "programs": list(programs),
    }
    return ProviderDocument.model_validate(document | other)
