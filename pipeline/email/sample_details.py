"""Sample facts for the full forms, in the reader's language. All fictional."""

from datetime import date

from config.conditions import EvidenceLevel
from pipeline.email.details import (
    Fact,
    InformationNeededDetails,
    RecommendationDetails,
    RecommendedProgram,
    ReferralDetails,
)


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
                    ("Lo que ofrece este programa no está aprobado por la FDA.",),
                ),
                RecommendedProgram(
                    'Niño & Söhne <"Rodilla">',
                    "Estudio de rodilla",
                    "study",
                    "Un estudio que compara dos ejercicios.",
                    (),
                    ("Su edad está dentro de lo que el estudio admite.",),
                    (),
                    (),
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
                ("What this program offers has not been approved by the FDA.",),
            ),
            RecommendedProgram(
                'Niño & Söhne <"Knee">',
                "Knee study",
                "study",
                "A study that compares two exercises.",
                (),
                ("Your age is within what the study takes.",),
                (),
                (),
            ),
        ),
    )


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
