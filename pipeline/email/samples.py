"""Sample contexts for previews and tests: per kind an ordinary case first, then the awkward ones. All fictional."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TypeVar

from config.screening import DataClass
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
    ReferralReminder,
    ReferralWithdrawn,
    StatusLink,
)
from pipeline.email.kinds import RULES, EmailKind, Form
from pipeline.email.labels import health_label
from pipeline.email.sample_details import information_needed_details, recommendation_details, referral_details
from pipeline.protected import Protected

D = TypeVar("D")

_ORGANISATION = Organisation(
    "Example Stem Cell Network", "100 Example Avenue, Suite 1, Springfield, IL 62701, USA", "care@careroute.example"
)
_AWKWARD = Organisation(
    'Niño & Söhne <"Regenerative"> Network', "Straße 1, 3.º izquierda, 28001 Madrid", "ayuda@careroute.example"
)
_REFERENCE = "CR-7K3M-9QXD"
_SITE = "https://screening.careroute.example"
_PAGE = f"{_SITE}/s/Vb3kq0uXyTjCjZ0m6w2nJ4pQhYtLr8sAe1dFgHiKoMw"
_FORM = f"{_SITE}/screening?lang="
_STOP = f"{_SITE}/u/AZqv3kq0uXyTjCjZ0m6w2nJ4pQhYtLr8sAe1dFgHiKo"
_LAST_DAY = date(2026, 11, 30)
_LABELS = {
    "en": ("Email address", "Date of birth", "Postal code"),
    "es": ("Correo electrónico", "Fecha de nacimiento", "Código postal"),
}


def samples(kind: EmailKind, language: str, form: Form = Form.NOTICE) -> tuple[EmailContext, ...]:
    """Sample contexts for `kind`, with question labels and facts in `language`; only the full form's can be read."""
    if RULES[kind].full_form_holds is None:
        return _SAMPLES[kind](language)
    return _SAMPLES_WITH_DETAILS[kind](language, form)


def _please_correct(language: str) -> tuple[EmailContext, ...]:
    return (
        PleaseCorrect(_REFERENCE, _FORM + language, _ORGANISATION, _LABELS[language]),
        PleaseCorrect(_REFERENCE, _FORM + language, _AWKWARD, (health_label(language),)),
    )


def _information_needed(language: str, form: Form) -> tuple[EmailContext, ...]:
    details = _as_in(information_needed_details(language), form)
    return (InformationNeeded(_REFERENCE, _PAGE, _ORGANISATION, _STOP, details),)


def _recommendation(language: str, form: Form) -> tuple[EmailContext, ...]:
    details = _as_in(recommendation_details(language), form)
    return (Recommendation(_REFERENCE, _PAGE, _ORGANISATION, _STOP, details),)


def _referral(language: str, form: Form) -> tuple[EmailContext, ...]:
    details = _as_in(referral_details(language), form)
    return (
        Referral(_REFERENCE, _PAGE, _ORGANISATION, _LAST_DAY, details),
        Referral(_REFERENCE, _PAGE, _AWKWARD, _LAST_DAY, details),
    )


def _as_in(details: D, form: Form) -> D | Protected[D]:
    """Only the full form's samples can be read, as when an email is written."""
    return details if form is Form.FULL else Protected(details, DataClass.HEALTH)


_SAMPLES_WITH_DETAILS: Mapping[EmailKind, Callable[[str, Form], tuple[EmailContext, ...]]] = {
    EmailKind.INFORMATION_NEEDED: _information_needed,
    EmailKind.RECOMMENDATION: _recommendation,
    EmailKind.REFERRAL: _referral,
}
_SAMPLES: Mapping[EmailKind, Callable[[str], tuple[EmailContext, ...]]] = {
    EmailKind.CONFIRMATION: lambda _: (
        Confirmation(_REFERENCE, _PAGE, _ORGANISATION),
        Confirmation(_REFERENCE, _PAGE, _AWKWARD),
    ),
    EmailKind.PLEASE_CORRECT: _please_correct,
    EmailKind.JOINED: lambda _: (Joined(_REFERENCE, _PAGE, _ORGANISATION),),
    EmailKind.IN_REVIEW: lambda _: (InReview(_REFERENCE, _PAGE, _ORGANISATION),),
    EmailKind.NO_MATCH: lambda _: (
        NoMatch(_REFERENCE, _PAGE, _ORGANISATION, _STOP),
        NoMatch(_REFERENCE, _PAGE, _AWKWARD, _STOP),
    ),
    EmailKind.STATUS_LINK: lambda _: (StatusLink(_REFERENCE, _PAGE, _ORGANISATION),),
    EmailKind.REFERRAL_REMINDER: lambda _: (
        ReferralReminder(_REFERENCE, _PAGE, _ORGANISATION, _STOP, _LAST_DAY),
        ReferralReminder(_REFERENCE, _PAGE, _AWKWARD, _STOP, _LAST_DAY),
    ),
    EmailKind.REFERRAL_WITHDRAWN: lambda _: (ReferralWithdrawn(_REFERENCE, _ORGANISATION),),
    EmailKind.ONE_TIME_CODE: lambda _: (OneTimeCode(_REFERENCE, "04291738", _ORGANISATION),),
}
