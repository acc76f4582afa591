"""The configuration as it is shipped, read once, and a complete set of answers to it."""

from pathlib import Path
from typing import Any

import config
from config.conditions import load_conditions
from config.screening import load_screening
from config.sources import load_sources

FOLDER = Path(config.__file__).parent
SCREENING = load_screening(FOLDER / "screening.yaml")
CONDITIONS = load_conditions(FOLDER / "conditions.yaml")
KEY = "network-site-key-for-tests"
SECRET = "webflow-secret-for-tests"
SOURCES = load_sources(
    FOLDER / "sources.yaml",
    {"CAREROUTE_SOURCE_NETWORK_SITE_KEY": KEY, "CAREROUTE_SOURCE_WEBFLOW_SITE_SECRET": SECRET},
    SCREENING,
)

ANSWERS: dict[str, Any] = {
    "language": "es",
    "submitter": "self",
    "first_name": "María José",
    "last_name": "López",
    "date_of_birth": "1975-03-28",
    "sex_at_birth": "female",
    "email": "maria.lopez@example.org",
    "phone": "+14155550132",
    "country": "US",
    "postal_code": "94110",
    "condition": "fibromyalgia",
    "diagnosis_confirmed": "yes",
    "onset_months": 30,
    "severity": 7,
    "prior_treatments": ["medication", "physical_therapy"],
    "contraindications": ["none"],
    "treatment_goals": ["less_pain", "energy_and_sleep"],
    "treatment_interests": ["msc_adipose", "study_participation"],
    "budget": "up_to_10000",
    "travel": "regional",
    "timeframe": "within_3_months",
    "consent_contact": SCREENING.consent("consent_contact").version,
    "consent_share": SCREENING.consent("consent_share").version,
}
