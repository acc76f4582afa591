"""Who asks: fictional people, all different, each fitting at least three providers of a network with endless room."""

import datetime as dt
import re
from pathlib import Path

import orjson

SOURCE = "network-site"
OFFERS_PER_PERSON = 3
EMAILS_PER_PERSON = 2 + OFFERS_PER_PERSON
"""Confirmation, recommendation, and a referral to each provider."""

RECORDS_PER_PERSON = 3 + 2 + OFFERS_PER_PERSON + 2 * EMAILS_PER_PERSON
"""Received, validated, scored; both consents; every offer; every email queued and handed over."""

_CONSENT = "2026-11-01"
_CONDITIONS = (
    "knee_osteoarthritis",
    "fibromyalgia",
    "chronic_low_back_pain",
    "multiple_sclerosis",
    "rheumatoid_arthritis",
    "herniated_disc",
    "osteoarthritis",
    "parkinson_disease",
)
_FIRST_NAMES = ("Ana", "Bert", "Chloé", "Diego", "Elif", "Farah", "Grete", "Hô")
_LAST_NAMES = ("Aguilar", "Brandt", "Castillo", "Dvořák", "Eriksen", "Fontaine", "García", "Hughes", "Ibáñez")
_ZIP_CODES = ("94110", "78701", "10001", "98101", "60601")
_YOUNGEST = dt.date(1980, 1, 1)


def contact(number: int) -> dict[str, str]:
    """Who person `number` is, how to reach them, and both consents."""
    return {
        "submitter": "guardian",
        "guardian_name": "Guardian of the Bench",
        "first_name": _FIRST_NAMES[number % len(_FIRST_NAMES)],
        "last_name": _LAST_NAMES[number % len(_LAST_NAMES)],
        "email": f"person{number}@mail.example",
        "consent_contact": _CONSENT,
        "consent_share": _CONSENT,
    }


def body(number: int) -> bytes:
    """The JSON that a web form sends for person `number`."""
    born = _YOUNGEST - dt.timedelta(days=number % 7300)
    answers = {
        "submitter": "self",
        "first_name": _FIRST_NAMES[number % len(_FIRST_NAMES)],
        "last_name": _LAST_NAMES[number % len(_LAST_NAMES)],
        "email": f"person{number}@mail.example",
        "phone": f"+1415555{2000 + number % 8000:04}",
        "date_of_birth": born.isoformat(),
        "country": "US",
        "postal_code": _ZIP_CODES[number % len(_ZIP_CODES)],
        "language": "es" if number % 4 == 0 else "en",
        "condition": _CONDITIONS[number % len(_CONDITIONS)],
        "diagnosis_confirmed": "yes",
        "onset_months": 12 + number % 60,
        "severity": 5 + number % 5,
        "prior_treatments": ["medication", "physical_therapy"],
        "contraindications": ["none"],
        "treatment_goals": ["less_pain", "mobility"],
        "treatment_interests": ["undecided"],
        "budget": "over_20000",
        "travel": "national",
        "timeframe": "now",
        "consent_contact": _CONSENT,
        "consent_share": _CONSENT,
    }
    return orjson.dumps({"answers": answers})


def write_roomy_network(shipped: Path, target: Path) -> None:
    """The shipped network with room for everybody, so that every person is referred three times."""
    room, replaced = re.subn(
        r"max_open: \d+, max_per_day: \d+",
        "max_open: 1000000, max_per_day: 1000000",
        shipped.read_text(encoding="utf-8"),
    )
    if not replaced:
        raise ValueError(f"{shipped} has no capacities of the form this reads")
    target.write_text(room, encoding="utf-8")
