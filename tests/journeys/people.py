"""Fictional people. Their answers fit more providers than may hold them at one time."""

from typing import Any

from tests.config.shipped import CONDITIONS
from tests.support.submissions import answers

_OPEN_TO_MUCH: dict[str, Any] = {
    "country": "US",
    "postal_code": "60611",
    "travel": "national",
    "budget": "up_to_20000",
    "onset_months": 40,
    "severity": 6,
}


def english(first_name: str, last_name: str, **changes: Any) -> dict[str, Any]:
    """Somebody in Chicago who reads English."""
    address = f"{first_name}.{last_name}@example.org".lower()
    born = {"date_of_birth": "1968-04-19", "phone": "+13125550147"}
    name = {"language": "en", "first_name": first_name, "last_name": last_name, "email": address}
    return answers(**_OPEN_TO_MUCH | name | born | changes)


def spanish(first_name: str, last_name: str, **changes: Any) -> dict[str, Any]:
    """Somebody in Chicago who reads Spanish, and whom a provider that speaks only Spanish fits best."""
    wishes = {"treatment_goals": ["second_opinion"], "treatment_interests": ["undecided"]}
    return english(first_name, last_name, **{"language": "es"} | wishes | changes)


def condition(answers: dict[str, Any], language: str) -> str:
    """The condition as it is called in a language."""
    return CONDITIONS.by_id[answers["condition"]].label.in_language(language)


def told_about(answers: dict[str, Any], page: str) -> list[str]:
    """What a page's source tells about a person, of what only that person or a provider may read."""
    secrets = [answers[name] for name in ("first_name", "last_name", "email", "phone", "date_of_birth", "postal_code")]
    secrets += [condition(answers, language) for language in ("en", "es")]
    return [secret for secret in secrets if secret.casefold() in page.casefold()]
