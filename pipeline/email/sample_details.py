"""Sample facts for the full forms, in the reader's language. All fictional."""

from collections.abc import Mapping
from datetime import date

from config.conditions import EvidenceLevel
from config.providers import ProviderDocument
from pipeline.email.details import (
    Fact,
    InformationNeededDetails,
    RecommendationDetails,
    RecommendedProgram,
    ReferralDetails,
)
from pipeline.scoring.notices import notices

_HERE = {"id": "austin", "city": "Austin", "country": "US", "postal_code": "78701"}
_ABROAD = {"id": "mexico-city", "city": "Mexico City", "country": "MX", "postal_code": "06600"}
_REVIEWED = {"name": "Fictional Plains Review Board", "number": "FPRB-2026-0091", "approved_on": "2026-03-02"}


def recommendation_details(language: str) -> RecommendationDetails:
    if language == "es":
        return RecommendationDetails(
            "Artrosis de rodilla",
            EvidenceLevel.UNDER_STUDY,
            "Revisión de ejemplo, 2026",
            expert_decided=False,
            programs=(
                RecommendedProgram(
                    "Willow Creek Joint Clinic",
                    "Evaluación articular",
                    "clinic",
                    "Un examen con imágenes y una conversación sobre lo que es posible.",
                    ("Austin", "Ciudad de México, México"),
                    ("Atiende a personas con su padecimiento.", "Está tan cerca como usted puede viajar."),
                    ("Si toma anticoagulantes.",),
                    _notices("es", "clinic", product="unapproved_therapy", location=_ABROAD),
                ),
                RecommendedProgram(
                    'Niño & Söhne <"Rodilla">',
                    "Estudio de rodilla",
                    "study",
                    "Un estudio que compara células de tejido graso con un placebo.",
                    (),
                    ("Su edad está dentro de lo que el estudio admite.",),
                    (),
                    _notices("es", "study", product="investigational", irb=_REVIEWED),
                ),
            ),
        )
    return RecommendationDetails(
        "Knee osteoarthritis",
        EvidenceLevel.UNDER_STUDY,
        "Example review, 2026",
        expert_decided=False,
        programs=(
            RecommendedProgram(
                "Willow Creek Joint Clinic",
                "Joint assessment",
                "clinic",
                "An examination with imaging, and a talk about what is possible.",
                ("Austin", "Mexico City, Mexico"),
                ("It sees people with your condition.", "It is as near as you can travel."),
                ("Whether you take anticoagulants.",),
                _notices("en", "clinic", product="unapproved_therapy", location=_ABROAD),
            ),
            RecommendedProgram(
                'Niño & Söhne <"Knee">',
                "Knee study",
                "study",
                "A study that compares cells from fat tissue with a placebo.",
                (),
                ("Your age is within what the study takes.",),
                (),
                _notices("en", "study", product="investigational", irb=_REVIEWED),
            ),
        ),
    )


def _notices(
    language: str,
    kind: str,
    *,
    product: str,
    location: Mapping[str, str] = _HERE,
    irb: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """What really has to stand beside a program of this kind."""
    program = {"id": "knee", "kind": kind, "product": product, "irb": irb, "require": [{"age": {"at_least": 18}}]}
    texts = {"en": "Knee", "es": "Rodilla"}
    document = ProviderDocument.model_validate(
        {
            "id": "example",
            "name": "Example",
            "contact": {"name": "Example", "email": "referrals@provider.example"},
            "languages": ["en"],
            "time_zone": "America/Chicago",
            "locations": [location],
            "capacity": {"max_open": 1, "max_per_day": 1},
            "programs": [{**program, "name": texts, "summary": texts}],
        }
    )
    return notices(document.programs[0], document, language)


def information_needed_details(language: str) -> InformationNeededDetails:
    if language == "es":
        return InformationNeededDetails(("¿Toma anticoagulantes?", "¿Hasta dónde puede viajar?"))
    return InformationNeededDetails(("Do you take anticoagulants?", "How far can you travel?"))


def referral_details(language: str) -> ReferralDetails:
    received_on = date(2026, 11, 20)
    if language == "es":
        return ReferralDetails(
            "Evaluación articular",
            received_on,
            (Fact("Edad al recibir el formulario", "51 años"), Fact("Padecimiento", "Artrosis de rodilla")),
            ("Padecimiento",),
            ("Duración",),
            ("Anticoagulantes",),
        )
    return ReferralDetails(
        "Joint assessment",
        received_on,
        (Fact("Age when the form was received", "51 years"), Fact("Condition", "Knee osteoarthritis")),
        ("Condition",),
        ("Duration",),
        ("Blood thinners",),
    )
