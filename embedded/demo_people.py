"""Fictional people for the demo: what they would type into the screening form, the same for the same number.

Every address is at example.org (RFC 2606), every phone number is from the range set aside for fiction (555-01XX).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.screening import Screening

Answers = dict[str, object]


class Part(StrEnum):
    """What a demo person is there to show. Most are just people looking for care."""

    SEEKER = "seeker"
    NO_MATCH = "no_match"  # takes blood thinners, has an infection, cannot travel
    FREE_TEXT = "free_text"  # a condition that is not in the list: an expert has to look
    UNDECIDED = "undecided"  # left out what would decide: is asked for it
    NO_CONSENT = "no_consent"  # did not agree to sharing
    MINOR = "minor"  # filled it in without a parent
    AGAIN = "again"  # the same person as an earlier one, for the same condition
    CHANGED_FORM = "changed_form"  # a form whose fields were renamed


# Which numbers play another part than a seeker: those of the first twenty come once, the cycle's in every twenty.
_ONCE = {9: Part.AGAIN, 17: Part.CHANGED_FORM, 29: Part.AGAIN}
_EVERY_TWENTY = {
    3: Part.NO_MATCH,
    6: Part.FREE_TEXT,
    11: Part.NO_CONSENT,
    14: Part.NO_MATCH,
    15: Part.UNDECIDED,
    18: Part.MINOR,
}
_EARLIER = 7
"""How many numbers before them the person is whom an `AGAIN` repeats; odd, so that the other kind of form sends it."""

_FIRST_NAMES = {
    "en": (
        *("Avery", "Blair", "Casey", "Devon", "Ellis", "Frances", "Gale", "Harper", "Imani", "Jordan", "Kerry"),
        *("Lane", "Morgan", "Noor", "Oakley", "Priya", "Quinn", "Rowan", "Sasha", "Tatum", "Wren", "Zion"),
    ),
    "es": ("Alma", "Beatriz", "Carmen", "Diego", "Elena", "Félix", "Graciela", "Hugo", "Inés", "Joaquín", "Lucía"),
}
_LAST_NAMES = {
    "en": ("Ashdown", "Birchall", "Calloway", "Dunmore", "Eastman", "Fairweather", "Greenwood", "Holloway", "Ito"),
    "es": ("Alarcón", "Benítez", "Castañeda", "Delgado", "Escobar", "Figueroa", "Gutiérrez", "Ibáñez", "Núñez"),
}
_CONDITIONS = (
    *("knee_osteoarthritis", "hip_osteoarthritis", "osteoarthritis", "rotator_cuff_tear", "plantar_fasciitis"),
    *("fibromyalgia", "fibromyalgia", "chronic_pain_syndrome", "chronic_low_back_pain", "herniated_disc", "sciatica"),
    *("rheumatoid_arthritis", "multiple_sclerosis", "long_covid", "peripheral_neuropathy", "chronic_fatigue"),
)
_PLACES = (
    *("78701", "98101", "80202", "55415", "33101", "60601", "85001", "94110", "10001", "30303", "37203", "84101"),
    *("78205", "64108", "77002", "02108", "92101", "97201"),
)
_UNLISTED = ("Ehlers-Danlos syndrome", "Frozen shoulder", "Stiff person syndrome", "Small fibre neuropathy")


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the demo and what they answer."""

    number: int
    part: Part
    answers: Answers


def person(number: int, screening: Screening, seed: int = 0) -> Person:
    """The person with a number from 0."""
    part = _ONCE.get(number) or _EVERY_TWENTY.get(number % 20, Part.SEEKER)
    if part is Part.AGAIN:
        # Back a little later, with another phone: still the same person and the same request.
        earlier = person(number - _EARLIER, screening, seed)
        return Person(number, part, {**earlier.answers, "phone": _phone(random.Random(number))})
    generator = random.Random(f"{seed}:{number}")
    answers = _seeker(number, generator, screening)
    _play(part, answers, generator)
    return Person(number, part, answers)


def _seeker(number: int, generator: random.Random, screening: Screening) -> Answers:
    language = "es" if number % 5 == 1 else "en"
    first, last = generator.choice(_FIRST_NAMES[language]), generator.choice(_LAST_NAMES[language])
    answers: Answers = {
        "language": language,
        "submitter": "self",
        "first_name": first,
        "last_name": last,
        "date_of_birth": f"{generator.randint(1950, 1996)}-{generator.randint(1, 12):02}-{generator.randint(1, 28):02}",
        "email": f"demo.person.{number + 1}@example.org",
        "phone": _phone(generator),
        "country": "US",
        "postal_code": generator.choice(_PLACES),
        "condition": generator.choice(_CONDITIONS),
        "diagnosis_confirmed": generator.choices(["yes", "in_progress", "no"], [7, 2, 1])[0],
        "onset_months": generator.choice((4, 9, 14, 24, 30, 48, 72, 120)),
        "severity": generator.randint(3, 8),
        "prior_treatments": _some(generator, ("medication", "physical_therapy", "injections", "complementary")),
        "contraindications": ["none"],
        "treatment_goals": _some(generator, ("less_pain", "mobility", "daily_activities", "energy_and_sleep")),
        "treatment_interests": _some(generator, ("msc_bone_marrow", "msc_adipose", "msc_umbilical")),
        "budget": generator.choice(("up_to_5000", "up_to_10000", "up_to_20000", "undecided")),
        "travel": generator.choice(("regional", "national", "national", "international")),
        "timeframe": generator.choice(("now", "within_3_months", "within_6_months", "exploring")),
        **{consent: screening.consent(consent).version for consent in ("consent_contact", "consent_share")},
    }
    if number % 10 == 4:
        answers |= {"submitter": "caregiver", "guardian_name": f"{generator.choice(_FIRST_NAMES['en'])} {last}"}
    if number % 7 == 5:
        answers["treatment_interests"] = ["study_participation"]
    if generator.random() < 0.5:
        answers["sex_at_birth"] = generator.choice(("female", "male"))
    return answers


def _play(part: Part, answers: Answers, generator: random.Random) -> None:
    changes: Mapping[Part, Answers] = {
        Part.NO_MATCH: {
            "contraindications": ["active_cancer", "anticoagulants"],
            "condition": "hair_loss",
            "travel": "local",
        },
        Part.FREE_TEXT: {"condition": "other", "condition_other": generator.choice(_UNLISTED)},
        Part.UNDECIDED: {"condition": "diabetic_neuropathy", "postal_code": None, "travel": None},
        Part.NO_CONSENT: {"consent_share": None},
        Part.MINOR: {"date_of_birth": "2014-05-17"},
    }
    answers |= changes.get(part, {})
    for name in [name for name, value in answers.items() if value is None]:
        del answers[name]


def _some(generator: random.Random, options: tuple[str, ...]) -> list[str]:
    chosen = set(generator.sample(options, generator.randint(1, 2)))
    return [option for option in options if option in chosen]


def _phone(generator: random.Random) -> str:
    return f"+1 {generator.choice((415, 512, 303, 206, 612))} 555 01{generator.randint(0, 99):02}"
