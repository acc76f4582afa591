"""Sample contexts for previews and tests: per kind an ordinary case first, then the awkward ones. All fictional."""

from datetime import date

from pipeline.email.contexts import (
    Confirmation,
    EmailContext,
    InformationNeeded,
    InReview,
    Joined,
    NoMatch,
    OneTimeCode,
    Organisation,
    PleaseCorrect,
    Recommendation,
    Referral,
)
from pipeline.email.kinds import EmailKind
from pipeline.email.labels import health_label

_ORGANISATION = Organisation(
    "Example Stem Cell Network", "100 Example Avenue, Suite 1, Springfield, IL 62701, USA", "care@careroute.example"
)
_AWKWARD = Organisation(
    'Niño & Söhne <"Regenerative"> Network', "Straße 1, 3.º izquierda, 28001 Madrid", "ayuda@careroute.example"
)
_REFERENCE = "CR-7K3M-9QXD"
_PAGE = "https://screening.careroute.example/r/Vb3kq0uXyTjCjZ0m6w2nJ4pQhYtLr8sAe1dFgHiKoMw"
_FORM = "https://screening.careroute.example/screening?continue=Vb3kq0uXyTjCjZ0m6w2nJ4pQ&language=es"
_LABELS = {
    "en": ("Email address", "Date of birth", "Postal code"),
    "es": ("Correo electrónico", "Fecha de nacimiento", "Código postal"),
}


def samples(kind: EmailKind, language: str) -> tuple[EmailContext, ...]:
    """Sample contexts for `kind`, with question labels in `language`."""
    labels = _LABELS[language]
    match kind:
        case EmailKind.CONFIRMATION:
            return (Confirmation(_REFERENCE, _PAGE, _ORGANISATION), Confirmation(_REFERENCE, _PAGE, _AWKWARD))
        case EmailKind.PLEASE_CORRECT:
            return (
                PleaseCorrect(_REFERENCE, _FORM, _ORGANISATION, labels),
                PleaseCorrect(_REFERENCE, _FORM, _AWKWARD, (health_label(language),)),
            )
        case EmailKind.JOINED:
            return (Joined(_REFERENCE, _PAGE, _ORGANISATION),)
        case EmailKind.IN_REVIEW:
            return (InReview(_REFERENCE, _PAGE, _ORGANISATION),)
        case EmailKind.INFORMATION_NEEDED:
            return (InformationNeeded(_REFERENCE, _PAGE, _ORGANISATION),)
        case EmailKind.RECOMMENDATION:
            return (Recommendation(_REFERENCE, _PAGE, _ORGANISATION),)
        case EmailKind.NO_MATCH:
            return (NoMatch(_REFERENCE, _PAGE, _ORGANISATION),)
        case EmailKind.REFERRAL:
            return (Referral(_REFERENCE, _PAGE, _ORGANISATION, date(2026, 11, 30)),)
        case EmailKind.ONE_TIME_CODE:
            return (OneTimeCode(_REFERENCE, "042917", _ORGANISATION),)
